"""Every filter that is typed arrives at the vault, in every command that has it; and what can't be meant is refused here."""

import hashlib
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.audit_vault import ME, OTHER, SUBJECT, TOKEN, Auditor, _scripted, auditor, event  # noqa: F401  fixtures

from pdvault_client import Decision, Event, EventFilter, Touched
from vault.cli.audit.filters import matches
from vault.v1 import audit_pb2, audit_service_pb2

UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"
TIMES = ("--from", "2026-03-01T08:00:00Z", "--to", "2026-03-02")
FACETS = (
    *("--principal", "billing", "--action", "reveal", "--decision", "Denied", "--class", "email", "--purpose", "payout"),
    *("--recipient", "bank", "--policy", "p1", "--node", "n1", "--certificate", "ab" * 32),
)
MENTIONS = ("--token", "eml_A", "--request-id", UUID.replace("-", ""))
SENT: dict[str, Any] = {
    "principal": ME,
    "action": "Reveal",
    "decision": audit_pb2.DECISION_DENIED,
    "data_class": "email",
    "purpose": "payout",
    "recipient": "bank",
    "policy_id": "p1",
    "node": "n1",
    "certificate_sha256": b"\xab" * 32,
}


@pytest.fixture(autouse=True)
def answers(auditor: Auditor) -> None:  # noqa: F811
    """The vault has nothing to tell."""
    auditor.vault.script("Query", audit_service_pb2.QueryResponse(size=7))
    auditor.vault.script("Tail", [])
    auditor.vault.script("Aggregate", audit_service_pb2.AggregateResponse())
    auditor.vault.script("SubjectTimeline", audit_service_pb2.SubjectTimelineResponse(subject_uid=SUBJECT))


def sent(auditor: Auditor) -> audit_service_pb2.EventFilter:  # noqa: F811
    found: audit_service_pb2.EventFilter = auditor.vault.requests()[0].filter
    return found


def test_a_query_sends_everything_that_was_typed(auditor: Auditor) -> None:  # noqa: F811
    done = auditor("query", *TIMES, *FACETS, *MENTIONS, "--subject-id", "customer-17", "--utc")
    assert done.code == 0, done.err
    found = sent(auditor)
    assert found.start_time.ToDatetime(UTC) == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert found.end_time.ToDatetime(UTC) == datetime(2026, 3, 3, tzinfo=UTC)
    found.ClearField("start_time")
    found.ClearField("end_time")
    assert found == audit_service_pb2.EventFilter(**SENT, subject_id="customer-17", token="eml_A", request_id=UUID)


def test_stats_send_all_but_what_is_not_counted(auditor: Auditor) -> None:  # noqa: F811
    assert auditor("stats", *TIMES, *FACETS).code == 0
    found = sent(auditor)
    assert found.HasField("start_time")
    assert found.HasField("end_time")
    found.ClearField("start_time")
    found.ClearField("end_time")
    assert found == audit_service_pb2.EventFilter(**SENT)
    for option in ("--token", "--subject-id", "--request-id"):
        assert auditor("stats", option, UUID).code == 1


def test_uids_are_hexadecimal(auditor: Auditor) -> None:  # noqa: F811
    assert auditor("query", "--subject-uid", SUBJECT.hex(), "--token-uid", TOKEN.hex().upper()).code == 0
    assert sent(auditor) == audit_service_pb2.EventFilter(subject_uid=SUBJECT, token_uid=TOKEN)


def test_nothing_typed_is_no_filter(auditor: Auditor) -> None:  # noqa: F811
    assert auditor("query").code == 0
    assert sent(auditor) == audit_service_pb2.EventFilter()


@pytest.mark.parametrize("command", ["query", "timeline"])
@pytest.mark.parametrize("given_by", ["argument", "file", "stdin"])
def test_a_subject_id_need_not_be_in_the_process_list(
    auditor: Auditor,  # noqa: F811
    tmp_path: Path,
    command: str,
    given_by: str,
) -> None:
    (tmp_path / "id").write_text("customer-17\n")
    typed = {"argument": "customer-17", "file": f"@{tmp_path / 'id'}", "stdin": "-"}[given_by]
    done = auditor(command, "--subject-id", typed, stdin=b"customer-17\n")
    assert done.code == 0, done.err
    request = auditor.vault.requests()[0]
    assert (request.subject_id if command == "timeline" else request.filter.subject_id) == "customer-17"


def test_a_certificate_is_given_by_its_hash_or_as_a_file(auditor: Auditor, tmp_path: Path) -> None:  # noqa: F811
    pem = (auditor.folder / "client.pem").read_text()
    expected = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()
    (tmp_path / "chain.pem").write_text(f"subject=CN\n{pem}{(auditor.folder / 'ca.pem').read_text()}")
    colons = ":".join(f"{byte:02X}" for byte in expected)
    for typed in (expected.hex(), colons, auditor.folder / "client.pem", tmp_path / "chain.pem"):
        auditor.vault.received.clear()
        assert auditor("query", "--certificate", typed).code == 0
        assert sent(auditor).certificate_sha256 == expected


@pytest.mark.parametrize(
    ("typed", "name"), [("spiffe://other/x", "spiffe://other/x"), ("local:root", "local:root"), ("billing-2", ME + "-2")]
)
def test_a_short_name_is_of_somebody_beside_us(auditor: Auditor, typed: str, name: str) -> None:  # noqa: F811
    assert auditor("query", "--principal", typed).code == 0
    assert sent(auditor).principal == name


