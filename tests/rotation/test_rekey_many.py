"""Many subjects at once: each transaction is small however much they have, each subject begins once, and nobody holds up others."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from tests.harness import context
from tests.rotation.works import (
    ask_rekey,
    attested,
    begin_rotation,
    desk,
    found,
    rekeyed_by_another,
    rekeying_steps,
    rotate,
    worker,
)
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.server.key_worker.desk import by_lane
from vault.server.key_worker.rekey_place import RekeyPlace, UnderWay
from vault.store import runner
from vault.store import tables as t
from vault.store.faults import SlowTransactionError
from vault.store.reading import whole_subjects
from vault.store.reads import FIELD, STORE
from vault.store.rotation import progress, to_rekey
from vault.store.rotation.progress import NotOursError
from vault.store.rows import ItemRow, SubjectRow
from vault.store.writes import Writes
from vault.v1 import common_pb2, field_service_pb2
from vault.v1 import key_service_pb2 as v1

PEOPLE, ITEMS = 4, 3


class Many:
    """Some subjects with some items and a field key each."""

    def __init__(self, inside: Inside, people: int = PEOPLE) -> None:
        self.inside = inside
        self.emails = {new_subject(): [new_email() for _ in range(ITEMS)] for _ in range(people)}
        self.tokens = {
            name: tokens_of(inside.ask(tokenize(*((name, "email", email) for email in emails))))
            for name, emails in self.emails.items()
        }
        request = field_service_pb2.EncryptRequest(context=context())
        for name in self.emails:
            request.items.add(subject_id=name, data_class="email").value.text = new_email()
        inside.ask(request)
        self.uids = sorted(inside.row(t.token, text=tokens[0]).subject_uid for tokens in self.tokens.values())

    def check(self) -> None:
        """Everything is readable."""
        for name, tokens in self.tokens.items():
            results = self.inside.ask(reveal(*tokens)).results
            assert [result.value.text for result in results] == self.emails[name]

    def keys(self, kind: str) -> list[int]:
        """How many keys of a kind each has."""
        counted = Counter(row.subject_uid for row in self.inside.rows(t.subject_key, kind=kind))
        return [counted[uid] for uid in self.uids]

    def versions(self) -> list[int]:
        """The version of each one's newest store key."""
        rows = {row.uid: row.store_key_version for row in self.inside.rows(t.subject)}
        return [rows[uid] for uid in self.uids]


@pytest.fixture
def many(open_vault: Inside) -> Many:
    """Some subjects, besides whom nobody is there, nor anything that another test has begun."""
    with open_vault.engine.begin() as connection:
        for table in (
            t.token,
            t.item,
            t.subject_alias,
            t.subject_key,
            t.subject,
            t.idempotency,
            t.idempotency_subject,
            t.operation,
        ):
            connection.execute(table.delete().where(table.c.tenant_uid == open_vault.tenant().uid))
    return Many(open_vault)


def _slow(monkeypatch: pytest.MonkeyPatch, is_slow: Callable[[Writes], bool]) -> None:
    """Let transactions take too long in which this is written."""
    real = runner.apply

    def apply(connection: Any, writes: Writes) -> None:
        if is_slow(writes):
            raise SlowTransactionError
        real(connection, writes)

    monkeypatch.setattr(runner, "apply", apply)


def test_a_transaction_moves_no_more_items_than_a_step_has_and_each_is_past_when_it_is_done(many: Many) -> None:
    name = ask_rekey(many.inside)
    before, left = 0, []
    with desk(many.inside) as one:
        for work in rekeying_steps(many.inside, one, batch=2 * (ITEMS + 1)):
            moved = sum(row.store_key_version == 2 for row in many.inside.rows(t.item))
            assert moved - before <= 2 * ITEMS
            before = moved
            place = RekeyPlace.of(many.inside.row(t.operation, live_kind="Rekey").cursor)
            assert {each.uid for each in place.under_way} == {
                uid for uid, version in zip(many.uids, many.versions(), strict=True) if version == 1 and uid <= place.after
            }
            left.append(len(place.under_way))
            assert work.held.place.done + len(place.under_way) <= len(many.uids)
    assert left[-1] == 0
    assert rekeyed_by_another(many.inside, name).done["subjects_rekeyed"] == len(many.uids)
    assert set(many.versions()) == {2}
    many.check()


