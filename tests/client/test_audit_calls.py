"""Each method of the auditors' client sends what its caller said, and answers what the vault said."""

import datetime
import uuid

import pytest
from google.protobuf import timestamp_pb2
from tests.client import log_of_leaves as log

from pdvault_client import (
    Aggregate,
    Bucket,
    Change,
    ConsistencyProof,
    Count,
    Decision,
    Dimension,
    EventFilter,
    Form,
    FormKind,
    LogCheckpoint,
    LogRangeError,
    Touched,
    VaultError,
    WitnessState,
)
from vault.errors import VaultError as ServerError
from vault.v1 import audit_pb2, audit_service_pb2, common_pb2

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=datetime.UTC)
STAMP = timestamp_pb2.Timestamp(seconds=int(NOW.timestamp()), nanos=890_000_000)
REQUEST_ID = "0d9d5a9e-6f0c-4b0e-8a5e-0c7d1f0b6a11"
HASHES = [bytes([n]) * 32 for n in range(3)]
EVERY_FIELD = EventFilter(
    start_time=NOW,
    end_time=NOW + datetime.timedelta(days=1),
    principal="spiffe://pdvault/acme/billing",
    action="Reveal",
    decision=Decision.DENIED,
    data_class="email",
    purpose="payout",
    recipient="bank",
    policy_id="reader-plain-reveals",
    request_id=REQUEST_ID,
    node="node-1",
    certificate_sha256=b"\x01" * 32,
    subject_id="customer-17",
    token="eml_A",
)


def pages(*indexes_of_pages):
    def answer(request):
        number = int(request.page_token or 0)
        token = str(number + 1) if number + 1 < len(indexes_of_pages) else ""
        return audit_service_pb2.QueryResponse(
            entries=[log.entry(index) for index in indexes_of_pages[number]], next_page_token=token, size=9
        )

    return answer


def test_query_goes_over_all_pages_and_sends_the_same_filter_each_time(auditor, scripted):
    scripted.script("Query", pages((8, 7), (), (3,)))
    events = auditor.query(EVERY_FIELD, page_size=2, purpose="inquiry", reference="T-1")
    assert [event.index for event in events] == [8, 7, 3]
    first, second, third = scripted.requests()
    assert first.filter == second.filter == third.filter
    assert [request.page_token for request in scripted.requests()] == ["", "1", "2"]
    assert len({request.context.request_id for request in scripted.requests()}) == 3
    first.context.request_id = REQUEST_ID
    assert first == audit_service_pb2.QueryRequest(
        context={"purpose": "inquiry", "request_id": REQUEST_ID, "reference": "T-1"},
        page_size=2,
        filter=audit_service_pb2.EventFilter(
            start_time=STAMP,
            end_time=timestamp_pb2.Timestamp(seconds=STAMP.seconds + 86400, nanos=STAMP.nanos),
            principal="spiffe://pdvault/acme/billing",
            action="Reveal",
            decision=audit_pb2.DECISION_DENIED,
            data_class="email",
            purpose="payout",
            recipient="bank",
            policy_id="reader-plain-reveals",
            request_id=REQUEST_ID,
            node="node-1",
            certificate_sha256=b"\x01" * 32,
            subject_id="customer-17",
            token="eml_A",
        ),
    )


def test_query_without_a_filter_asks_for_everything_page_by_page_as_it_is_read(auditor, scripted):
    scripted.script("Query", pages((8, 7), (3,)))
    events = auditor.query()
    assert next(events).index == 8
    (request,) = scripted.requests()
    assert request.filter == audit_service_pb2.EventFilter()
    assert [event.index for event in events] == [7, 3]


def test_a_page_says_where_to_go_on_and_how_large_the_log_was(auditor, scripted):
    scripted.script("Query", pages((8,), (3,)))
    page = auditor.query_page(EventFilter(subject_uid=log.SUBJECT, token_uid=log.TOKEN), request_id=REQUEST_ID)
    assert (page.next_page_token, page.size) == ("1", 9)
    assert [event.index for event in auditor.query_page(page_token=page.next_page_token).events] == [3]
    sent = scripted.requests()[0]
    assert (sent.filter.subject_uid, sent.filter.token_uid) == (log.SUBJECT, log.TOKEN)
    assert sent.context.request_id == REQUEST_ID


