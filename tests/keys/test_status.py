"""Status tells what each key is for, what hangs on it, and what would be lost with it: as the tables and the KMS have it."""

from collections import Counter

import pytest
from tests.keys.requests import DAY_S, schedule, status
from tests.rotation.works import Stored, begin_rotation, rotate, worker
from tests.use_cases.inside import Inside

from vault.keys.status import tell
from vault.kms.kek import Kek
from vault.store import tables as t
from vault.store.key_usage import KeyUsage, usage
from vault.store.rows import TenantKeyRow
from vault.v1 import key_service_pb2 as v1

US = 1_000_000
NOW_US = 1_800_000_000 * US


def _status(inside: Inside, tenant: str = "acme") -> v1.StatusResponse:
    """As a server tells it."""
    response, uid = inside.ask(status(), "security", tenant), inside.tenant(tenant).uid
    tell(response, usage(inside.engine, uid, 5.0), inside.node.key_manager.kek(uid))
    return response


def _told(*keys: TenantKeyRow, window_s: int = 0, rotate_every_s: int = 0) -> v1.StatusResponse:
    """What is told of keys of which each wraps or fingerprints ten times its version."""
    response = v1.StatusResponse()
    response.schedule.restore_window.FromSeconds(window_s)
    if rotate_every_s:
        response.schedule.rotate_every.FromSeconds(rotate_every_s)
    tens = Counter({version: 10 * version for version in range(1, 10)})
    latest = max(row.kek_version for row in keys)
    made = {version: NOW_US - (10 - version) * DAY_S * US for version in range(1, latest + 1)}
    tell(response, KeyUsage(NOW_US, list(keys), tens, tens, tens, 3, 2), Kek(latest, 1, made, imported=False, may_rotate=True))
    return response


def _key(kind: str, version: int, kek_version: int, state: str, end_us: int = 0) -> TenantKeyRow:
    blob = b"" if state in ("RETIRED", "DESTROYED") else b"vault:v%d:" % kek_version
    return TenantKeyRow(bytes(16), kind, version, kek_version, blob, NOW_US - (10 - version) * DAY_S * US, state, end_us)


def test_a_new_tenant_has_one_key_of_each_kind_and_nothing_is_due(open_vault: Inside) -> None:
    told = _status(open_vault, "globex")
    assert told.tenant_state == "ACTIVE"
    assert [key.version for key in (*told.epochs, *told.index_keys, *told.authority_keys)] == [1, 1, 1]
    assert {key.state for key in (*told.epochs, *told.index_keys)} == {v1.KEY_STATE_ACTIVE}
    (kek,) = told.kek_versions
    assert (kek.version, kek.destroyable, kek.HasField("destroy_time")) == (1, False, False)
    assert kek.create_time.seconds > 0
    assert len(kek.would_lose) == 3
    assert not told.HasField("next_rotation_time")
    assert not told.overdue


def test_what_hangs_on_each_key_is_counted(open_vault: Inside) -> None:
    before = _status(open_vault)
    stored = Stored(open_vault, people=4)
    after = _status(open_vault)
    assert after.epochs[0].live - before.epochs[0].live == len(stored.names)
    items = open_vault.rows(t.item, tenant_uid=open_vault.tenant().uid)
    subjects = open_vault.rows(t.subject, tenant_uid=open_vault.tenant().uid)
    assert after.index_keys[0].live == len(items) + len(subjects)
    assert after.rekey_due - before.rekey_due == len(stored.names)  # each has had a phone, which was deleted


def test_while_keys_rotate_old_ones_are_told_with_what_still_hangs_on_them(open_vault: Inside) -> None:
    Stored(open_vault, people=3)
    begin_rotation(open_vault)
    uid = open_vault.tenant().uid
    with worker(open_vault) as working:
        (row,) = (row for row in open_vault.rows(t.operation, tenant_uid=uid) if row.live_kind)
        work = _work_until_rekey(working, row)
        told = _status(open_vault)
        assert [key.state for key in told.epochs[:2]] == [v1.KEY_STATE_ACTIVE, v1.KEY_STATE_OLD]
        assert told.epochs[0].live == 0 < told.epochs[1].live
        assert not told.kek_versions[1].destroyable
        assert "(old)" in " ".join(told.kek_versions[1].would_lose)
        while work.step():
            pass
    told = _status(open_vault)
    assert [key.state for key in told.epochs[:2]] == [v1.KEY_STATE_ACTIVE, v1.KEY_STATE_RETIRED]
    assert told.epochs[1].live == 0 < told.epochs[0].live
    assert told.kek_versions[1].destroyable
    open_vault.edit(t.operation, {"uid": row.uid}, state="DONE", live_kind=None)