def test_where_large_values_are_a_transaction_has_fewer_of_them(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_rekey, "ITEM_BYTES", 1)
    name, moved = ask_rekey(many.inside), []
    with desk(many.inside) as one:
        for _ in rekeying_steps(many.inside, one, batch=40):
            moved.append(sum(version == 2 for version in many.versions()))
    assert moved == list(range(1, len(many.uids) + 1))
    rekeyed_by_another(many.inside, name)


def test_whoever_runs_calls_is_told_what_each_weighs(many: Many) -> None:
    name, weights = ask_rekey(many.inside), list[int]()

    def submit(call: Any, weight: int) -> Future[Any]:
        weights.append(weight)
        return pool.submit(lambda: many.inside.answers([call])[0])

    with ThreadPoolExecutor(1) as pool, desk(many.inside) as one:
        one.run = by_lane(submit)
        for _ in rekeying_steps(many.inside, one, batch=500):
            pass
    assert weights == [ITEMS] * len(many.uids)
    rekeyed_by_another(many.inside, name)


@pytest.mark.parametrize("is_noted", [True, False], ids=["between two steps", "before a step is noted"])
def test_however_often_it_is_cut_off_each_subject_begins_once(
    many: Many, monkeypatch: pytest.MonkeyPatch, *, is_noted: bool
) -> None:
    monkeypatch.setattr(whole_subjects, "MAX_ITEMS", 2)
    name, real = ask_rekey(many.inside), progress.advance
    notes: list[Any] = []

    def cut_off(*arguments: Any) -> None:
        notes.append(arguments)
        if len(notes) % 2 == 0:  # whom is told before, what was done is not
            raise NotOursError
        real(*arguments)

    is_over = False
    with desk(many.inside) as one:
        for _ in range(10 * len(many.uids)):
            going = rekeying_steps(many.inside, one, batch=8)
            with monkeypatch.context() as patch:
                if not is_noted:
                    patch.setattr(progress, "advance", cut_off)
                try:
                    is_over = next(going, None) is None
                except NotOursError:
                    continue
            if is_over:
                break
    assert is_over
    attestation = rekeyed_by_another(many.inside, name)
    assert set(many.versions()) == {2}
    assert set(many.keys(FIELD)) == {2}
    assert set(many.keys(STORE)) == {1}
    assert attestation.done["subjects_rekeyed"] == len(many.uids)
    many.check()


def test_a_place_that_cannot_be_read_is_the_beginning() -> None:
    said = v1.Attestation(done={"subjects_rekeyed": 3})
    place = RekeyPlace(b"b" * 16, (UnderWay(b"a" * 16, 7), UnderWay(b"b" * 16, 1)), said)
    assert RekeyPlace.of(place.cursor) == place
    for length in range(16 + 2 + 2 * 24):
        assert RekeyPlace.of(place.cursor[:length]) == RekeyPlace(b"", (), v1.Attestation())


