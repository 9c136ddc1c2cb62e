"""The clients by which security officers' commands reach a vault."""

from typing import TYPE_CHECKING

from vault.cli.calling import Calling, quiet_grpc

if TYPE_CHECKING:
    from pdvault_client import ApprovalClient, KeyClient, OperationClient

_EXAMPLE = "security"


def key_client(calling: Calling) -> "KeyClient":
    """A client that looks after keys; use it in ``with``.

    Raises:
        ClickException: a setting is missing, or a file does not hold what it should.
    """
    quiet_grpc()
    from pdvault_client import KeyClient

    return calling.endpoint.client(KeyClient, calling.purpose, _EXAMPLE)


def operation_client(calling: Calling) -> "OperationClient":
    """A client that looks after long work; see ``key_client``."""
    quiet_grpc()
    from pdvault_client import OperationClient

    return calling.endpoint.client(OperationClient, calling.purpose, _EXAMPLE)


def approval_client(calling: Calling) -> "ApprovalClient":
    """A client that decides on what others ask for; see ``key_client``."""
    quiet_grpc()
    from pdvault_client import ApprovalClient

    return calling.endpoint.client(ApprovalClient, calling.purpose, _EXAMPLE)
