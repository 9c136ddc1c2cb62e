"""What is printed of a tenant's keys: a summary and tables for people, one object for programs."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from vault.cli.keys.parameters import written
from vault.cli.output import Fields, chosen, emit, iso, say
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import Approval, KekVersion, KeySchedule, KeyStatus, Operation, TenantKey
    from vault.cli.calling import Calling


_ENDS = (
    *("kek_version", "retired_epochs", "retired_index_keys", "left", "field_keys_kept", "destroyed_kek_versions"),
    *("horizons_reached", "altered_subjects", "late_subjects", "error"),
)


def show_status(status: "KeyStatus", output: str | None) -> None:
    """Print the state of a tenant's keys."""
    if chosen(output) == "json":
        emit("json", [_whole(status)])
        return
    for line in _summary(status):
        click.echo(clean(line))
    emit("table", map(_kek_version, status.kek_versions))
    kinds = (("epoch", status.epochs), ("index", status.index_keys), ("authority", status.authority_keys))
    emit("table", ({"key": kind, **_key(key)} for kind, keys in kinds for key in keys))


def schedule_fields(schedule: "KeySchedule") -> Fields:
    """A schedule, as its options are written."""
    return {
        "rotate_every": written(schedule.rotate_every),
        "restore_window": written(schedule.restore_window),
        "kms_snapshots": written(schedule.kms_snapshot_retention),
    }


def show_operations(operations: "Iterable[Operation]", output: str | None) -> None:
    """Print operations, and how they ended: whole for programs; for people a narrow table, and a line for each that has an end."""
    if chosen(output) == "json":
        emit("json", map(_operation, operations))
        return
    shown = list(operations)
    emit("table", map(_how_far, shown))
    for operation in shown:
        end = [
            f"{name.replace('_', ' ')} {_listed(said)}" for name, said in _operation(operation).items() if name in _ENDS and said
        ]
        if end:
            click.echo(clean(f"{_uid(operation)}: {'; '.join(end)}"))


def _how_far(operation: "Operation") -> Fields:
    done = f"{operation.done} of {operation.total}"
    return {"operation": _uid(operation), "kind": operation.kind, "state": operation.state, "phase": operation.phase, "done": done}


def _uid(operation: "Operation") -> str:
    return operation.name.removeprefix("operations/")


def _listed(said: object) -> str:
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)


def _operation(operation: "Operation") -> Fields:
    attested = operation.attestation
    return {
        "operation": operation.name,
        "kind": operation.kind,
        "state": operation.state,
        "phase": operation.phase,
        "done": operation.done,
        "total": operation.total,
        "create_time": iso(operation.create_time),
        "update_time": iso(operation.update_time),
        "kek_version": attested.kek_version if attested else None,
        "retired_epochs": list(attested.retired_epochs) if attested else None,
        "retired_index_keys": list(attested.retired_index_keys) if attested else None,
        "left": sum(attested.left.values()) if attested else None,
        "field_keys_kept": attested.done.get("field_keys_kept", 0) if attested else None,
        "destroyed_kek_versions": list(attested.destroyed_kek_versions) if attested else None,
        "horizons_reached": attested.horizons_reached if attested else None,
        "altered_subjects": [uid.hex() for uid in attested.altered_subjects] if attested else None,
        "late_subjects": [uid.hex() for uid in attested.late_subjects] if attested else None,
        "error": operation.error.message if operation.error else None,
    }


def approval_fields(approval: "Approval") -> Fields:
    """An approval."""
    return {
        "approval": approval.uid.hex(),
        "action": approval.action,
        "state": approval.state,
        "asked_by": approval.asked_by,
        "decided_by": approval.decided_by or None,
        "ask_time": iso(approval.ask_time),
        "expire_time": iso(approval.expire_time),
        "summary": approval.summary,
    }


def show_asked(approval: "Approval", calling: "Calling", then: Sequence[object], output: str | None) -> None:
    """Print what was asked for, and how it goes on: by whom it is approved, and by which command it is ``then`` done."""
    uid = approval.uid.hex()
    emit(output, [approval_fields(approval)])
    say(f"Another security officer approves it: {calling.by_another('approval', 'approve', uid)}")
    say(f"Then: {calling.again(*then, '--approval', uid)}")


def _summary(status: "KeyStatus") -> list[str]:
    due = f"next rotation {iso(status.next_rotation_time)}" if status.next_rotation_time else "no rotation by itself"
    lines = [
        f"Tenant {status.tenant}: {status.tenant_state}; {due}{': OVERDUE' if status.is_overdue else ''}",
        f"Subjects due for a new key: {status.rekey_due}. Erasures whose horizon is not reached: {status.erasures_waiting}.",
    ]
    if status.is_kek_imported:
        lines.append("The KEK was imported: whoever has a copy of a version can still use it once it is destroyed here.")
    if not status.proves_destruction:
        lines.append("This KMS can't prove that a version is gone.")
    return lines


def _whole(status: "KeyStatus") -> Fields:
    return {
        "tenant": status.tenant,
        "tenant_state": status.tenant_state,
        "next_rotation_time": iso(status.next_rotation_time),
        "is_overdue": status.is_overdue,
        "schedule": schedule_fields(status.schedule),
        "rekey_due": status.rekey_due,
        "erasures_waiting": status.erasures_waiting,
        "is_kek_imported": status.is_kek_imported,
        "proves_destruction": status.proves_destruction,
        "kek_versions": [_kek_version(version) for version in status.kek_versions],
        "epochs": [_key(key) for key in status.epochs],
        "index_keys": [_key(key) for key in status.index_keys],
        "authority_keys": [_key(key) for key in status.authority_keys],
    }


def _kek_version(version: "KekVersion") -> Fields:
    return {
        "kek_version": version.version,
        "create_time": iso(version.create_time),
        "destroyable": version.is_destroyable,
        "destroy_time": iso(version.destroy_time),
        "would_lose": list(version.would_lose),
    }


def _key(key: "TenantKey") -> Fields:
    return {
        "version": key.version,
        "state": key.state.name,
        "kek_version": key.kek_version,
        "live": key.live,
        "create_time": iso(key.create_time),
        "end_time": iso(key.end_time),
    }
