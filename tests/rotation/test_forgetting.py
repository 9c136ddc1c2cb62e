"""The KMS remembers who was erased for as long as a copy could bring them back, and no longer."""

import pytest
from tests.erasure.working import Working, statement_of
from tests.harness import context
from tests.rotation.works import begin_destruction, desk, found, rotate, worker
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.server.key_worker.remembered import Remembered
from vault.store import tables as t
from vault.store.rows import UNKNOWN_S
from vault.v1 import key_service_pb2 as v1

_US = 1_000_000


def _erased(at_work: Working) -> bytes:
    """Somebody's erasure, whose receipt's opening is gone as after 24 hours."""
    subject = new_subject()
    at_work.inside.ask(tokenize((subject, "email", new_email())))
    uid: bytes = statement_of(at_work.erase(subject)).erasure_uid
    at_work.inside.edit(t.erasure, {"uid": uid}, opening=None, request_id=None, principal_uid=None)
    return uid


def _destroy(at_work: Working, keep_from: int) -> None:
    name = begin_destruction(at_work.inside, keep_from)
    with worker(at_work.inside) as working:
        working.look()
    assert found(at_work.inside, name).response.value, found(at_work.inside, name)


def _noted(at_work: Working) -> frozenset[bytes]:
    return at_work.inside.node.key_manager.noted(at_work.inside.tenant().uid)


def _ages(at_work: Working, uid: bytes, seconds: int) -> None:
    """As if an erasure's horizon had been reached so much earlier."""
    at_work.inside.reseal(t.erasure, {"uid": uid}, horizon_us=at_work.inside.row(t.erasure, uid=uid).horizon_us - seconds * _US)


def test_a_note_is_forgotten_once_no_copy_is_kept_that_long_and_the_log_names_it_before(at_work: Working) -> None:
    old, young, altered = (_erased(at_work) for _ in range(3))
    keep_from = rotate(at_work.inside).kek_version
    waiting = _erased(at_work)
    _destroy(at_work, keep_from)
    assert {old, young, altered, waiting} <= _noted(at_work)
    _ages(at_work, old, 2 * UNKNOWN_S)
    _ages(at_work, young, 2 * UNKNOWN_S - 3600)
    at_work.inside.edit(t.erasure, {"uid": altered}, horizon_us=1)
    with at_work.inside.events() as events:
        _destroy(at_work, keep_from)
    assert {old, young, altered, waiting} & _noted(at_work) == {young, altered, waiting}
    (said,) = (event.details["erasures"] for event in events if event.action == "NotesForgotten")
    assert old.hex() in said
    assert not any(uid.hex() in said for uid in (young, altered, waiting))
    at_work.integrate()
    seen = at_work.verify(old)
    assert (seen.clean, seen.anchored, seen.horizon_reached) == (True, False, True)


def test_a_note_is_kept_for_as_long_as_the_tenant_says_that_its_copies_are(at_work: Working) -> None:
    uid = _erased(at_work)
    keep_from = rotate(at_work.inside).kek_version
    _destroy(at_work, keep_from)
    _ages(at_work, uid, 100)
    for copies_s, is_kept in ((200, True), (99, False)):
        schedule = v1.KeySchedule()
        schedule.restore_window.FromSeconds(copies_s)
        schedule.kms_snapshot_retention.FromSeconds(0)
        at_work.inside.ask(v1.SetScheduleRequest(context=context("policy"), schedule=schedule), "security")
        _destroy(at_work, keep_from)
        assert (uid in _noted(at_work)) == is_kept
    at_work.inside.remove(t.key_schedule, tenant_uid=at_work.inside.tenant().uid)


def test_a_note_is_read_once_an_operation_and_none_is_overlooked(at_work: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _erased(at_work), _erased(at_work)
    tenant_uid = at_work.inside.tenant().uid
    read: list[bytes] = []
    with desk(at_work.inside) as one:
        read_one = one.manager.destroyed_by

        def reading(tenant_uid: bytes, erasure_uid: bytes) -> str | None:
            read.append(erasure_uid)
            return read_one(tenant_uid, erasure_uid)

        monkeypatch.setattr(one.manager, "destroyed_by", reading)
        remembered = Remembered(one.manager, tenant_uid)
        assert {first, second} <= remembered.notes().keys() == set(read)
        read.clear()
        third = _erased(at_work)
        one.administrator.forget_destroyed(tenant_uid, [first])
        assert remembered.notes() == one.manager.destroyed(tenant_uid)
        assert read == [third]
        remembered.notes()
        assert read == [third]
