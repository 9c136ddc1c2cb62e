"""Auditors read their own tenant's log; nobody else does; and every attempt is in the log."""

import base64

import pytest
from google.protobuf.message import Message
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import PRINCIPALS, UIDS
from tests.harness import ROLES, context
from tests.use_cases.requests import describe, new_email, new_subject, reveal, search, tokenize, tokens_of

from vault.audit.events import SYSTEM_TENANT
from vault.v1 import audit_pb2, vault_service_pb2
from vault.v1.audit_service_pb2 import (
    AddCosignatureRequest,
    AggregateRequest,
    EventFilter,
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
    QueryRequest,
    SubjectTimelineRequest,
)

CHECKPOINT = (
    f"log.example.org\n1\n{base64.b64encode(bytes(32)).decode()}\n\n— log.example.org {base64.b64encode(bytes(68)).decode()}\n"
)


def requests() -> list[Message]:
    """One of each method with one answer."""
    own = {"context": context("audit")}
    return [
        QueryRequest(**own),
        SubjectTimelineRequest(subject_uid=UIDS[0], **own),
        AggregateRequest(**own),
        GetCheckpointRequest(**own),
        GetInclusionProofRequest(index=1, **own),
        GetConsistencyProofRequest(first_size=1, **own),
        AddCosignatureRequest(checkpoint=CHECKPOINT, **own),
    ]


def action(request: Message) -> str:
    return request.DESCRIPTOR.name.removesuffix("Request")


@pytest.mark.parametrize("who", sorted(set(ROLES) - {"auditor"}))
def test_no_other_role_reads_the_log(desk: Desk, who: str) -> None:
    asked = requests()
    for request in asked:
        assert desk.refused(request, who).reason_name == "POLICY_DENIED"
    for request, event in zip(asked, desk.last_events("acme", len(asked)), strict=True):
        assert (event.action, event.decision) == (action(request), audit_pb2.DECISION_DENIED)
        assert event.principal.endswith(f"/{who}")


def test_whoever_may_not_read_the_log_learns_nothing_of_subjects_and_tokens(desk: Desk) -> None:
    subject = new_subject()
    (token,) = tokens_of(desk.inside.ask(tokenize((subject, "email", new_email()))))
    for known, unknown in (({"subject_id": subject}, {"subject_id": new_subject()}), ({"token": token}, {"token": "tok_unknown"})):
        there, nowhere = (
            desk.refused(QueryRequest(context=context("audit"), filter=EventFilter(**fields)), "admin")
            for fields in (known, unknown)
        )
        assert (there.reason_name, there.message) == (nowhere.reason_name, nowhere.message) == ("POLICY_DENIED", there.message)
        assert not desk.last_event("acme").touched


def test_an_auditor_does_nothing_else(desk: Desk) -> None:
    for request in (
        tokenize((new_subject(), "email", new_email())),
        reveal("tok_unknown"),
        search(("email", new_email(), None)),
        describe("tok_unknown"),
    ):
        assert desk.inside.refused(request, "auditor") in ("POLICY_DENIED", "TOKEN_NOT_FOUND")
    listed = desk.inside.ask(vault_service_pb2.ListDataClassesRequest(context=context("audit")), "auditor")
    assert listed.data_classes


def test_a_tenants_auditor_sees_nothing_of_another_tenant(desk: Desk) -> None:
    mine, other = desk.new_tenant(), desk.new_tenant()
    fill(desk, other, 40, seed=12)
    subject = new_subject()
    (token,) = tokens_of(desk.inside.ask(tokenize((subject, "email", new_email())), tenant=other))
    desk.integrate()
    everything = desk.ask(QueryRequest(context=context("audit"), page_size=1000), tenant=mine)
    assert {event_of(entry).tenant_uid for entry in everything.entries} == {desk.tenant(mine).uid}
    for wanted in (EventFilter(subject_uid=UIDS[0]), EventFilter(principal=PRINCIPALS[0])):
        assert not desk.ask(QueryRequest(context=context("audit"), filter=wanted), tenant=mine).entries
    for wanted, reason in ((EventFilter(subject_id=subject), "SUBJECT_NOT_FOUND"), (EventFilter(token=token), "TOKEN_NOT_FOUND")):
        assert desk.refused(QueryRequest(context=context("audit"), filter=wanted), tenant=mine).reason_name == reason


@pytest.mark.parametrize("fields", [{"subject_id": "nobody-example-org"}, {"token": "pho_0000000000000000000000000X"}])
def test_what_the_vault_does_not_know_is_said_and_stands_in_no_log(desk: Desk, fields: dict[str, str]) -> None:
    reason = "SUBJECT_NOT_FOUND" if "subject_id" in fields else "TOKEN_NOT_FOUND"
    assert desk.refused(QueryRequest(context=context("audit"), filter=EventFilter(**fields))).reason_name == reason
    event = desk.last_event("acme")
    assert (event.action, event.decision) == ("Query", audit_pb2.DECISION_FAILED)
    assert dict(event.details) == {"filters": next(iter(fields))}
    assert next(iter(fields.values())).encode() not in event.SerializeToString()


