"""How often a tenant's keys rotate, and how long copies of old ones live: SetSchedule, and the rotation that is due."""

from collections.abc import Iterable

from vault.administration import Act
from vault.admission import Admitted
from vault.audit.actions import ROTATION_DUE
from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.operations import check_none_live, new_row
from vault.keys.rotate import ROTATE
from vault.kms.tenant_keys import EPOCH, Authority, TenantKeys
from vault.store.key_usage import SKEW_US
from vault.store.reads import Reads, Rows
from vault.store.rows import UNKNOWN_S, KeyScheduleRow, TenantKeyRow
from vault.store.sealing import check, sealed, tenant_of
from vault.store.states import TenantState
from vault.store.writes import Writes
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

ACTION = "SetSchedule"

LONGEST_S = 2 * 315_360_000
"""The longest that both windows together can be, by the contract."""

_US = 1_000_000
_BY_NOBODY = bytes(16)


class SetSchedule:
    """One SetSchedule request; doing it again changes nothing."""

    def __init__(self, request: v1.SetScheduleRequest) -> None:
        self._schedule = request.schedule

    def reads(self, _keys: TenantKeys) -> Reads:
        """The schedule; the tenant alone, lest two make the first one."""
        return Reads(schedule=True, owning=True)

    def decide(self, admitted: Admitted) -> v1.SetScheduleResponse:
        """Set it."""
        admitted.permit(ACTION, "")
        old, authority = admitted.rows.schedule, admitted.keys.authority
        said = _row(admitted.tenant.uid, self._schedule)
        if old is None:
            # Every tenant is made with one, so somebody has removed it, and nobody knows what it said.
            new = said._replace(former_copies_s=LONGEST_S, lower_us=admitted.rows.now_us)
            admitted.writes.inserted.append(sealed(authority, new))
            admitted.draft.details["before"] = "missing"
        else:
            check(authority, old)
            new = _after(old, said, admitted.rows.now_us)
            admitted.writes.replaced.append((old, sealed(authority, new)))
        for name in ("rotate_every_s", "restore_window_s", "snapshot_retention_s"):
            admitted.draft.details[name] = str(getattr(new, name))
        return v1.SetScheduleResponse()


class DueRotation(Act):
    """The act that begins the rotation of a tenant whose schedule asks for one."""

    def __init__(self, caller: Caller) -> None:
        """Make it; the caller names whoever runs operations, and the tenant."""
        super().__init__(caller, ROTATION_DUE, "", {}, self._begin)

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """Schedule, keys and operations of the tenant."""
        return Reads(schedule=True, tenant_keys=True, live_operations=True, owning=True)

    def _begin(self, rows: Rows, keys: TenantKeys) -> Writes:
        tenant, schedule = tenant_of(rows, keys), schedule_of(rows.schedule, keys.authority)
        due_us = next_rotation_us(schedule.rotate_every_s, rows.tenant_keys, rows.now_us)
        if tenant.state != TenantState.ACTIVE:
            raise _not_due(f"it is {tenant.state.lower()}")
        if due_us is None or due_us > rows.now_us:
            raise _not_due("somebody has rotated its keys meanwhile, or changed its schedule")
        check_none_live(rows, ROTATE)
        operation = new_row(keys.authority, tenant.uid, _BY_NOBODY, ROTATE, v1.RotateRequest(), rows.now_us)
        self.details["operation"] = operation.uid.hex()
        return Writes(inserted=[operation])


def next_rotation_us(rotate_every_s: int, keys: Iterable[TenantKeyRow], now_us: int) -> int | None:
    """When the next rotation is due, in microseconds since 1970; None with 0 seconds, which mean: never by itself.

    Ages of keys are under no MAC. One that says it was made in the future would put it off for ever, and so it is due now.
    """
    if not rotate_every_s:
        return None
    newest_us = max(row.create_us for row in keys if row.kind == EPOCH)
    return now_us if newest_us > now_us + SKEW_US else newest_us + rotate_every_s * _US


def schedule_of(row: KeyScheduleRow | None, authority: Authority) -> KeyScheduleRow:
    """A tenant's schedule as it was found, for whoever relies on it.

    Raises:
        VaultError: INTEGRITY, if it is missing or was altered.
    """
    if row is None:
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            "the tenant's schedule is missing, and so how long copies are kept; the operator must investigate, "
            "then a security officer sets it anew with all that is true of it (`pdvault keys schedule`)",
        )
    check(authority, row)
    return row


def kept_s(row: KeyScheduleRow, begin_us: int) -> int:
    """For how many seconds a copy of the database, opened with a copy of the KMS, can still turn up with whoever is erased.

    Saying less counts for erasures that begin after it only: copies from before may be kept as long as was said until then.

    Args:
        row: the tenant's schedule, checked.
        begin_us: when the erasure began.
    """
    return max(_copies_s(row), row.former_copies_s if begin_us <= row.lower_us else 0)


def told(row: KeyScheduleRow | None) -> v1.KeySchedule:
    """The schedule as callers see it, with what is assumed where nobody has said anything."""
    schedule = v1.KeySchedule()
    if row and row.rotate_every_s:
        schedule.rotate_every.FromSeconds(row.rotate_every_s)
    schedule.restore_window.FromSeconds(row.restore_window_s if row else UNKNOWN_S)
    schedule.kms_snapshot_retention.FromSeconds(row.snapshot_retention_s if row else UNKNOWN_S)
    return schedule


def _row(tenant_uid: bytes, schedule: v1.KeySchedule) -> KeyScheduleRow:
    window_s = schedule.restore_window.seconds if schedule.HasField("restore_window") else UNKNOWN_S
    retention_s = schedule.kms_snapshot_retention.seconds if schedule.HasField("kms_snapshot_retention") else UNKNOWN_S
    return KeyScheduleRow(tenant_uid, schedule.rotate_every.seconds, window_s, retention_s)


def _after(old: KeyScheduleRow, said: KeyScheduleRow, now_us: int) -> KeyScheduleRow:
    """What is said now, with what has to be remembered of before."""
    if _copies_s(said) >= _copies_s(old):
        return said._replace(former_copies_s=old.former_copies_s, lower_us=old.lower_us)
    return said._replace(former_copies_s=max(old.former_copies_s, _copies_s(old)), lower_us=now_us)


def _copies_s(row: KeyScheduleRow) -> int:
    return row.restore_window_s + row.snapshot_retention_s


def _not_due(why: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_CONFLICT, f"no rotation of the tenant is to begin: {why}")
