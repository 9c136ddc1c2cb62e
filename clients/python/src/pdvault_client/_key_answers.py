"""Fields of answers about keys, operations and approvals to dataclasses. What does not fit its request is an error."""

from datetime import timedelta

from google.protobuf.message import DecodeError

from pdvault_client import _status
from pdvault_client._answers import Answer, known, time, unfit
from pdvault_client._contract import Message, contract
from pdvault_client.key_types import Approval, Attestation, KekVersion, KeySchedule, KeyState, KeyStatus, Operation, TenantKey

_UID = 16
_OPERATION = "operations/"


def status(answer: Answer) -> KeyStatus:
    """A StatusResponse."""
    said = answer.message
    return KeyStatus(
        tenant=said.tenant,
        tenant_state=said.tenant_state,
        kek_versions=tuple(map(_kek_version, said.kek_versions)),
        epochs=tuple(map(_key, said.epochs)),
        index_keys=tuple(map(_key, said.index_keys)),
        authority_keys=tuple(map(_key, said.authority_keys)),
        rekey_due=said.rekey_due,
        schedule=KeySchedule(
            _duration(said.schedule, "rotate_every"),
            _duration(said.schedule, "restore_window"),
            _duration(said.schedule, "kms_snapshot_retention"),
        ),
        next_rotation_time=time(said, "next_rotation_time"),
        is_overdue=said.overdue,
        erasures_waiting=said.erasures_waiting,
        is_kek_imported=said.kek_imported,
        proves_destruction=said.proves_destruction,
    )


def begun(answer: Answer) -> Operation:
    """The operation in a response.

    Raises:
        VaultError: there is none.
    """
    return operation(answer.message.operation, answer.request_id)


def operations(answer: Answer) -> tuple[Operation, ...]:
    """A ListOperationsResponse."""
    return tuple(operation(each, answer.request_id) for each in answer.message.operations)


def operation(message: Message, request_id: str) -> Operation:
    """A google.longrunning.Operation of the vault's.

    Raises:
        VaultError: it is none.
    """
    progress = contract().message("vault.v1.OperationProgress")()
    if not message.name.startswith(_OPERATION) or not _unpacked(message.metadata, progress):
        raise unfit("the server answered no operation", request_id)
    attestation = contract().message("vault.v1.Attestation")()
    is_attested = message.HasField("response") and _unpacked(message.response, attestation)
    return Operation(
        name=message.name,
        kind=progress.kind,
        state=progress.state,
        phase=progress.phase,
        done=progress.done,
        total=progress.total,
        rows_per_second=progress.rows_per_second,
        estimated_time=time(progress, "estimated_time"),
        create_time=time(progress, "create_time"),
        update_time=time(progress, "update_time"),
        is_ended=message.done,
        attestation=_attestation(attestation) if is_attested else None,
        error=_status.from_status(message.error.SerializeToString(), request_id) if message.HasField("error") else None,
    )


def asked(answer: Answer) -> Approval:
    """The approval in a response.

    Raises:
        VaultError: there is none.
    """
    return _approval(answer.message.approval, answer.request_id)


def approvals(answer: Answer) -> tuple[Approval, ...]:
    """A ListApprovalsResponse."""
    return tuple(_approval(each, answer.request_id) for each in answer.message.approvals)


def _approval(message: Message, request_id: str) -> Approval:
    if len(message.approval_uid) != _UID:
        raise unfit("the server answered an approval without a name", request_id)
    return Approval(
        uid=message.approval_uid,
        action=message.action,
        summary=message.summary,
        asked_by=message.asked_by,
        ask_time=time(message, "ask_time"),
        expire_time=time(message, "expire_time"),
        state=message.state,
        decided_by=message.decided_by,
    )


def _attestation(said: Message) -> Attestation:
    return Attestation(
        done=dict(said.done),
        left=dict(said.left),
        retired_epochs=tuple(said.retired_epochs),
        retired_index_keys=tuple(said.retired_index_keys),
        kek_version=said.kek_version,
        destroyed_kek_versions=tuple(said.destroyed_kek_versions),
        horizons_reached=said.horizons_reached,
        altered_subjects=tuple(said.altered_subjects),
        late_subjects=tuple(said.late_subjects),
    )


def _kek_version(said: Message) -> KekVersion:
    return KekVersion(said.version, time(said, "create_time"), said.destroyable, time(said, "destroy_time"), tuple(said.would_lose))


def _key(said: Message) -> TenantKey:
    state = known(KeyState, said.state)
    return TenantKey(said.version, state, said.kek_version, time(said, "create_time"), time(said, "end_time"), said.live)


def _duration(message: Message, name: str) -> timedelta | None:
    found: timedelta | None = getattr(message, name).ToTimedelta() if message.HasField(name) else None
    return found


def _unpacked(packed: Message, into: Message) -> bool:
    """Whether a google.protobuf.Any holds a message of this type, which then is in ``into``."""
    try:
        return bool(packed.Unpack(into))
    except DecodeError:
        return False