def test_the_event_of_a_query_says_what_was_asked_but_not_of_whom(desk: Desk) -> None:
    subject = new_subject()
    (token,) = tokens_of(desk.inside.ask(tokenize((subject, "email", new_email()))))
    wanted = EventFilter(
        principal="spiffe://pdvault/acme/plain",
        action="Reveal",
        decision=audit_pb2.DECISION_DENIED,
        subject_id=subject,
        token=token,
    )
    wanted.start_time.FromSeconds(1_790_000_000)
    answer = desk.ask(QueryRequest(context=context("audit", reference="T-7"), filter=wanted))
    event = desk.last_event("acme")
    assert dict(event.details) == {
        "filters": "action,decision,principal,start_time,subject_id,token",
        "action": "Reveal",
        "decision": "DENIED",
        "principal": "spiffe://pdvault/acme/plain",
        "start_time": "2026-09-21T14:13:20Z",
        "page": "first",
    }
    (touched,) = event.touched
    (row,) = [event_of(e) for e in desk.entries("acme") if event_of(e).action == "Tokenize"][-1:]
    assert (touched.subject_uids, touched.token_uids) == (row.touched[0].subject_uids, row.touched[0].token_uids)
    assert (event.purpose, event.reference) == ("audit", "T-7")
    assert subject.encode() not in event.SerializeToString()
    assert token.encode() not in event.SerializeToString()
    assert not answer.entries


@pytest.mark.parametrize("field", ["principal", "recipient", "policy_id", "node"])
def test_a_filter_that_looks_personal_is_refused_and_not_noted(desk: Desk, field: str) -> None:
    refusal = desk.refused(QueryRequest(context=context("audit"), filter=EventFilter(**{field: "11010519491231002X"})))
    assert refusal.reason_name in ("REFERENCE_LOOKS_PERSONAL", "INVALID_FIELD")
    assert b"11010519491231002X" not in desk.last_event("acme").SerializeToString()


@pytest.mark.parametrize("who", ["auditor", "app"])
@pytest.mark.parametrize(
    "fields",
    [
        {"principal": "Maria Musterfrau, born 1990-01-02"},
        {"principal": "customer-17"},
        {"principal": "spiffe://pdvault/acme/\x1b[2J"},
        {"principal": "local:\x00"},
        {"principal": "spiffe://pdvault/acme/pay\u202eout"},
        {"node": "customer 17"},
        {"node": "\x1b]0;gone\x07"},
        {"policy_id": "\u202egnp"},
        {"policy_id": "a\nb"},
    ],
)
def test_a_filter_that_no_event_could_match_is_refused_and_not_noted(desk: Desk, who: str, fields: dict[str, str]) -> None:
    """Whoever asks, with whatever rights, leaves an event; it must be no place for notes."""
    refusal = desk.refused(QueryRequest(context=context("audit"), filter=EventFilter(**fields)), who)
    ((name, text),) = fields.items()
    assert (refusal.reason_name, refusal.message.startswith(f"filter.{name} ")) == ("INVALID_FIELD", True)
    assert text.encode() not in desk.last_event("acme").SerializeToString()


@pytest.mark.parametrize("field", ["principal", "recipient", "policy_id"])
def test_a_filter_that_holds_a_token_is_refused_and_not_noted(desk: Desk, field: str) -> None:
    (token,) = tokens_of(desk.inside.ask(tokenize((new_subject(), "email", new_email()))))
    wanted = EventFilter(**{field: f"spiffe://pdvault/acme/{token}" if field == "principal" else token})
    try:
        reason = desk.refused(QueryRequest(context=context("audit"), filter=wanted)).reason_name
    finally:
        assert token.encode() not in desk.last_event("acme").SerializeToString()
    assert reason == "REFERENCE_LOOKS_PERSONAL"


@pytest.mark.parametrize("name", ["local:root", "spiffe://pdvault/acme/plain", "spiffe://other.example.org/ns/a/sa/b_2"])
def test_every_name_that_an_event_can_have_is_a_filter(desk: Desk, name: str) -> None:
    assert desk.ask(
        QueryRequest(context=context("audit"), filter=EventFilter(principal=name, node="node-1.example", policy_id="a b"))
    )


@pytest.mark.parametrize(
    ("start", "end"), [((1_800_000_000, 0), (1_800_000_000, 0)), ((5, 0), (4, 0)), ((0, -1), (4, 0)), ((0, 0), (10**12, 0))]
)
def test_times_that_mean_nothing_are_refused(desk: Desk, start: tuple[int, int], end: tuple[int, int]) -> None:
    wanted = EventFilter()
    wanted.start_time.seconds, wanted.start_time.nanos = start
    wanted.end_time.seconds, wanted.end_time.nanos = end
    assert desk.refused(QueryRequest(context=context("audit"), filter=wanted)).reason_name == "INVALID_FIELD"


def test_the_systems_log_is_no_tenants(desk: Desk) -> None:
    everything = desk.ask(QueryRequest(context=context("audit"), page_size=1000))
    assert all(event_of(entry).tenant_uid != SYSTEM_TENANT for entry in everything.entries)
