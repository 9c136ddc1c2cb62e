"""Restriction: stored, removable, not used. Holds: placed once, ended by release or by time."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.harness import context
from tests.subjects.requests import (
    REFERENCE,
    link,
    place_hold,
    register,
    release_hold,
    restrict,
    show,
    unlink,
    unrestrict,
)
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, describe, new_email, new_subject, reveal, search, tokenize, tokens_of, update, verify

from vault.safe import new_uid
from vault.store import tables as t
from vault.store.sealing import sealed
from vault.store.writes import insert
from vault.subjects.holds import MAX_HOLDS
from vault.v1 import subject_service_pb2 as v1

ACTIVE, RESTRICTED = v1.SUBJECT_STATE_ACTIVE, v1.SUBJECT_STATE_RESTRICTED
HOUR_US = 3_600_000_000


def stored(vault: Inside) -> tuple[str, str, str]:
    """A new subject's name, its address and the address's token."""
    name, email = new_subject(), new_email()
    (token,) = tokens_of(vault.ask(tokenize((name, "email", email))))
    return name, email, token


def erasing(vault: Inside) -> tuple[str, str]:
    """A subject with two names, whose erasure has begun."""
    name, alias = new_subject(), new_subject()
    uid = vault.ask(register(name, alias)).subject_uid
    vault.reseal(t.subject, {"uid": uid}, state="ERASING")
    return name, alias


def now_us(vault: Inside, name: str) -> int:
    """The database's time, as a hold that is placed and released tells it."""
    hold = vault.ask(place_hold(name), "privacy").hold
    vault.ask(release_hold(name, hold.hold_uid), "privacy")
    return int(hold.create_time.ToMicroseconds())


@pytest.mark.parametrize("who", ["admin", "privacy"])
def test_a_restricted_subject_is_not_used_and_used_again_once_it_is_not(open_vault: Inside, who: str) -> None:
    name, email, token = stored(open_vault)
    uses = (reveal(token), verify((token, email)), tokenize((name, "email", new_email())), update((token, new_email())))
    for _ in range(2):
        open_vault.ask(restrict(name), who)
    assert [open_vault.refused(use) for use in uses] == ["SUBJECT_RESTRICTED"] * len(uses)
    for query in (("", None, name), ("email", email, None)):
        assert not open_vault.ask(search(query)).results[0].items
    for _ in range(2):
        open_vault.ask(unrestrict(name), who)
    for use in (reveal(token), verify((token, email)), tokenize((name, "email", new_email())), update((token, email))):
        open_vault.ask(use)
    assert len(open_vault.ask(search(("", None, name))).results[0].items) == 2


def test_of_a_restricted_subject_there_is_knowledge_and_removal(open_vault: Inside) -> None:
    name, _, token = stored(open_vault)
    open_vault.ask(restrict(name), "privacy")
    assert open_vault.ask(describe(token)).results[0].description.subject_id == name
    assert open_vault.ask(show(name), "privacy").subject.state == RESTRICTED
    open_vault.ask(link(name, alias := new_subject()), "admin")
    open_vault.ask(unlink(alias), "admin")
    open_vault.ask(place_hold(name), "privacy")
    open_vault.ask(delete(token))


def test_a_restricted_subject_may_be_erased(open_vault: Inside) -> None:
    name, _, token = stored(open_vault)
    open_vault.ask(restrict(name), "privacy")
    open_vault.ask(v1.EraseRequest(context=context(ground="consent_withdrawn"), subject_id=name), "privacy")
    assert open_vault.refused(unrestrict(name), "privacy") == "WRONG_STATE"
    assert open_vault.refused(reveal(token)) == "SUBJECT_RESTRICTED"


def test_restriction_holds_under_every_name(open_vault: Inside) -> None:
    name, _, token = stored(open_vault)
    open_vault.ask(link(name, alias := new_subject()), "admin")
    open_vault.ask(restrict(alias), "admin")
    assert open_vault.refused(reveal(token)) == "SUBJECT_RESTRICTED"
    assert open_vault.refused(tokenize((name, "email", new_email()))) == "SUBJECT_RESTRICTED"


def test_of_a_subject_that_is_being_erased_nothing_can_be_changed(open_vault: Inside) -> None:
    name, alias = erasing(open_vault)
    changes: list[tuple[Any, str]] = [
        (restrict(name), "admin"),
        (unrestrict(name), "privacy"),
        (link(name, new_subject()), "admin"),
        (unlink(alias), "admin"),
        (place_hold(name), "privacy"),
        (release_hold(name, bytes(16)), "privacy"),
        (register(name), "app"),
        (register(name, new_subject()), "admin"),
    ]
    with open_vault.events() as events:
        assert [open_vault.refused(request, who) for request, who in changes] == ["WRONG_STATE"] * len(changes)
    uid = open_vault.ask(show(name), "admin").subject.subject_uid
    assert {touched.subject_uids for event in events for touched in event.touched} == {uid}


