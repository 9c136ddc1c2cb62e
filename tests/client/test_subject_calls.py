"""Each method about people sends what its caller said, and answers what the vault said, naming nobody in errors and texts."""

import datetime
import logging

import grpc
import pytest
from google.protobuf import timestamp_pb2
from tests.client.test_secrecy import locals_of_the_client

from pdvault_client import Hold, Registered, Subject, SubjectNotFoundError, SubjectsPage, SubjectState, VaultError
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=datetime.UTC)
STAMP = timestamp_pb2.Timestamp(seconds=int(NOW.timestamp()), nanos=890_000_000)
UID, HOLD_UID = b"\x01" * 16, b"\x02" * 16
NAME, OTHER = "canary-subject-4719", "canary-alias-4719"
HOLD = v1.Hold(hold_uid=HOLD_UID, reference="court/4711", create_time=STAMP)
SUBJECT = v1.Subject(
    subject_uid=UID,
    subject_id=NAME,
    state=v1.SUBJECT_STATE_RESTRICTED,
    aliases=[OTHER],
    holds=[HOLD],
    items=[v1.ClassCount(data_class="email", count=3)],
)
CALLS = [
    ("Register", lambda people: people.register(NAME, aliases=[OTHER])),
    ("GetSubject", lambda people: people.get_subject(NAME)),
    ("Link", lambda people: people.link(NAME, OTHER)),
    ("Unlink", lambda people: people.unlink(OTHER)),
    ("Restrict", lambda people: people.restrict(NAME)),
    ("Unrestrict", lambda people: people.unrestrict(NAME)),
    ("PlaceHold", lambda people: people.place_hold(NAME, expire_time=NOW, reference="court/4711")),
    ("ReleaseHold", lambda people: people.release_hold(NAME, HOLD_UID)),
    ("ListSubjects", lambda people: list(people.list_subjects(page_size=2))),
]
"""Every method, with a call."""


def test_register_sends_names_and_answers_who_it_is(people, scripted):
    scripted.script("Register", v1.RegisterResponse(subject_uid=UID, existed=True))
    assert people.register(NAME, aliases=[OTHER]) == Registered(UID, existed=True)
    (request,) = scripted.requests()
    assert (request.subject_id, list(request.aliases), request.context.purpose) == (NAME, [OTHER], "privacy")
    with pytest.raises(TypeError, match="aliases must be a sequence"):
        people.register(NAME, aliases=OTHER)


def test_a_subject_is_told_with_names_holds_and_counts(people, scripted):
    scripted.script("GetSubject", v1.GetSubjectResponse(subject=SUBJECT))
    hold = Hold(HOLD_UID, "court/4711", NOW, None)
    assert people.get_subject(NAME) == Subject(UID, NAME, SubjectState.RESTRICTED, (OTHER,), (hold,), {"email": 3})
    assert scripted.requests()[0].subject_id == NAME


def test_all_subjects_come_page_by_page(people, scripted):
    first = v1.ListSubjectsResponse(subjects=[SUBJECT, SUBJECT], next_page_token="more")
    scripted.script("ListSubjects", first, v1.ListSubjectsResponse(subjects=[SUBJECT]))
    assert [each.subject_id for each in people.list_subjects(page_size=2)] == [NAME] * 3
    assert [(request.page_size, request.page_token) for request in scripted.requests()] == [(2, ""), (2, "more")]
    assert people.list_subjects_page() == SubjectsPage((people.list_subjects_page().subjects[0],), "")


def test_what_only_changes_something_sends_what_was_said(people, scripted):
    for method in ("Link", "Unlink", "Restrict", "Unrestrict", "ReleaseHold"):
        scripted.script(method, getattr(v1, f"{method}Response")())
        assert dict(CALLS)[method](people) is None
    link, unlink, restrict, unrestrict, release = scripted.requests()
    assert (link.subject_id, link.alias, unlink.alias) == (NAME, OTHER, OTHER)
    assert (restrict.subject_id, unrestrict.subject_id) == (NAME, NAME)
    assert (release.subject_id, release.hold_uid) == (NAME, HOLD_UID)


def test_a_hold_is_placed_with_its_reason_and_its_end(people, scripted):
    scripted.script("PlaceHold", v1.PlaceHoldResponse(hold=HOLD))
    assert people.place_hold(NAME, expire_time=NOW, reference="court/4711") == Hold(HOLD_UID, "court/4711", NOW, None)
    people.place_hold(NAME, reference="court/4711")
    with_end, without = scripted.requests()
    assert (with_end.context.reference, with_end.expire_time) == ("court/4711", STAMP)
    assert not without.HasField("expire_time")
    with pytest.raises(ValueError, match="needs a time zone"):
        people.place_hold(NAME, expire_time=NOW.replace(tzinfo=None))


def test_an_unknown_subject_is_an_error_of_its_own(people, scripted):
    scripted.script("GetSubject", ServerError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "no such subject"))
    with pytest.raises(SubjectNotFoundError):
        people.get_subject(NAME)


def test_a_state_that_is_newer_than_the_client_is_unknown(people, scripted):
    scripted.script("GetSubject", v1.GetSubjectResponse(subject={"subject_uid": UID, "state": 99}))
    assert people.get_subject(NAME).state is SubjectState.UNKNOWN


@pytest.mark.parametrize("failure", [ServerError(common_pb2.ERROR_REASON_POLICY_DENIED, "no"), grpc.StatusCode.UNAVAILABLE])
@pytest.mark.parametrize(("method", "call"), CALLS, ids=[method for method, _ in CALLS])
def test_a_failed_call_leaves_no_name_in_logs_messages_or_tracebacks(people, scripted, caplog, method, call, failure):
    scripted.script(method, failure)
    with caplog.at_level(logging.DEBUG), pytest.raises(VaultError) as caught:
        call(people)
    shown = locals_of_the_client(caught.value)
    assert shown
    assert not [text for text in [*shown, str(caught.value), caplog.text] if "canary" in text]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("Register", v1.RegisterResponse()),
        ("GetSubject", v1.GetSubjectResponse(subject={"subject_id": NAME})),
        ("GetSubject", v1.GetSubjectResponse(subject={"subject_id": NAME, "subject_uid": UID, "holds": [{}]})),
        ("ListSubjects", v1.ListSubjectsResponse(subjects=[{"subject_id": NAME}])),
        ("PlaceHold", v1.PlaceHoldResponse()),
    ],
)
def test_an_answer_without_uids_is_an_error_that_names_nobody(people, scripted, method, answer):
    scripted.script(method, answer)
    with pytest.raises(VaultError, match="without a uid") as caught:
        dict(CALLS)[method](people)
    assert not [text for text in [*locals_of_the_client(caught.value), str(caught.value)] if "canary" in text]


def test_no_name_is_in_a_representation(people, scripted):
    scripted.script("GetSubject", v1.GetSubjectResponse(subject=SUBJECT))
    scripted.script("ListSubjects", v1.ListSubjectsResponse(subjects=[SUBJECT]))
    assert "canary" not in repr([people.get_subject(NAME), people.list_subjects_page()])
