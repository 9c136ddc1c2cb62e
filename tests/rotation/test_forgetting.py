"""The KMS remembers who was erased for as long as a copy could bring them back, and no longer."""

import pytest
from tests.erasure.working import Working, erase, statement_of
from tests.keys.requests import schedule
from tests.rotation.works import begin_destruction, desk, found, rotate, worker
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.keys.schedule import LONGEST_S
from vault.server.key_worker import forgetting
from vault.server.key_worker.remembered import Remembered
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.rows import UNKNOWN_S

_US = 1_000_000


def _erased(at_work: Working) -> bytes:
    """Somebody's erasure, whose receipt's opening is gone as after 24 hours."""
    subject = new_subject()
    at_work.inside.ask(tokenize((subject, "email", new_email())))
    uid: bytes = statement_of(at_work.erase(subject)).erasure_uid
    at_work.lies_back(uid)
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


def _copies(at_work: Working, seconds: int) -> None:
    """Somebody says how long copies are kept from now on."""
    at_work.inside.ask(schedule(restore_window=seconds, kms_snapshot_retention=0), "security")


def _alone(at_work: Working, seconds: int) -> None:
    """As if nobody had ever said anything else of copies."""
    uid = at_work.inside.tenant().uid
    said = {"restore_window_s": seconds, "snapshot_retention_s": 0, "former_copies_s": 0, "lower_us": 0}
    at_work.inside.reseal(t.key_schedule, {"tenant_uid": uid}, **said)


def _past_the_horizon(at_work: Working, seconds: int) -> bytes:
    """Somebody's erasure, whose horizon was reached so many seconds ago."""
    uid = _erased(at_work)
    keep_from = rotate(at_work.inside).kek_version
    _destroy(at_work, keep_from)
    _ages(at_work, uid, seconds)
    return uid


def _is_kept(at_work: Working, uid: bytes) -> bool:
    """Whether the next destruction lets a note be."""
    _destroy(at_work, at_work.inside.node.key_manager.kek(at_work.inside.tenant().uid).latest)
    return uid in _noted(at_work)


def test_a_note_is_kept_for_as_long_as_the_tenant_says_that_its_copies_are(at_work: Working) -> None:
    _alone(at_work, 7200)
    uid = _past_the_horizon(at_work, 7000)
    assert _is_kept(at_work, uid)
    _copies(at_work, 9000)
    _ages(at_work, uid, 1000)
    assert _is_kept(at_work, uid)
    _ages(at_work, uid, 1000)
    assert not _is_kept(at_work, uid)


def _lowered_before(at_work: Working, uid: bytes) -> None:
    """As if less had been said of copies right before an erasure began."""
    begin_us = at_work.inside.row(t.erasure, uid=uid).begin_us
    at_work.inside.reseal(t.key_schedule, {"tenant_uid": at_work.inside.tenant().uid}, lower_us=begin_us - 1)


def _begins_before(at_work: Working, uid: bytes, other: bytes) -> None:
    """As if an erasure had begun longer ago than another."""
    begin_us = at_work.inside.row(t.erasure, uid=other).begin_us
    at_work.inside.reseal(t.erasure, {"uid": uid}, begin_us=begin_us - _US)


def test_who_says_less_of_copies_shortens_no_note_of_before(at_work: Working) -> None:
    _alone(at_work, 7200)
    before = _past_the_horizon(at_work, 7000)
    _copies(at_work, 9000)
    for seconds in (3600, 0):
        _copies(at_work, seconds)
    _ages(at_work, before, 1000)
    assert _is_kept(at_work, before)
    after = _erased(at_work)
    _lowered_before(at_work, after)
    _begins_before(at_work, before, after)
    rotate(at_work.inside)
    assert not _is_kept(at_work, after)
    _ages(at_work, before, 1000)
    assert not _is_kept(at_work, before)


def test_an_older_schedule_put_back_shortens_no_note_either(at_work: Working) -> None:
    _alone(at_work, 7200)
    uid = _past_the_horizon(at_work, 7000)
    _alone(at_work, 0)
    assert _is_kept(at_work, uid)
    _alone(at_work, 7200)


def test_without_a_schedule_nothing_is_promised_nor_forgotten(at_work: Working) -> None:
    _alone(at_work, 7200)
    uid = _past_the_horizon(at_work, 8000)
    keep_from = rotate(at_work.inside).kek_version
    at_work.inside.remove(t.key_schedule, tenant_uid=at_work.inside.tenant().uid)
    subject = new_subject()
    at_work.inside.ask(tokenize((subject, "email", new_email())))
    request = erase(subject)
    refusal = at_work.refused(request)
    assert (refusal.reason_name, "schedule" in refusal.message) == ("INTEGRITY", True)
    name = begin_destruction(at_work.inside, keep_from)
    with worker(at_work.inside) as working:
        working.look()
    assert "schedule" in found(at_work.inside, name).error.message
    assert uid in _noted(at_work)
    with at_work.inside.events() as events:
        _copies(at_work, 0)
    assert [event.details["before"] for event in events] == ["missing"]
    promised = statement_of(at_work.ask(request).receipt)
    assert promised.copies_kept.seconds == LONGEST_S
    assert _is_kept(at_work, uid)
    _alone(at_work, 7200)
    assert not _is_kept(at_work, uid)


def test_no_note_is_forgotten_by_a_time_that_nobody_holds_against_the_nodes_clock(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    _alone(at_work, 7200)
    uid = _past_the_horizon(at_work, 7000)
    monkeypatch.setattr(forgetting, "now_us", lambda connection: now_us(connection) + 3600 * _US)
    with at_work.inside.events() as events:
        assert _is_kept(at_work, uid)
    assert not any(uid.hex() in event.details["erasures"] for event in events if event.action == "NotesForgotten")


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
