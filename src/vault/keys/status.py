"""Status: a tenant's keys, what each still wraps or fingerprints, what is due, and what would be lost by destroying a version.

The call itself is only admitted here: what takes counting is read afterwards, and told by ``tell``.
"""

from collections.abc import Iterator

from vault.admission import Admitted
from vault.keys.acts import in_use
from vault.keys.schedule import next_rotation_us, told
from vault.kms.kek import Kek
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX, TenantKeys
from vault.store.key_usage import KeyUsage
from vault.store.reads import Reads
from vault.store.rows import TenantKeyRow
from vault.store.sealing import check
from vault.store.states import KEYS_IN_USE, KeyState
from vault.v1 import key_service_pb2 as v1

ACTION = "Status"

_US = 1_000_000
_STATES = {
    KeyState.ACTIVE: v1.KEY_STATE_ACTIVE,
    KeyState.OLD: v1.KEY_STATE_OLD,
    KeyState.RETIRED: v1.KEY_STATE_RETIRED,
    KeyState.DESTROYED: v1.KEY_STATE_DESTROYED,
}


class Status:
    """One Status request."""

    def __init__(self, _request: v1.StatusRequest) -> None:
        """Nothing is asked for in particular."""

    def reads(self, _keys: TenantKeys) -> Reads:
        """The schedule."""
        return Reads(schedule=True)

    def decide(self, admitted: Admitted) -> v1.StatusResponse:
        """What stands under a MAC: the tenant's state and its schedule."""
        admitted.permit(ACTION, "")
        if admitted.rows.schedule:
            check(admitted.keys.authority, admitted.rows.schedule)
        return v1.StatusResponse(
            tenant=admitted.tenant.name, tenant_state=admitted.tenant.state, schedule=told(admitted.rows.schedule)
        )


def tell(response: v1.StatusResponse, usage: KeyUsage, kek: Kek) -> None:
    """Add what was counted, and what the KMS says, to a response that has state and schedule."""
    newest_first = sorted(usage.keys, key=lambda row: row.version, reverse=True)
    for into, kind in ((response.epochs, EPOCH), (response.index_keys, INDEX), (response.authority_keys, AUTHORITY)):
        into.extend(_key(row, usage) for row in newest_first if row.kind == kind)
    window_us = response.schedule.restore_window.seconds * _US
    response.kek_versions.extend(_kek_version(version, usage, kek, window_us) for version in sorted(kek.versions, reverse=True))
    response.rekey_due = usage.rekey_due
    response.erasures_waiting = usage.erasures_waiting
    response.kek_imported = kek.imported
    due_us = next_rotation_us(response.schedule.rotate_every.seconds, usage.keys, usage.now_us)
    if due_us is not None:
        response.next_rotation_time.FromMicroseconds(due_us)
        response.overdue = due_us <= usage.now_us


def _key(row: TenantKeyRow, usage: KeyUsage) -> v1.KeyStatus:
    key = v1.KeyStatus(version=row.version, state=_state(row), kek_version=row.kek_version, live=_live(row, usage))
    key.create_time.FromMicroseconds(row.create_us)
    if row.end_us:
        key.end_time.FromMicroseconds(row.end_us)
    return key


def _state(row: TenantKeyRow) -> v1.KeyState:
    return _STATES.get(row.state, v1.KEY_STATE_UNSPECIFIED)


def _live(row: TenantKeyRow, usage: KeyUsage) -> int:
    if row.kind == EPOCH:
        return usage.subject_keys[row.version]
    return usage.items[row.version] + usage.names[row.version] if row.kind == INDEX else 0


def _kek_version(version: int, usage: KeyUsage, kek: Kek, window_us: int) -> v1.KekVersion:
    """One version as it stands. Destroying it destroys all before it too, so it may end only if they may."""
    told = v1.KekVersion(version=version, would_lose=_lost(version, usage, window_us))
    if kek.versions[version]:
        told.create_time.FromMicroseconds(kek.versions[version])
    ended = [row for row in usage.keys if row.kek_version <= version and row.state == KeyState.RETIRED]
    told.destroyable = bool(ended) and version < kek.latest and not in_use(usage.keys, version + 1)
    if told.destroyable:
        told.destroy_time.FromMicroseconds(max(row.end_us for row in ended) + window_us)
    return told


def _lost(version: int, usage: KeyUsage, window_us: int) -> Iterator[str]:
    own = [row for row in usage.keys if row.kek_version == version]
    for row in own:
        if row.state in KEYS_IN_USE:
            yield f"{row.kind} key {row.version} ({row.state.lower()}){_what(row, usage)}"
    ends_us = [row.end_us for row in own if row.state == KeyState.RETIRED]
    if ends_us and max(ends_us) + window_us > usage.now_us:
        yield "what backups made before its last key was retired hold, which the restore window says may still be needed"


def _what(row: TenantKeyRow, usage: KeyUsage) -> str:
    if row.kind == EPOCH:
        return f": {_count(usage.subject_keys[row.version], 'subject key')}, and all values under them"
    if row.kind == INDEX:
        items, names = usage.items[row.version], usage.names[row.version]
        return f": fingerprints of {_count(items, 'item')}, look-ups of {_count(names, 'name')} of subjects"
    return ": the proof of every row that says who may do what"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