def _work_until_rekey(working, row):
    from vault.server.key_worker.held_operation import HeldOperation
    from vault.server.key_worker.rotation import REKEY, Rotation
    from vault.store.rotation.progress import take

    assert take(working._desk.engine, row, working._desk.name)
    work = Rotation(HeldOperation(working._desk, row), 500)
    while work.held.place.phase != REKEY:
        work.step()
    return work


def test_what_the_kms_says_of_versions_is_told_newest_first(open_vault: Inside) -> None:
    rotate(open_vault)
    kek, told = open_vault.node.key_manager.kek(open_vault.tenant().uid), _status(open_vault)
    assert [version.version for version in told.kek_versions] == sorted(kek.versions, reverse=True)
    assert told.epochs[0].kek_version == told.authority_keys[0].kek_version == kek.latest


def test_a_version_may_end_once_nothing_hangs_on_it_and_on_none_before_it() -> None:
    newest = [_key(kind, 3, 3, "ACTIVE") for kind in ("epoch", "index", "authority")]
    retired = [_key(kind, version, version, "RETIRED", NOW_US) for kind in ("epoch", "index") for version in (1, 2)]
    assert [one.destroyable for one in _told(*newest, *retired).kek_versions] == [False, True, True]
    old = [*retired[1:], _key("epoch", 1, 1, "OLD")]
    assert [one.destroyable for one in _told(*newest, *old).kek_versions] == [False, False, False]
    gone = [row._replace(state="DESTROYED") if row.version == 1 else row for row in retired]
    assert [one.destroyable for one in _told(*newest, *gone).kek_versions] == [False, True, False]


def test_a_version_may_end_without_loss_once_no_backup_needs_it() -> None:
    ended = (NOW_US - 2 * DAY_S * US, NOW_US - DAY_S * US)
    keys = [
        _key("epoch", 2, 2, "ACTIVE"),
        *(_key(kind, 1, 1, "RETIRED", at) for kind, at in zip(("epoch", "index"), ended, strict=True)),
    ]
    early, late = (_told(*keys, window_s=days * DAY_S).kek_versions[1] for days in (3, 1))
    assert early.destroy_time.ToMicroseconds() == ended[1] + 3 * DAY_S * US
    assert late.destroy_time.ToMicroseconds() == NOW_US
    assert "backups" in early.would_lose[0]
    assert not late.would_lose


def test_what_would_be_lost_says_how_much() -> None:
    keys = [_key("epoch", 1, 1, "OLD"), _key("index", 2, 1, "OLD"), _key("authority", 1, 1, "ACTIVE")]
    assert list(_told(*keys).kek_versions[0].would_lose) == [
        "epoch key 1 (old): 10 subject keys, and all values under them",
        "index key 2 (old): fingerprints of 20 items, look-ups of 20 names of subjects",
        "authority key 1 (active): the proof of every row that says who may do what",
    ]


@pytest.mark.parametrize(("days", "is_overdue"), [(9, True), (10, False)])
def test_the_next_rotation_is_due_when_the_newest_epoch_is_as_old_as_the_schedule_says(days: int, is_overdue: bool) -> None:
    told = _told(_key("epoch", 1, 1, "ACTIVE"), rotate_every_s=days * DAY_S)
    assert told.next_rotation_time.ToMicroseconds() == NOW_US + (days - 9) * DAY_S * US
    assert told.overdue is is_overdue


def test_what_is_due_is_told_by_the_tenants_own_schedule(open_vault: Inside) -> None:
    open_vault.ask(schedule(rotate_every=90 * DAY_S), "security")
    told = _status(open_vault)
    assert told.next_rotation_time.seconds == told.epochs[0].create_time.seconds + 90 * DAY_S
    assert not told.overdue
    open_vault.ask(schedule(), "security")


def test_other_roles_are_told_nothing(open_vault: Inside) -> None:
    for who in ("admin", "privacy", "auditor", "all"):
        assert open_vault.refused(status(), who) == "POLICY_DENIED"