def test_one_that_takes_too_long_alone_is_left_out_and_named_and_the_others_go_on(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = many.uids[1]
    _slow(monkeypatch, lambda writes: any(isinstance(old, SubjectRow) and old.uid == slow for old, _ in writes.replaced))
    name = ask_rekey(many.inside)
    with many.inside.events() as events:
        attestation = rekeyed_by_another(many.inside, name)
    assert attestation.left["subjects_late"] == 1
    assert list(attestation.late_subjects) == [slow]
    assert attestation.done["subjects_rekeyed"] == len(many.uids) - 1
    assert many.versions() == [2, 1, 2, 2]
    refused = [event for event in events if event.action == "Rekeyed" and event.reason]
    assert {(event.reason, event.touched[0].subject_uids) for event in refused} == {
        (common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, slow)
    }
    many.check()


def test_one_that_takes_too_long_is_tried_with_fewer_items(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = many.uids[1]
    _slow(
        monkeypatch,
        lambda writes: sum(isinstance(old, ItemRow) and old.subject_uid == slow for old, _ in writes.replaced) > 1,
    )
    monkeypatch.setattr(whole_subjects, "MAX_ITEMS", 10)
    attestation = rekeyed_by_another(many.inside, ask_rekey(many.inside))
    assert not attestation.late_subjects
    assert attestation.done["subjects_rekeyed"] == len(many.uids)
    assert set(many.versions()) == {2}
    many.check()


def test_the_only_one_that_is_asked_for_and_takes_too_long_ends_the_operation_and_is_named(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject_id, tokens = next(iter(many.tokens.items()))
    uid = many.inside.row(t.token, text=tokens[0]).subject_uid
    _slow(monkeypatch, lambda writes: any(isinstance(old, SubjectRow) for old, _ in writes.replaced))
    name = ask_rekey(many.inside, subject_id)
    with worker(many.inside) as working:
        working.look()
    error = found(many.inside, name).error
    assert "WRONG_STATE" in str(error)
    assert uid.hex() in error.message


def test_a_rotation_with_one_that_takes_too_long_ends_naming_it_and_the_next_one_takes_it_up(many: Many) -> None:
    name, tokens = next(iter(many.tokens.items()))
    uid = many.inside.row(t.token, text=tokens[0]).subject_uid
    many.inside.ask(delete(tokens.pop()))
    many.emails[name].pop()
    with pytest.MonkeyPatch.context() as patch:
        _slow(
            patch,
            lambda writes: any(
                isinstance(old, SubjectRow) and old.uid == uid and old.rekey_due and not new.rekey_due
                for old, new in writes.replaced
            ),
        )
        operation = begin_rotation(many.inside).name
        with worker(many.inside) as working:
            working.look()
    error = found(many.inside, operation).error
    assert "WRONG_STATE" in str(error)
    assert uid.hex() in error.message
    rotate(many.inside)
    assert not many.inside.row(t.subject, uid=uid).rekey_due
    many.check()


def test_rows_that_were_put_back_from_before_hold_up_no_rotation_and_are_named(many: Many) -> None:
    uid = many.inside.row(t.token, text=next(iter(many.tokens.values()))[0]).subject_uid
    subject, key = many.inside.row(t.subject, uid=uid), many.inside.row(t.subject_key, subject_uid=uid, kind=STORE)
    many.inside.reseal(t.subject, {"uid": uid}, rekey_due=True)
    before = many.inside.row(t.subject, uid=uid)
    rekeyed_by_another(many.inside, ask_rekey(many.inside))
    after = many.inside.row(t.subject, uid=uid)
    many.inside.edit(t.subject, {"uid": uid}, **before._asdict())
    with many.inside.engine.begin() as connection:
        connection.execute(t.subject_key.insert(), [key._asdict()])
    operation = begin_rotation(many.inside).name
    with worker(many.inside) as working:
        working.look()
    error = found(many.inside, operation).error
    assert "INTEGRITY" in str(error)
    assert uid.hex() in error.message
    assert subject.store_key_version == 1
    many.inside.edit(t.subject, {"uid": uid}, **after._asdict())
    rotate(many.inside)
    many.check()


def test_a_throttle_counts_items_and_who_is_steered_meanwhile_is_heard_within_a_second(
    many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, waited = 2, list[float]()
    name = ask_rekey(many.inside, rate=rate)
    with worker(many.inside) as one:
        monkeypatch.setattr(one._ending, "wait", lambda seconds: waited.append(seconds))
        one.look()
    items = len(many.uids) * ITEMS
    assert attested(many.inside, name).done["subjects_rekeyed"] == len(many.uids)
    assert max(waited) <= 1.0
    assert (items + len(many.uids)) / rate - sum(waited) < 60.0  # the work itself takes some of it

    def pause(_seconds: float) -> None:
        waited.append(0.0)
        many.inside.ask(v1.PauseOperationRequest(context=context("incident"), name=again), "security")

    again, waited[:] = ask_rekey(many.inside, rate=1), []
    with worker(many.inside) as one:
        monkeypatch.setattr(one._ending, "wait", pause)
        one.look()
    assert len(waited) == 1
    many.inside.ask(v1.CancelOperationRequest(context=context("incident"), name=again), "security")
