"""Whether a vault serves."""

import grpc
from tests.harness import Caller
from tests.server.requests import good


def serves(caller: Caller) -> bool:
    """Whether a call of this caller is answered."""
    try:
        caller.call(good("ListDataClasses"))
    except grpc.RpcError:
        return False
    return True
