"""A schedule says when keys are due; the worker begins what is due, once, and nobody else's."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.keys.requests import DAY_S, schedule, seal, status, unsealed
from tests.rotation.works import begin_rotation, worker
from tests.use_cases.inside import Inside

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.schedule import DueRotation, next_rotation_us
from vault.server.key_worker.held_operation import HeldOperation
from vault.store import tables as t
from vault.store.key_usage import overdue, rotations_to_begin
from vault.store.rows import UNKNOWN_S, TenantKeyRow
from vault.v1 import audit_pb2


@pytest.fixture
def due(open_vault: Inside) -> Iterator[Inside]:
    """A vault of which a tenant's keys are due since an hour, for the time of a test."""
    open_vault.ask(schedule(rotate_every=30 * DAY_S), "security")
    aged = open_vault.rows(t.tenant_key, tenant_uid=open_vault.tenant().uid, kind="epoch")
    for row in aged:
        open_vault.edit(t.tenant_key, _one(row), create_us=row.create_us - (30 * DAY_S + 3600) * 1_000_000)
    _forget_operations(open_vault)
    yield open_vault
    for row in aged:
        open_vault.edit(t.tenant_key, _one(row), create_us=row.create_us)
    _forget_operations(open_vault)
    open_vault.ask(schedule(), "security")


def _one(row: TenantKeyRow) -> dict[str, Any]:
    return {"tenant_uid": row.tenant_uid, "kind": row.kind, "version": row.version}


def _forget_operations(inside: Inside) -> None:
    """Let what was done before have been done long ago."""
    with inside.engine.begin() as connection:
        connection.execute(t.operation.update().values(update_us=0))


def _operations(inside: Inside, tenant: str = "acme") -> list[str]:
    return [row.kind for row in inside.rows(t.operation, tenant_uid=inside.tenant(tenant).uid)]


def test_without_a_schedule_nothing_is_due_and_copies_live_for_thirty_days(open_vault: Inside) -> None:
    told = open_vault.ask(status(), "security", "globex").schedule
    assert not told.HasField("rotate_every")
    assert told.restore_window.seconds == told.kms_snapshot_retention.seconds == UNKNOWN_S == 30 * DAY_S
    assert open_vault.tenant("globex").uid not in overdue(open_vault.engine)


def test_a_schedule_is_told_as_it_was_set_and_replaces_the_one_before(open_vault: Inside) -> None:
    for days in (90, 7):
        open_vault.ask(schedule(rotate_every=days * DAY_S, restore_window=0, kms_snapshot_retention=5), "security")
        told = open_vault.ask(status(), "security").schedule
        assert told.rotate_every.ToTimedelta() == timedelta(days=days)
        assert (told.restore_window.seconds, told.kms_snapshot_retention.seconds) == (0, 5)
    assert len(open_vault.rows(t.key_schedule, tenant_uid=open_vault.tenant().uid)) == 1


def test_what_a_schedule_is_set_to_is_in_the_log(open_vault: Inside) -> None:
    with open_vault.events() as events:
        open_vault.ask(schedule(rotate_every=DAY_S), "security")
    (event,) = events
    assert event.action == "SetSchedule"
    assert event.details == {
        "rotate_every_s": str(DAY_S),
        "restore_window_s": str(UNKNOWN_S),
        "snapshot_retention_s": str(UNKNOWN_S),
    }


@pytest.mark.parametrize("seconds", [1, DAY_S - 1, 10 * 366 * DAY_S, -DAY_S])
def test_rotations_more_often_than_daily_or_hardly_ever_are_no_schedule(open_vault: Inside, seconds: int) -> None:
    assert open_vault.refused(schedule(rotate_every=seconds), "security") == "INVALID_FIELD"


@pytest.mark.parametrize("who", ["admin", "privacy", "auditor", "all"])
def test_other_roles_set_none(open_vault: Inside, who: str) -> None:
    assert open_vault.refused(schedule(rotate_every=DAY_S), who) == "POLICY_DENIED"


def test_what_is_due_is_begun_once_and_done(due: Inside) -> None:
    assert overdue(due.engine) == rotations_to_begin(due.engine) == [due.tenant().uid]
    before, epoch = _operations(due), due.row(t.tenant, uid=due.tenant().uid).epoch
    with worker(due) as working:
        with due.events() as events:
            assert working.begin_due() == 1
        assert working.begin_due() == 0
        (event,) = events
        assert (event.action, event.decision) == ("RotationDue", audit_pb2.DECISION_ALLOWED)
        assert bytes.fromhex(event.details["operation"]) in {row.uid for row in due.rows(t.operation)}
        assert _operations(due) == [*before, "Rotate"]
        working.look()
    assert due.row(t.tenant, uid=due.tenant().uid).epoch == epoch + 1
    assert overdue(due.engine) == []


