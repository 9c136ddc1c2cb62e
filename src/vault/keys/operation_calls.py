"""OperationService: how far long work is, and steering it. Whoever runs it looks between two steps at the state it is to be in."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from vault.admission import Admitted
from vault.errors import VaultError
from vault.keys.operations import described, uid_of
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.store.rows import LIVE_STATES, OperationRow
from vault.store.sealing import check
from vault.store.states import OperationState
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

GET, LIST = "GetOperation", "ListOperations"
STEERED: Mapping[str, tuple[tuple[str, ...], str, type[Message]]] = {
    "PauseOperation": ((OperationState.WAITING, OperationState.RUNNING), OperationState.PAUSED, v1.PauseOperationResponse),
    "ResumeOperation": ((OperationState.PAUSED,), OperationState.WAITING, v1.ResumeOperationResponse),
    "CancelOperation": (LIVE_STATES, OperationState.CANCELLED, v1.CancelOperationResponse),
}
"""By method: from which states, to which, and what is answered."""


class GetOperation:
    """One GetOperation request."""

    def __init__(self, request: v1.GetOperationRequest) -> None:
        self._uid = uid_of(request.name)

    def reads(self, _keys: TenantKeys) -> Reads:
        """The operation."""
        return Reads(operations=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> v1.GetOperationResponse:
        """Tell."""
        admitted.permit(GET, "")
        return v1.GetOperationResponse(operation=described(_found(admitted, self._uid)))


class ListOperations:
    """One ListOperations request."""

    def __init__(self, _request: v1.ListOperationsRequest) -> None:
        """Nothing is asked for in particular."""

    def reads(self, _keys: TenantKeys) -> Reads:
        """The newest operations."""
        return Reads(newest_operations=True)

    def decide(self, admitted: Admitted) -> v1.ListOperationsResponse:
        """Tell of those that the principal may see."""
        admitted.permit(LIST, "")
        rows = [row for row in admitted.rows.newest_operations if _may_see(admitted, row)]
        for row in rows:
            check(admitted.keys.authority, row)
        return v1.ListOperationsResponse(operations=map(described, rows))


class Steer:
    """One request to pause, resume or cancel; doing it again changes nothing."""

    def __init__(self, action: str, request: Any) -> None:
        """Read the operation's name; ``action`` is one of ``STEERED``."""
        self._action = action
        self._uid = uid_of(request.name)

    def reads(self, _keys: TenantKeys) -> Reads:
        """The operation."""
        return Reads(operations=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> Message:
        """Steer it."""
        admitted.permit(self._action, "")
        before, after, response = STEERED[self._action]
        row = _found(admitted, self._uid)
        admitted.draft.details["operation"] = row.uid.hex()
        is_so = row.state == after or (after == OperationState.WAITING and row.state == OperationState.RUNNING)
        if row.state not in before and not is_so:
            raise VaultError(
                common_pb2.ERROR_REASON_WRONG_STATE, f"the operation is {row.state.lower()}: that can't be done with it any more"
            )
        if not is_so:
            admitted.writes.steered.append((row, after))
        return response()


def _found(admitted: Admitted, uid: bytes) -> OperationRow:
    row = admitted.rows.operations.get(uid)
    if row is None or not _may_see(admitted, row):
        raise VaultError(common_pb2.ERROR_REASON_NOT_FOUND, "the tenant has no such operation that you may see")
    check(admitted.keys.authority, row)
    return row


def _may_see(admitted: Admitted, row: OperationRow) -> bool:
    """Each office sees its own: erasures are none of those who keep the keys, and the other way round."""
    try:
        admitted.permit(row.kind, "")
    except VaultError:
        return False
    return True
