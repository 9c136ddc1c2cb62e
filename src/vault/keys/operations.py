"""Long work as rows: asked for once, run by whoever holds it, told as ``google.longrunning.Operation``.

What was asked for stands under the row's MAC. How far it is does not: whoever runs it looks at the tables in the end.
"""

import math
from typing import TypeVar

from google.longrunning import operations_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from vault.admission import Admitted
from vault.errors import VaultError
from vault.kms.tenant_keys import Authority
from vault.safe import new_uid
from vault.store.reads import Reads, Rows
from vault.store.rows import LIVE_STATES, OperationRow
from vault.store.sealing import sealed
from vault.store.states import OperationKind, OperationState
from vault.v1 import common_pb2, key_service_pb2, subject_service_pb2

PREFIX = "operations/"
"""What an operation's name begins with; its uid in hexadecimal follows."""
_LONGEST_US = 10 * 365 * 24 * 3600 * 1_000_000

_Result = TypeVar("_Result", bound=Message)
_LIVE = Reads(live_operations=True)
_RESULTS: dict[str, type[Message]] = {OperationKind.BULK_ERASE: subject_service_pb2.BulkEraseResult}


def begin(admitted: Admitted, kind: str, request: Message) -> OperationRow:
    """A new operation, written with the call; it waits for the key worker.

    Args:
        admitted: the call that asks for it.
        kind: the method's name.
        request: what was asked for, for whoever runs it; without a value or a subject_id.

    Raises:
        VaultError: OPERATION_UNDER_WAY, if one of this kind has not ended.
        MoreRowsError: the tenant's operations have to be read.
    """
    return _written(admitted, _asked(admitted, kind, request))


def begin_running(admitted: Admitted, kind: str, request: Message, total: int) -> OperationRow:
    """The same, of one that runs at once, since servers do the ``total`` things in it anyhow; arguments and errors as ``begin``."""
    return _written(admitted, _asked(admitted, kind, request)._replace(state=OperationState.RUNNING, total=total))


def _asked(admitted: Admitted, kind: str, request: Message) -> OperationRow:
    admitted.need(_LIVE)
    check_none_live(admitted.rows, kind)
    return new_row(admitted.keys.authority, admitted.tenant.uid, admitted.principal.uid, kind, request, admitted.rows.now_us)


def _written(admitted: Admitted, row: OperationRow) -> OperationRow:
    admitted.writes.inserted.append(row)
    admitted.draft.details["operation"] = row.uid.hex()
    return row


def check_none_live(rows: Rows, kind: str) -> None:
    """Refuse a second operation of a kind.

    Raises:
        VaultError: OPERATION_UNDER_WAY, naming the first.
    """
    live = next((row for row in rows.live_operations if row.live_kind == kind), None)
    if live:
        raise VaultError(
            common_pb2.ERROR_REASON_OPERATION_UNDER_WAY,
            f"{name_of(live.uid)} of this kind is {live.state.lower()}; wait for its end, resume it or cancel it",
        )


def new_row(
    authority: Authority, tenant_uid: bytes, principal_uid: bytes, kind: str, request: Message, now_us: int
) -> OperationRow:
    """The row of an operation that nobody has begun to run."""
    return sealed(
        authority,
        OperationRow(
            tenant_uid=tenant_uid,
            uid=new_uid(),
            kind=kind,
            request=request.SerializeToString(deterministic=True),
            principal_uid=principal_uid,
            create_us=now_us,
            mac=b"",
            live_kind=kind,
            state=OperationState.WAITING,
            phase="",
            cursor=b"",
            done=0,
            total=0,
            update_us=now_us,
            result=b"",
            holder="",
            until_us=0,
        ),
    )


def name_of(uid: bytes) -> str:
    """An operation's name."""
    return PREFIX + uid.hex()


def uid_of(name: str) -> bytes:
    """The uid in an operation's name, which the contract has checked."""
    return bytes.fromhex(name.removeprefix(PREFIX))


def described(row: OperationRow) -> operations_pb2.Operation:
    """An operation as callers see it."""
    operation = operations_pb2.Operation(name=name_of(row.uid), done=row.state not in LIVE_STATES)
    operation.metadata.Pack(_progress(row))
    if row.state == OperationState.DONE:
        result = _RESULTS.get(row.kind, key_service_pb2.Attestation)()
        operation.response.Pack(_read(result, row.result))
    elif row.state in (OperationState.FAILED, OperationState.CANCELLED):
        operation.error.CopyFrom(_read(status_pb2.Status(), row.result) if row.state == OperationState.FAILED else _cancelled())
    return operation


def _progress(row: OperationRow) -> key_service_pb2.OperationProgress:
    progress = key_service_pb2.OperationProgress(
        kind=row.kind, state=row.state, phase=row.phase, done=row.done, total=max(row.total, row.done)
    )
    progress.create_time.FromMicroseconds(row.create_us)
    progress.update_time.FromMicroseconds(row.update_us)
    noted = _read(key_service_pb2.OperationProgress(), row.result if row.state in LIVE_STATES else b"")
    progress.done_by_kind.update(noted.done_by_kind)
    if row.state == OperationState.RUNNING:
        progress.rows_per_second = noted.rows_per_second if 0 < noted.rows_per_second < math.inf else 0.0
    if progress.rows_per_second and progress.done < progress.total:
        left_us = (progress.total - progress.done) / progress.rows_per_second * 1_000_000
        progress.estimated_time.FromMicroseconds(row.update_us + min(int(left_us), _LONGEST_US))
    return progress


def _read(into: "_Result", data: bytes) -> "_Result":
    try:
        into.ParseFromString(data)
    except DecodeError:
        into.Clear()
    return into


def _cancelled() -> status_pb2.Status:
    return status_pb2.Status(code=1, message="the operation was cancelled; what was done stays done")