def test_a_short_name_needs_a_certificate_that_says_who_we_are(auditor: Auditor) -> None:  # noqa: F811
    server = {"PDVAULT_CERT": str(auditor.folder / "server.pem"), "PDVAULT_KEY": str(auditor.folder / "server.key")}
    done = auditor("query", "--principal", "billing", environment=server)
    assert done.code == 1
    assert "give the whole URI" in done.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("query", "--subject-id", "S1", "--subject-uid", SUBJECT.hex()), "exclude each other"),
        (("query", "--token", "T", "--token-uid", TOKEN.hex()), "exclude each other"),
        (("query", "--from", "2h", "--to", "3h"), "--from must be before --to"),
        (("query", "--from", "never"), "RFC 3339"),
        (("query", "--utc", "--zone", "UTC"), "exclude each other"),
        (("query", "--zone", "Nowhere"), "Europe/Vienna"),
        (("query", "--subject-uid", "22"), "32 hexadecimal digits"),
        (("query", "--certificate", "ab" * 31), "neither a SHA-256"),
        (("query", "--certificate", __file__), "no PEM certificate"),
        (("query", "--request-id", "17"), "must be a UUID"),
        (("query", "--decision", "maybe"), "--decision"),
        (("query", "--subject-id", "@/nowhere"), "/nowhere"),
        (("timeline",), "give --subject-id or --subject-uid"),
        (("tail", "--from", "2h"), "--from"),
        (("breach", "--from", "2h"), "one of --principal, --certificate, --node, --exposed-key and --subject-uid"),
        (
            ("breach", "--from", "2h", "--node", "n", "--exposed-key", "kek:1"),
            "one of --principal, --certificate, --node, --exposed-key and --subject-uid",
        ),
        (("breach", "--exposed-key", "epoch:0", "--from", "2h"), "such as epoch:7"),
        (("breach", "--node", "n"), "--from"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_the_vault_is_asked(
    auditor: Auditor,  # noqa: F811
    arguments: tuple[str, ...],
    problem: str,
) -> None:
    done = auditor(*arguments)
    assert (done.code, done.out) == (1, "")
    assert problem in done.err
    assert auditor.vault.received == []


def test_the_purpose_of_looking_is_another_than_the_one_looked_for(auditor: Auditor) -> None:  # noqa: F811
    options = ("--purpose", "payout", "--why", "inquiry", "--ground", "law", "--reference", "C-1", "--handed-to", "court")
    assert auditor("query", *options).code == 0
    (request,) = auditor.vault.requests()
    context = request.context
    assert (context.purpose, context.ground, context.reference, context.recipient) == ("inquiry", "law", "C-1", "court")
    assert request.filter == audit_service_pb2.EventFilter(purpose="payout")
    auditor.vault.received.clear()
    assert auditor("query", environment={"PDVAULT_PURPOSE": "support"}).code == 0
    assert auditor.vault.requests()[0].context.purpose == "audit"


WORDS = st.sampled_from(["", "a", "b"])
WANTED = st.builds(
    EventFilter,
    principal=WORDS,
    action=WORDS,
    purpose=WORDS,
    recipient=WORDS,
    node=WORDS,
    data_class=WORDS,
    policy_id=WORDS,
    request_id=WORDS,
    decision=st.sampled_from([None, Decision.ALLOWED, Decision.DENIED]),
    certificate_sha256=st.sampled_from([b"", b"\x01"]),
    start_time=st.sampled_from([None, datetime(2026, 1, 2, tzinfo=UTC)]),
    end_time=st.sampled_from([None, datetime(2026, 1, 3, tzinfo=UTC)]),
)
EVENTS = st.builds(
    Event,
    index=st.just(0),
    leaf=st.just(b""),
    time=st.sampled_from([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]),
    principal=WORDS,
    action=WORDS,
    decision=st.sampled_from([Decision.ALLOWED, Decision.DENIED]),
    reason=st.just(""),
    purpose=WORDS,
    ground=st.just(""),
    reference=st.just(""),
    recipient=WORDS,
    policy_ids=st.lists(WORDS, max_size=2).map(tuple),
    roles=st.just(()),
    request_id=WORDS,
    touched=st.lists(st.builds(Touched, WORDS, st.none(), st.just(1), st.just(()), st.just(())), max_size=2).map(tuple),
    details=st.just({}),
    node=WORDS,
    certificate_sha256=st.sampled_from([b"", b"\x01"]),
    principal_uid=st.just(b""),
    tenant_uid=st.just(b""),
    policy_sha256=st.just(b""),
    boot_id=st.just(b""),
    boot_sequence=st.just(0),
)


@given(EVENTS, WANTED)
def test_a_timeline_is_filtered_here_as_a_query_is_there(found: Event, wanted: EventFilter) -> None:
    from vault.audit.index import index

    leaf = event(
        time_us=int(found.time.timestamp() * 1e6),
        principal=found.principal,
        action=found.action,
        decision=int(found.decision),
        policy_ids=found.policy_ids,
        purpose=found.purpose,
        recipient=found.recipient,
        node=found.node,
        certificate_sha256=found.certificate_sha256,
        touched=[{"data_class": touched.data_class} for touched in found.touched],
    )
    facet, time_us = index(leaf).facet, index(leaf).time_us
    expected = (
        all(
            getattr(facet, name) == getattr(wanted, name)
            for name in ("action", "principal", "purpose", "recipient", "node", "certificate_sha256", "decision")
            if getattr(wanted, name)
        )
        and (not wanted.data_class or wanted.data_class in facet.data_classes.split(","))
        and (not wanted.policy_id or wanted.policy_id in facet.policy_ids.split(","))
        and (not wanted.request_id or wanted.request_id == found.request_id)
        and (wanted.start_time is None or time_us >= wanted.start_time.timestamp() * 1e6)
        and (wanted.end_time is None or time_us < wanted.end_time.timestamp() * 1e6)
    )
    assert matches(found, wanted) == expected