def test_an_event_says_everything_that_its_leaf_says(auditor, scripted):
    request_id = uuid.UUID(REQUEST_ID)
    fields = {
        "time_us": 1_772_600_767_890_123,
        "principal_uid": b"\x44" * 16,
        "principal": "spiffe://pdvault/acme/billing",
        "certificate_sha256": b"\x55" * 32,
        "node": "node-1",
        "decision": audit_pb2.DECISION_PARTIAL,
        "reason": common_pb2.ERROR_REASON_POLICY_DENIED,
        "policy_ids": ["a", "b"],
        "roles": ["reader_plain"],
        "policy_sha256": b"\x66" * 32,
        "purpose": "payout",
        "ground": "contract",
        "reference": "T-1",
        "recipient": "bank",
        "request_id": request_id.bytes,
        "details": {"name": "billing"},
        "boot_id": b"\x77" * 16,
        "boot_sequence": 5,
        "touched": [
            {"data_class": "email", "form": 2, "count": 2, "subject_uids": log.SUBJECT, "token_uids": log.TOKEN * 2},
            {"data_class": "phone", "form": 3, "partial_name": "last4", "count": 1, "reason": 43},
            {"data_class": "phone", "count": 1, "change": 1, "envelope_hashes": b"\x01" * 32 + b"\x02" * 32},
            {"mismatched": 1, "queries": 2},
        ],
    }
    entry = log.entry(4, **fields)
    scripted.script("Query", audit_service_pb2.QueryResponse(entries=[entry], size=5))
    (event,) = auditor.query()
    assert (event.index, event.leaf) == (4, entry.leaf)
    assert event.time == datetime.datetime(2026, 3, 4, 5, 6, 7, 890_123, tzinfo=datetime.UTC)
    assert (event.action, event.decision, event.reason) == ("Reveal", Decision.PARTIAL, "POLICY_DENIED")
    assert (event.policy_ids, event.roles, event.request_id) == (("a", "b"), ("reader_plain",), REQUEST_ID)
    assert dict(event.details) == {"name": "billing"}
    same = ("principal", "purpose", "ground", "reference", "recipient", "node", "boot_id", "boot_sequence", "principal_uid")
    assert {name: getattr(event, name) for name in same} == {name: fields[name] for name in same}
    assert (event.tenant_uid, event.certificate_sha256, event.policy_sha256) == (log.TENANT, b"\x55" * 32, b"\x66" * 32)
    assert event.touched == (
        Touched("email", Form.PLAIN, 2, (log.SUBJECT,), (log.TOKEN, log.TOKEN)),
        Touched("phone", Form(FormKind.PARTIAL, "last4"), 1, (), (), reason="POLICY_DENIED"),
        Touched("phone", None, 1, (), (), change=Change.CREATED, envelope_hashes=(b"\x01" * 32, b"\x02" * 32)),
        Touched("", None, 0, (), (), mismatched=1, queries=2),
    )
    assert isinstance(hash(event), int)


def test_what_is_newer_than_this_client_does_not_stop_it(auditor, scripted):
    future = {"decision": 77, "reason": 7777, "touched": [{"form": 77, "change": 77}]}
    scripted.script("Query", audit_service_pb2.QueryResponse(entries=[log.entry(0, **future)], size=1))
    (event,) = auditor.query()
    assert (event.decision, event.reason) == (Decision.UNKNOWN, "7777")
    assert event.touched == (Touched("", Form(FormKind.UNKNOWN), 0, (), ()),)


@pytest.mark.parametrize(
    "leaf",
    [
        b"\xff\xff",
        log.leaf(time_us=2**64 - 1),
        log.leaf(request_id=b"\x01"),
        log.leaf(touched=[{"subject_uids": b"\x01" * 17}]),
    ],
    ids=["no message", "no time", "no uuid", "no uids"],
)
def test_an_entry_that_is_no_event_is_named_by_its_index(auditor, scripted, leaf):
    entries = [log.entry(8), audit_service_pb2.LogEntry(index=7, leaf=leaf)]
    scripted.script("Query", audit_service_pb2.QueryResponse(entries=entries, size=9))
    with pytest.raises(VaultError, match="entry 7 is no audit event"):
        list(auditor.query())


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda a: a.query_page(EventFilter(start_time=datetime.datetime(2026, 3, 4))), "start_time needs a time zone"),
        (lambda a: a.query_page(EventFilter(subject_id="S", subject_uid=log.SUBJECT)), "either subject_id or subject_uid"),
        (lambda a: a.query_page(EventFilter(token="eml_A", token_uid=log.TOKEN)), "either token or token_uid"),
        (lambda a: a.timeline(), "either subject_id or subject_uid"),
        (lambda a: a.timeline_page(subject_id="S", subject_uid=log.SUBJECT), "either subject_id or subject_uid"),
        (lambda a: a.breach_report(NOW, NOW), "one of principal, certificate_sha256, node, key and subject_uid"),
        (
            lambda a: a.breach_report(NOW, NOW, node="n", principal="p"),
            "one of principal, certificate_sha256, node, key and subject_uid",
        ),
        (lambda a: a.breach_report(NOW, NOW.replace(tzinfo=None), node="n"), "end_time needs a time zone"),
        (lambda a: a.export(timeout_s=601), "at most 600"),
    ],
)
def test_misuse_is_refused_before_anything_is_sent(auditor, scripted, call, problem):
    with pytest.raises(ValueError, match=problem):
        call(auditor)
    assert scripted.received == []


