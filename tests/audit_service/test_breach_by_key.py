"""A report by key says when the key was in use, what was touched meanwhile, and whose data lay under it: all by the log itself."""

from typing import Any

import pytest
from tests.audit_service.desk import Desk
from tests.audit_service.synthetic import BEGIN_US, HOUR_US
from tests.audit_service.test_breach import EVER, Report, report, request
from tests.rotation.works import begin_destruction, rotate, worker
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize, tokens_of

from vault.audit.events import Caller, Draft
from vault.auditing import key_life
from vault.v1 import audit_pb2, common_pb2
from vault.v1.audit_service_pb2 import (
    KEY_KIND_EPOCH,
    KEY_KIND_INDEX,
    KEY_KIND_KEK,
    USE_EXPOSED,
    USE_REVEALED,
    USE_SEARCHED,
    USE_WRITTEN,
    NamedKey,
)

ANNA, BO, CEM, DORA = (bytes([number]) * 16 for number in (0xA1, 0xB0, 0xCE, 0xD0))
"""Stored before the key was made and only that; read under it; new under it; stored after it."""


def key(kind: int, number: int) -> NamedKey:
    return NamedKey(kind=kind, number=number)  # type: ignore[arg-type]  # integers for enums


class Story:
    """A log that is told event by event, an hour apart."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.tenant = desk, desk.new_tenant()
        self._uid = desk.tenant(self.tenant).uid
        self._hours = 0

    def tell(self, action: str, *subject_uids: bytes, decision: int = audit_pb2.DECISION_ALLOWED, **details: Any) -> None:
        """Add an event, in which a call touched these subjects."""
        made = Draft(Caller(self._uid, "spiffe://pdvault/acme/app"), action, common_pb2.CallContext(purpose="care"))
        made.decision = decision
        made.details |= {name: str(text) for name, text in details.items()}
        for uid in subject_uids:
            reason = common_pb2.ERROR_REASON_POLICY_DENIED if decision == audit_pb2.DECISION_DENIED else 0
            made.touch_subject("email", uid, reason=reason)
        self._hours += 1
        self.desk.write([made], self.now_us)

    @property
    def now_us(self) -> int:
        """The time of the newest event."""
        return BEGIN_US + self._hours * HOUR_US

    def report(self, kind: int, number: int, window: tuple[int, int] = EVER) -> Report:
        """The report of a key."""
        self.desk.integrate()
        return report(self.desk, self.tenant, window, key=key(kind, number))


def touched(found: Report) -> set[tuple[bytes, int]]:
    return {(row.subject_uid, row.use) for row in found.rows if row.use != USE_EXPOSED}


def exposed(found: Report) -> set[bytes]:
    uids = [row.subject_uid for row in found.rows if row.use == USE_EXPOSED]
    assert found.summary.exposed_subjects == len(uids) == len(set(uids))
    return set(uids)


def two_rotations(desk: Desk) -> tuple[Story, list[int]]:
    """Keys 2 and then 3, under KEK versions 4 and 5, since some were skipped; and the times between."""
    story, times = Story(desk), list[int]()
    story.tell("Encrypt", ANNA)
    story.tell("Encrypt", BO)
    story.tell("KeysRotated", kek_version=4, epoch=2, index_key=2)
    times.append(story.now_us)
    story.tell("KeysRetired", epoch_1="00", index_1="00")
    story.tell("Describe", BO)
    story.tell("Encrypt", CEM)
    story.tell("KeysRotated", kek_version=5, epoch=3, index_key=3)
    times.append(story.now_us)
    story.tell("Describe", CEM)
    story.tell("KeysRetired", epoch_2="00", index_2="00")
    times.append(story.now_us)
    story.tell("Encrypt", DORA)
    story.tell("KeysDestroyed", keys="epoch_1,index_1,epoch_2,index_2")
    times.append(story.now_us)
    return story, times


@pytest.mark.parametrize(
    ("kind", "number", "keys"),
    [
        (KEY_KIND_EPOCH, 2, ["epoch:2"]),
        (KEY_KIND_INDEX, 2, ["index:2"]),
        (KEY_KIND_KEK, 4, ["kek:4", "epoch:2", "index:2"]),
    ],
)
def test_a_keys_life_is_from_the_rotation_that_made_it_until_nothing_was_left_under_it(desk: Desk, kind, number, keys) -> None:
    story, (made, _, retired, destroyed) = two_rotations(desk)
    found = story.report(kind, number)
    assert touched(found) == {(BO, USE_SEARCHED), (CEM, USE_WRITTEN), (CEM, USE_SEARCHED)}
    assert exposed(found) == {ANNA, BO, CEM}
    life = found.summary.key_life
    assert list(life.keys) == keys
    assert [life.begin_time.ToMicroseconds(), life.end_time.ToMicroseconds()] == [made, retired]
    assert life.destroy_time.ToMicroseconds() == destroyed
    log = desk.entries(story.tenant)
    for index, action in ((life.begin_index, "KeysRotated"), (life.end_index, "KeysRetired")):
        assert audit_pb2.AuditEvent.FromString(log[index].leaf).action == action


def test_the_first_keys_live_from_the_tenants_beginning_and_the_newest_to_this_day(desk: Desk) -> None:
    story, _ = two_rotations(desk)
    first, newest = story.report(KEY_KIND_EPOCH, 1), story.report(KEY_KIND_KEK, 5)
    assert exposed(first) == {ANNA, BO}
    assert first.summary.key_life.HasField("begin_time")
    assert exposed(newest) == {ANNA, BO, CEM, DORA}
    assert newest.summary.key_life.HasField("begin_time")
    assert not newest.summary.key_life.HasField("end_time")
    assert not newest.summary.key_life.HasField("destroy_time")


def test_only_the_window_counts(desk: Desk) -> None:
    story, (made, rotated, _, _) = two_rotations(desk)
    found = story.report(KEY_KIND_EPOCH, 2, (made, made + HOUR_US * 5 // 2))
    assert touched(found) == {(BO, USE_SEARCHED)}
    assert exposed(found) == {ANNA, BO}
    assert exposed(story.report(KEY_KIND_EPOCH, 2, (rotated, rotated + 1))) == {ANNA, BO, CEM}


def test_who_was_erased_before_lay_under_no_later_key_whatever_is_said_of_them_afterwards(desk: Desk) -> None:
    story = Story(desk)
    story.tell("Encrypt", ANNA, BO)
    story.tell("Erased", ANNA)
    story.tell("ErasureRepeated", ANNA)
    story.tell("KeysRotated", kek_version=2, epoch=2, index_key=2)
    story.tell("ErasureRepeated", ANNA)
    story.tell("Erased", BO)
    assert exposed(story.report(KEY_KIND_EPOCH, 2)) == {BO}
    assert exposed(story.report(KEY_KIND_EPOCH, 1)) == {ANNA, BO}


def test_what_was_refused_or_asked_by_auditors_exposes_nobody_and_denied_rotations_make_no_keys(desk: Desk) -> None:
    story = Story(desk)
    story.tell("Query", ANNA)
    story.tell("Describe", BO, decision=audit_pb2.DECISION_DENIED)
    story.tell("KeysRotated", kek_version=2, epoch=2, index_key=2, decision=audit_pb2.DECISION_DENIED)
    assert exposed(story.report(KEY_KIND_EPOCH, 1)) == set()
    assert desk.refused(request(key=key(KEY_KIND_EPOCH, 2)), tenant=story.tenant).reason_name == "INVALID_FIELD"


@pytest.mark.parametrize(("kind", "number"), [(KEY_KIND_EPOCH, 4), (KEY_KIND_INDEX, 4), (KEY_KIND_KEK, 3), (KEY_KIND_KEK, 6)])
def test_keys_that_never_were_are_refused(desk: Desk, kind, number) -> None:
    story, _ = two_rotations(desk)
    desk.integrate()
    refusal = desk.refused(request(key=key(kind, number)), tenant=story.tenant)
    assert (refusal.reason_name, "key.number" in refusal.message) == ("INVALID_FIELD", True)


def test_too_many_exposed_subjects_are_not_listed_in_part(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    story, _ = two_rotations(desk)
    monkeypatch.setattr(key_life, "MAX_EXPOSED", 3)
    assert len(exposed(story.report(KEY_KIND_EPOCH, 2))) == 3
    monkeypatch.setattr(key_life, "MAX_EXPOSED", 2)
    assert desk.refused(request(EVER, key=key(KEY_KIND_EPOCH, 2)), tenant=story.tenant).reason_name == "RESPONSE_TOO_LARGE"


def test_its_event_names_the_key(desk: Desk) -> None:
    story, _ = two_rotations(desk)
    story.report(KEY_KIND_KEK, 4)
    assert desk.last_event(story.tenant).details["key"] == "kek:4"


def test_it_is_so_of_a_real_rotation_and_a_real_destruction(desk: Desk) -> None:
    inside, person, other = desk.inside, new_subject(), new_subject()
    (token,) = tokens_of(inside.ask(tokenize((person, "email", new_email()))))
    epoch = rotate(inside).retired_epochs[-1] + 1
    inside.ask(reveal(token))
    inside.ask(tokenize((other, "email", new_email())))
    attested = rotate(inside)
    desk.integrate()
    found = report(desk, "acme", EVER, key=key(KEY_KIND_EPOCH, epoch), with_subject_ids=True)
    names = {(row.subject_id, row.use) for row in found.rows}
    assert names >= {(person, USE_REVEALED), (other, USE_WRITTEN), (person, USE_EXPOSED), (other, USE_EXPOSED)}
    assert found.summary.key_life.HasField("end_time")
    before = report(desk, "acme", EVER, key=key(KEY_KIND_EPOCH, epoch - 1), with_subject_ids=True)
    assert other not in {row.subject_id for row in before.rows}
    assert not before.summary.key_life.HasField("destroy_time")
    begin_destruction(inside, attested.kek_version)
    with worker(inside) as working:
        working.look()
    desk.integrate()
    by_kek = report(desk, "acme", EVER, key=key(KEY_KIND_KEK, attested.kek_version - 1))
    assert by_kek.summary.key_life.HasField("destroy_time")
    assert f"epoch:{epoch}" in by_kek.summary.key_life.keys