def test_a_hold_is_told_until_it_is_released(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    hold = open_vault.ask(place_hold(name), "privacy").hold
    assert (len(hold.hold_uid), hold.reference, hold.HasField("expire_time")) == (16, REFERENCE, False)
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == [hold]
    open_vault.ask(release_hold(name, hold.hold_uid), "privacy")
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == []
    assert open_vault.refused(release_hold(name, hold.hold_uid), "privacy") == "NOT_FOUND"


def test_a_hold_ends_by_itself_by_the_database_s_clock(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    now = now_us(open_vault, name)
    hold = open_vault.ask(place_hold(name, expire_us=now + HOUR_US), "privacy").hold
    assert hold.expire_time.ToMicroseconds() == now + HOUR_US
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == [hold]
    open_vault.reseal(t.subject_hold, {"uid": hold.hold_uid}, expire_us=now)
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == []


def test_a_hold_that_would_be_over_or_has_no_reason_is_refused(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    past, late, absurd = place_hold(name, expire_us=1), place_hold(name), place_hold(name)
    late.expire_time.CopyFrom(Timestamp(seconds=253_402_300_800))
    absurd.expire_time.CopyFrom(Timestamp(seconds=2**62))
    for request in (past, late, absurd, place_hold(name, expire_us=now_us(open_vault, name)), place_hold(name, reference="")):
        assert open_vault.refused(request, "privacy") == "INVALID_FIELD"
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == []


def test_a_reason_that_names_somebody_is_refused(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    request = place_hold(name, reference="999999190001010031")
    assert open_vault.refused(request, "privacy") == "REFERENCE_LOOKS_PERSONAL"


def test_a_retry_places_no_second_hold(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    request = place_hold(name)
    hold = open_vault.ask(request, "privacy").hold
    assert open_vault.ask(request, "privacy").hold == hold
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == [hold]
    open_vault.ask(release_hold(name, hold.hold_uid), "privacy")
    assert open_vault.refused(request, "privacy") == "NOT_FOUND"
    changed = place_hold(name, reference="court/4712")
    changed.context.request_id = request.context.request_id
    assert open_vault.refused(changed, "privacy") == "REQUEST_ID_REUSED"


def test_a_subject_has_at_most_so_many_holds(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    hold = open_vault.ask(place_hold(name), "privacy").hold
    row, authority = open_vault.row(t.subject_hold, uid=hold.hold_uid), open_vault.keys().authority
    with open_vault.engine.begin() as connection:
        insert(connection, t.subject_hold, [sealed(authority, row._replace(uid=new_uid())) for _ in range(MAX_HOLDS - 1)])
    assert open_vault.refused(place_hold(name), "privacy") == "WRONG_STATE"
    open_vault.ask(release_hold(name, hold.hold_uid), "privacy")
    open_vault.ask(place_hold(name), "privacy")


def test_a_hold_is_released_only_by_its_own_subject_s_name(open_vault: Inside) -> None:
    name, other = stored(open_vault)[0], stored(open_vault)[0]
    hold = open_vault.ask(place_hold(name), "privacy").hold
    assert open_vault.refused(release_hold(other, hold.hold_uid), "privacy") == "NOT_FOUND"
    assert open_vault.refused(release_hold(name, hold.hold_uid), "privacy", "globex") == "SUBJECT_NOT_FOUND"
    assert list(open_vault.ask(show(name), "privacy").subject.holds) == [hold]


def test_only_privacy_officers_place_and_release_holds(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    hold = open_vault.ask(place_hold(name), "privacy").hold
    for who in ("admin", "app", "plain", "auditor", "security", "all"):
        assert open_vault.refused(place_hold(name), who) == "POLICY_DENIED"
        assert open_vault.refused(release_hold(name, hold.hold_uid), who) == "POLICY_DENIED"


def test_the_events_of_holds_name_hold_and_subject(open_vault: Inside) -> None:
    name, _, _ = stored(open_vault)
    uid = open_vault.ask(show(name), "admin").subject.subject_uid
    with open_vault.events() as events:
        hold = open_vault.ask(place_hold(name), "privacy").hold
        open_vault.ask(release_hold(name, hold.hold_uid), "privacy")
    assert [event.details["hold"] for event in events] == [hold.hold_uid.hex()] * 2
    assert [touched.subject_uids for event in events for touched in event.touched] == [uid] * 2
    assert events[0].reference == REFERENCE