def test_the_timeline_names_the_subject_and_goes_over_all_pages(auditor, scripted):
    def answer(request):
        first = not request.page_token
        return audit_service_pb2.SubjectTimelineResponse(
            entries=[log.entry(1 if first else 5)], next_page_token="more" if first else "", subject_uid=log.SUBJECT, size=6
        )

    scripted.script("SubjectTimeline", answer)
    assert [event.index for event in auditor.timeline(subject_id="customer-17", page_size=1)] == [1, 5]
    assert [request.subject_id for request in scripted.requests()] == ["customer-17"] * 2
    page = auditor.timeline_page(subject_uid=log.SUBJECT)
    assert (page.subject_uid, page.next_page_token, page.size) == (log.SUBJECT, "more", 6)
    assert scripted.requests()[-1].subject_uid == log.SUBJECT


def test_the_checkpoint_comes_with_the_log_key_and_the_witnesses(auditor, scripted):
    scripted.script(
        "GetCheckpoint",
        audit_service_pb2.GetCheckpointResponse(
            checkpoint="note",
            cosigned_checkpoint="older note",
            log_key="log+01234567+AQ==",
            witnesses=[{"name": "w1", "size": 4, "cosign_time": STAMP}, {"name": "w2", "problem": "CONFLICT"}],
        ),
    )
    witnesses = (WitnessState("w1", 4, NOW, ""), WitnessState("w2", 0, None, "CONFLICT"))
    assert auditor.checkpoint() == LogCheckpoint("note", "older note", "log+01234567+AQ==", witnesses)


def test_an_inclusion_proof_is_of_the_entry_that_was_asked_for(auditor, scripted):
    proof = audit_service_pb2.GetInclusionProofResponse(entry=log.entry(3), hashes=HASHES, size=7, proof_file="file")
    scripted.script("GetInclusionProof", proof)
    found = auditor.inclusion_proof(3, size=7)
    assert (found.event.index, found.hashes, found.size, found.proof_file) == (3, tuple(HASHES), 7, "file")
    assert (scripted.requests()[0].index, scripted.requests()[0].size) == (3, 7)
    with pytest.raises(VaultError, match="proved entry 3 instead of 2"):
        auditor.inclusion_proof(2)


def test_a_consistency_proof_comes_with_its_checkpoint(auditor, scripted):
    proof = audit_service_pb2.GetConsistencyProofResponse(hashes=HASHES, second_size=9, checkpoint="note")
    scripted.script("GetConsistencyProof", proof)
    assert auditor.consistency_proof(3) == ConsistencyProof(tuple(HASHES), 9, "note")
    assert (scripted.requests()[0].first_size, scripted.requests()[0].second_size) == (3, 0)


def test_a_size_beyond_the_log_is_an_error_of_its_own(auditor, scripted):
    scripted.script("GetInclusionProof", ServerError(common_pb2.ERROR_REASON_LOG_RANGE, "the log has 5 entries"))
    with pytest.raises(LogRangeError, match="the log has 5 entries"):
        auditor.inclusion_proof(7)


def test_counts_come_with_their_time_and_values(auditor, scripted):
    counts = [{"time": STAMP, "values": ["Reveal", "ALLOWED"], "events": 3, "items": 12}, {"values": ["", ""], "events": 1}]
    scripted.script("Aggregate", audit_service_pb2.AggregateResponse(counts=counts, size=20))
    found = auditor.aggregate(EventFilter(node="n"), bucket=Bucket.HOUR, by=[Dimension.ACTION, Dimension.DECISION])
    assert found == Aggregate((Count(NOW, ("Reveal", "ALLOWED"), 3, 12), Count(None, ("", ""), 1, 0)), 20)
    (request,) = scripted.requests()
    assert (request.filter.node, request.bucket, [*request.dimensions]) == ("n", Bucket.HOUR, [1, 2])
    with pytest.raises(VaultError, match="have not 1 values"):
        auditor.aggregate(by=[Dimension.ACTION])


def test_cosignatures_are_brought_and_their_witnesses_named(auditor, scripted):
    scripted.script("AddCosignature", audit_service_pb2.AddCosignatureResponse(witnesses=["w1"]))
    assert auditor.add_cosignature("note") == ("w1",)
    assert scripted.requests()[0].checkpoint == "note"


def test_unavailable_is_tried_again_with_the_same_request_id(auditor, scripted):
    down = ServerError(common_pb2.ERROR_REASON_LOG_STALLED, "the log stands still")
    scripted.script("Query", down, down, pages(()))
    assert list(auditor.query()) == []
    assert len({request.context.request_id for request in scripted.requests()}) == 1
    assert len(scripted.requests()) == 3