def test_a_rotation_under_way_is_not_begun_again(due: Inside) -> None:
    begin_rotation(due)
    assert rotations_to_begin(due.engine) == []
    with worker(due) as working:
        with pytest.raises(VaultError, match="is waiting"):
            working._desk.act(DueRotation(Caller(due.tenant().uid, "key-worker:test")))
        working.look()


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED"])
def test_a_rotation_that_was_cancelled_or_failed_is_not_begun_again_for_a_day(due: Inside, state: str) -> None:
    with worker(due) as working:
        assert working.begin_due() == 1
        due.edit(t.operation, {"state": "WAITING"}, state=state, live_kind=None)
        assert rotations_to_begin(due.engine) == []
        assert overdue(due.engine) == [due.tenant().uid]
        _forget_operations(due)
        assert rotations_to_begin(due.engine) == [due.tenant().uid]


def test_a_sealed_tenants_keys_are_overdue_and_stay_as_they_are(due: Inside) -> None:
    begin_rotation(due)
    due.ask(seal(), "security")
    assert overdue(due.engine) == [due.tenant().uid]
    assert rotations_to_begin(due.engine) == []
    epoch = due.row(t.tenant, uid=due.tenant().uid).epoch
    with worker(due) as working:
        assert working.begin_due() == working.look() == 0
        unsealed(due)
        assert due.row(t.tenant, uid=due.tenant().uid).epoch == epoch
        assert working.look() == 1
    assert due.row(t.tenant, uid=due.tenant().uid).epoch == epoch + 1


def test_a_rotation_that_is_running_when_its_tenant_is_sealed_goes_on_afterwards(open_vault: Inside) -> None:
    name = begin_rotation(open_vault).name
    row = open_vault.row(t.operation, uid=bytes.fromhex(name.removeprefix("operations/")))
    open_vault.ask(seal(), "security")
    with worker(open_vault) as working:
        open_vault.edit(t.operation, {"uid": row.uid}, state="RUNNING", holder=working._desk.name, until_us=2**52)
        working._run(HeldOperation(working._desk, row))
        assert open_vault.row(t.operation, uid=row.uid).state == "RUNNING"
        unsealed(open_vault)
        open_vault.edit(t.operation, {"uid": row.uid}, until_us=0)
        assert working.look() == 1
    assert open_vault.row(t.operation, uid=row.uid).state == "DONE"


def test_a_schedule_that_was_edited_begins_nothing(due: Inside) -> None:
    where = {"tenant_uid": due.tenant().uid}
    old = due.row(t.key_schedule, **where)
    due.edit(t.key_schedule, where, rotate_every_s=DAY_S)
    before = _operations(due)
    with worker(due) as working:
        assert working.begin_due() == 0
    assert _operations(due) == before
    assert due.refused(status(), "security") == "INTEGRITY"
    assert due.refused(schedule(), "security") == "INTEGRITY"
    due.edit(t.key_schedule, where, **old._asdict())


def test_what_is_not_due_is_not_begun_whoever_says_so(open_vault: Inside) -> None:
    open_vault.ask(schedule(rotate_every=DAY_S), "security")
    with worker(open_vault) as working, pytest.raises(VaultError, match="meanwhile"):
        working._desk.act(DueRotation(Caller(open_vault.tenant().uid, "key-worker:test")))
    with worker(open_vault) as working, pytest.raises(VaultError, match="meanwhile"):
        working._desk.act(DueRotation(Caller(open_vault.tenant("globex").uid, "key-worker:test")))


def test_a_key_that_says_it_was_made_in_the_future_puts_no_rotation_off(due: Inside) -> None:
    where = {"tenant_uid": due.tenant().uid, "kind": "epoch", "state": "ACTIVE"}
    old = due.row(t.tenant_key, **where).create_us
    for create_us, is_due in ((old + 3650 * DAY_S * 1_000_000, True), (old + 30 * DAY_S * 1_000_000, False)):
        due.edit(t.tenant_key, where, create_us=create_us)
        assert (due.tenant().uid in overdue(due.engine)) == is_due
        keys, now_us = due.rows(t.tenant_key, tenant_uid=due.tenant().uid), old + 30 * DAY_S * 1_000_000
        assert ((next_rotation_us(30 * DAY_S, keys, now_us) or 0) <= now_us) == is_due
    due.edit(t.tenant_key, where, create_us=old)


def test_an_operation_that_says_it_was_tried_in_the_future_puts_no_rotation_off(due: Inside) -> None:
    begin_rotation(due)
    due.edit(t.operation, {"kind": "Rotate"}, state="CANCELLED", live_kind=None, update_us=2**60)
    assert due.tenant().uid in rotations_to_begin(due.engine)
