"""No personal value or subject_id is in a representation, a log line, an exception or its traceback's locals."""

import copy
import datetime
import logging
import traceback
from collections.abc import Callable

import grpc
import pytest

from pdvault_client import (
    BreachRow,
    Candidate,
    Description,
    EventFilter,
    Form,
    NewValue,
    Outcome,
    Provenance,
    Replacement,
    Results,
    Revealed,
    SubjectQuery,
    Use,
    ValueQuery,
    VaultError,
)
from vault.errors import VaultError as ServerError
from vault.v1 import audit_service_pb2, common_pb2, vault_service_pb2

SECRET = "canary-4719@example.org"
SUBJECT = "canary-subject-4719"
REVEALED = Revealed(SECRET, Form.PLAIN, "email")
HOLDERS = [
    NewValue(SUBJECT, "email", SECRET),
    NewValue(SUBJECT, "face_template", SECRET.encode()),
    REVEALED,
    Candidate("eml_A", SECRET),
    Replacement("eml_A", SECRET),
    ValueQuery("email", SECRET),
    SubjectQuery(SUBJECT),
    Description("eml_A", SUBJECT, "email", 1, (), Provenance.SUBJECT, False, None, None, None, 0, 0),
    EventFilter(subject_id=SUBJECT),
    BreachRow(b"\x01" * 16, SUBJECT, "email", "payout", Use.MASKED, "", 1, None, None, 0, 0),
    Outcome(REVEALED),
    Results([Outcome(REVEALED)]),
]
CALLS: list[Callable] = [
    lambda client: client.tokenize([NewValue(SUBJECT, "email", SECRET)]),
    lambda client: client.tokenize_one(SUBJECT, "email", SECRET),
    lambda client: list(client.tokenize_many([NewValue(SUBJECT, "email", SECRET)])),
    lambda client: client.verify_one("eml_A", SECRET),
    lambda client: client.update([Replacement("eml_A", SECRET)]),
    lambda client: list(client.search_by_value("email", SECRET)),
    lambda client: list(client.search_by_subject(SUBJECT)),
]
DAY = datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC)
AUDITS: list[Callable] = [
    lambda auditor: list(auditor.query(EventFilter(subject_id=SUBJECT))),
    lambda auditor: auditor.query_page(EventFilter(subject_id=SUBJECT)),
    lambda auditor: list(auditor.timeline(subject_id=SUBJECT)),
    lambda auditor: auditor.timeline_page(subject_id=SUBJECT),
    lambda auditor: next(auditor.tail(EventFilter(subject_id=SUBJECT))),
    lambda auditor: list(auditor.breach_report(DAY, DAY, node="n", with_subject_ids=True)),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_representations_do_not_show_values(holder):
    for text in (repr(holder), str(holder), f"{holder}", repr([holder])):
        assert "canary" not in text


def locals_of_the_client(error: BaseException) -> list[str]:
    """What an error reporter would print: every local of every frame of ours and of gRPC's, of every chained exception."""
    seen, texts = error, []
    while seen is not None:
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if frame.f_globals["__name__"].partition(".")[0] in {"pdvault_client", "grpc"}:
                texts += [repr(value) for value in frame.f_locals.values()]
        seen = seen.__cause__ or seen.__context__
    return texts


@pytest.mark.parametrize("failure", [ServerError(common_pb2.ERROR_REASON_POLICY_DENIED, "no"), grpc.StatusCode.UNAVAILABLE])
@pytest.mark.parametrize("call", CALLS)
def test_a_failed_call_leaves_no_value_in_logs_messages_or_tracebacks(client, scripted, caplog, call, failure):
    for method in ("Tokenize", "Verify", "Update", "Search"):
        scripted.script(method, failure)
    with caplog.at_level(logging.DEBUG), pytest.raises(VaultError) as caught:
        call(client)
    shown = locals_of_the_client(caught.value)
    assert shown
    assert not [text for text in [*shown, str(caught.value), caplog.text] if "canary" in text]


@pytest.mark.parametrize("failure", [ServerError(common_pb2.ERROR_REASON_POLICY_DENIED, "no"), grpc.StatusCode.UNAVAILABLE])
@pytest.mark.parametrize("call", AUDITS)
def test_a_failed_audit_leaves_no_subject_id_in_logs_messages_or_tracebacks(auditor, scripted, caplog, call, failure):
    row = {"subject_uid": b"\x01" * 16, "subject_id": SUBJECT}
    for method in ("Query", "SubjectTimeline"):
        scripted.script(method, failure)
    scripted.script("Tail", [failure])
    scripted.script("BreachReport", [audit_service_pb2.BreachReportResponse(rows=[row]), failure])
    with caplog.at_level(logging.DEBUG), pytest.raises(VaultError) as caught:
        call(auditor)
    shown = locals_of_the_client(caught.value)
    assert shown
    assert not [text for text in [*shown, str(caught.value), caplog.text] if "canary" in text]


def test_a_malformed_answer_leaves_no_value_in_the_error(client, scripted):
    results = [{"value": {"text": SECRET}}, {"value": {"text": SECRET}}]
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=results))
    with pytest.raises(VaultError) as caught:
        client.reveal_one("eml_A", form=Form.PLAIN)
    assert not [text for text in [*locals_of_the_client(caught.value), str(caught.value)] if "canary" in text]


def test_retries_are_logged_by_request_and_reason(client, scripted, caplog):
    scripted.script(
        "Tokenize",
        ServerError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "the KMS does not answer"),
        vault_service_pb2.TokenizeResponse(results=[{"token": "eml_A"}]),
    )
    with caplog.at_level(logging.INFO, logger="pdvault_client"):
        client.tokenize_one(SUBJECT, "email", SECRET)
    (record,) = caplog.records
    assert scripted.requests()[0].context.request_id in record.getMessage()
    assert "KMS_UNAVAILABLE" in record.getMessage()


@pytest.mark.parametrize("value", [1234567, None, 12.5, bytearray(b"canary"), ["canary"]])
def test_values_of_the_wrong_type_are_refused_without_showing_them(client, value):
    with pytest.raises(TypeError, match=r"^value must be str or bytes, not \w+$"):
        client.tokenize_one(SUBJECT, "email", value)
    with pytest.raises(TypeError, match=r"^subject_id must be str, not \w+$"):
        client.tokenize_one(value, "email", SECRET)


def test_text_without_utf8_form_is_refused_without_showing_it(client):
    with pytest.raises(ValueError, match="no UTF-8 form") as caught:
        client.tokenize_one(SUBJECT, "free_text", "canary\ud800")
    assert type(caught.value) is ValueError
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_one_purpose_is_not_taken_for_its_letters(client):
    with pytest.raises(TypeError, match="purposes must be a sequence"):
        client.tokenize([NewValue(SUBJECT, "email", SECRET, purposes="payout")])


def test_what_holds_values_cannot_be_changed():
    for holder in HOLDERS[:10]:
        name = next(iter(holder.__dataclass_fields__))
        with pytest.raises(AttributeError):
            setattr(copy.copy(holder), name, "x")
