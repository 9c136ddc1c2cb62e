"""The breach report says exactly whom a suspect touched, and how: held against a model, and against real calls."""

from collections import defaultdict
from typing import NamedTuple

import pytest
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import BEGIN_US, HOUR_US, NODES, PRINCIPALS, UIDS
from tests.harness import context
from tests.use_cases.requests import (
    MASKED,
    PARTIAL,
    PER_ITEM,
    delete,
    describe,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault.auditing import tally
from vault.store import tables as t
from vault.v1 import audit_pb2
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import (
    USE_AUDITED,
    USE_MASKED,
    USE_PARTIAL,
    USE_REFUSED,
    USE_REVEALED,
    USE_SEARCHED,
    USE_VERIFIED,
    USE_WRITTEN,
    BreachReportRequest,
    BreachReportResponse,
    BreachRow,
    BreachSummary,
    EventFilter,
    GetCheckpointRequest,
    QueryRequest,
    SubjectTimelineRequest,
)

WINDOW = (BEGIN_US + 5 * HOUR_US, BEGIN_US + 30 * HOUR_US)
EVER = (0, BEGIN_US * 2)


class Report(NamedTuple):
    """A report, its parts put together."""

    rows: list[BreachRow]
    summary: BreachSummary


def request(window: tuple[int, int] = WINDOW, **fields) -> BreachReportRequest:
    asked = BreachReportRequest(context=context("audit"), **fields)
    asked.start_time.FromMicroseconds(window[0])
    asked.end_time.FromMicroseconds(window[1])
    return asked


def report_of(messages: list[BreachReportResponse]) -> Report:
    assert all(not message.HasField("summary") for message in messages[:-1])
    return Report([row for message in messages for row in message.rows], messages[-1].summary)


def report(desk: Desk, tenant: str, window: tuple[int, int] = WINDOW, **fields) -> Report:
    return report_of(desk.stream(request(window, **fields), tenant=tenant))


def model_use(event: AuditEvent, touched) -> int:
    if touched.reason:
        return USE_REFUSED
    if touched.form:
        return {1: USE_MASKED, 2: USE_REVEALED, 3: USE_PARTIAL}[touched.form]
    return {"Search": USE_SEARCHED, "Describe": USE_SEARCHED, "Tokenize": USE_VERIFIED}.get(event.action, 0)


def model(events: list[tuple[int, AuditEvent]]) -> list[tuple]:
    """The rows, by looking at every event."""
    found = defaultdict[tuple, list[tuple[int, int]]](list)
    for index, event in events:
        ways = {
            (touched.subject_uids[at : at + 16], model_use(event, touched), touched.data_class, event.purpose)
            for touched in event.touched
            for at in range(0, len(touched.subject_uids), 16)
        }
        for way in ways:
            found[way].append((index, event.time_us))
    return [
        (*way, len(hits), min(us for _, us in hits), max(us for _, us in hits), hits[0][0], hits[-1][0])
        for way, hits in sorted(found.items())
    ]


def plain(row: BreachRow) -> tuple:
    times = row.first_time.ToMicroseconds(), row.last_time.ToMicroseconds()
    return row.subject_uid, row.use, row.data_class, row.purpose, row.events, *times, row.first_index, row.last_index


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    tenant = desk.new_tenant()
    fill(desk, tenant, 600, seed=60)
    return tenant


@pytest.mark.parametrize(
    ("suspect", "is_theirs"),
    [
        ({"principal": PRINCIPALS[2]}, lambda event: event.principal == PRINCIPALS[2]),
        ({"certificate_sha256": bytes([1]) * 32}, lambda event: event.certificate_sha256 == bytes([1]) * 32),
        ({"node": NODES[1]}, lambda event: event.node == NODES[1]),
        ({"principal": "spiffe://pdvault/acme/nobody"}, lambda _: False),
    ],
    ids=["principal", "certificate", "node", "nobody"],
)
@pytest.mark.parametrize("window", [WINDOW, EVER])
def test_it_is_what_a_look_at_every_event_finds(desk: Desk, filled: str, suspect, is_theirs, window) -> None:
    found = report(desk, filled, window, **suspect)
    log = [(row.leaf_index, event_of(row)) for row in desk.entries(filled)[: found.summary.size]]
    theirs = [(index, event) for index, event in log if is_theirs(event) and window[0] <= event.time_us < window[1]]
    assert [plain(row) for row in found.rows] == model(theirs)
    refused = sum(event.decision in (audit_pb2.DECISION_DENIED, audit_pb2.DECISION_FAILED) for _, event in theirs)
    subjects = {row.subject_uid for row in found.rows if row.use != USE_REFUSED}
    assert (found.summary.events, found.summary.refused, found.summary.subjects) == (len(theirs), refused, len(subjects))
    assert found.summary.checkpoint.split("\n")[1] == str(found.summary.size)


def test_the_checkpoint_that_covers_it_is_published(desk: Desk, filled: str) -> None:
    checkpoint = report(desk, filled, node=NODES[0]).summary.checkpoint
    assert checkpoint == desk.ask(GetCheckpointRequest(context=context("audit")), tenant=filled).checkpoint


def test_events_beyond_the_newest_checkpoint_are_not_in_it(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 50, seed=61)
    before = report(desk, tenant, EVER, node=NODES[0])
    (row,) = desk.inside.rows(t.audit_log, tenant_uid=desk.tenant(tenant).uid)
    fill(desk, tenant, 50, seed=62)
    values = {"checkpoint": row.checkpoint, "checkpoint_size": row.checkpoint_size}
    with desk.behind_its_back(t.audit_log, {"tenant_uid": row.tenant_uid}, **values):
        after = report(desk, tenant, EVER, node=NODES[0])
    assert after == before
    assert report(desk, tenant, EVER, node=NODES[0]).summary.events > before.summary.events


def test_each_use_of_a_real_subject_is_a_row_of_its_own(desk: Desk) -> None:
    tenant, subject, other = desk.new_tenant(), new_subject(), new_subject()
    email, inside = new_email(), desk.inside
    token, kept = tokens_of(inside.ask(tokenize((subject, "email", email), (other, "email", new_email())), tenant=tenant))
    for asked in (
        reveal(token),
        reveal(token, kind=MASKED),
        reveal(token, kind=PARTIAL, partial="domain"),
        reveal(token, kind=PARTIAL, partial="domain"),
        search(("email", email, None)),
        describe(token),
        verify((token, email)),
        update((token, new_email())),
        delete(token),
        reveal(kept, purpose="elsewhere", atomicity=PER_ITEM),
    ):
        inside.ask(asked, tenant=tenant)
    desk.integrate()
    name = inside.caller("all", tenant).name
    found = report(desk, tenant, EVER, principal=name, with_subject_ids=True)
    rows = {(row.subject_id, row.use, row.partial_name): row.events for row in found.rows}
    assert rows == {
        (subject, USE_REVEALED, ""): 1,
        (subject, USE_PARTIAL, "domain"): 2,
        (subject, USE_MASKED, ""): 1,
        (subject, USE_SEARCHED, ""): 2,
        (subject, USE_VERIFIED, ""): 1,
        (subject, USE_WRITTEN, ""): 3,
        (other, USE_WRITTEN, ""): 1,
        (other, USE_REFUSED, ""): 1,
    }
    uses = [row.use for row in found.rows if row.subject_id == subject]
    assert uses == sorted(uses)
    assert found.summary.subjects == 2


def test_names_are_given_by_an_act_of_its_own(desk: Desk) -> None:
    tenant, subject = desk.new_tenant(), new_subject()
    desk.inside.ask(tokenize((subject, "email", new_email())), tenant=tenant)
    desk.integrate()
    name = desk.inside.caller("all", tenant).name
    assert [row.subject_id for row in report(desk, tenant, EVER, principal=name).rows] == [""]
    assert desk.last_event(tenant).action == "BreachReport"
    (row,) = report(desk, tenant, EVER, principal=name, with_subject_ids=True).rows
    assert row.subject_id == subject
    event = desk.last_event(tenant)
    assert (event.action, event.touched[0].subject_uids) == ("NameSubjects", row.subject_uid)
    assert subject.encode() not in event.SerializeToString()
    auditor = desk.inside.caller("auditor", tenant).name
    audited = report(desk, tenant, EVER, principal=auditor)
    assert [(row.subject_uid, row.use) for row in audited.rows] == [(row.subject_uid, USE_AUDITED)]


def test_whom_the_vault_does_not_know_any_more_has_no_name(desk: Desk, filled: str) -> None:
    rows = report(desk, filled, node=NODES[0], with_subject_ids=True).rows
    assert {row.subject_uid for row in rows} == set(UIDS)
    assert {row.subject_id for row in rows} == {""}


def test_a_report_too_large_for_memory_is_refused(desk: Desk, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = len(report(desk, filled, node=NODES[0]).rows)
    monkeypatch.setattr(tally, "MAX_ROWS", exact)
    assert len(report(desk, filled, node=NODES[0]).rows) == exact
    monkeypatch.setattr(tally, "MAX_ROWS", exact - 1)
    assert desk.refused(request(node=NODES[0]), tenant=filled).reason_name == "RESPONSE_TOO_LARGE"


def test_an_altered_entry_ends_the_report_whosever_it_was(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    rows = desk.entries(filled)
    theirs, others = (next(row for row in rows if event_of(row).node == node) for node in NODES)
    changes = [
        (t.audit_entry, {"leaf_index": theirs.leaf_index}, {"leaf": others.leaf, "leaf_hash": others.leaf_hash}, "audit_entry"),
        (t.audit_entry, {"leaf_index": theirs.leaf_index}, {"leaf": theirs.leaf + b"\x00"}, "audit_entry"),
        (t.audit_entry, {"leaf_index": others.leaf_index}, {"leaf": others.leaf + b"\x00"}, "audit_entry"),
        (t.audit_node, {"level": 1, "node_index": 1}, {"hash": bytes(32)}, "audit_"),
    ]
    for table, where, values, named in changes:
        with desk.behind_its_back(table, {"tenant_uid": uid, **where}, **values):
            refusal = desk.refused(request(node=NODES[0]), tenant=filled)
        assert (refusal.reason_name, named in refusal.message) == ("INTEGRITY", True), (table.name, values, refusal.message)


def test_no_row_of_an_index_hides_anything_from_it(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 100, seed=64)
    uid, suspects = desk.tenant(tenant).uid, [{"principal": PRINCIPALS[1]}, {"node": NODES[0]}, {"subject_uid": UIDS[0]}]
    before = [report(desk, tenant, EVER, **suspect).rows for suspect in suspects]
    with desk.inside.engine.begin() as connection:
        for table in (t.audit_event, t.audit_mention, t.audit_facet, t.audit_count):
            connection.execute(table.delete().where(table.c.tenant_uid == uid))
    assert [report(desk, tenant, EVER, **suspect).rows for suspect in suspects] == before
    assert all(before)


def test_all_that_was_done_to_a_subject_is_as_much_as_its_timeline_has(desk: Desk, filled: str) -> None:
    found = report(desk, filled, EVER, subject_uid=UIDS[2]).summary
    shown = desk.ask(SubjectTimelineRequest(context=context("audit"), subject_uid=UIDS[2], page_size=1000), tenant=filled)
    assert found.events == sum(entry.index < found.size for entry in shown.entries) > 0


@pytest.mark.parametrize("who", ["admin", "all"])
def test_only_auditors_get_one(desk: Desk, who: str) -> None:
    assert desk.refused(request(node="node-1"), who).reason_name == "POLICY_DENIED"


def test_its_event_says_who_was_suspected(desk: Desk, filled: str) -> None:
    report(desk, filled, principal=PRINCIPALS[1])
    details = dict(desk.last_event(filled).details)
    assert details.pop("filters") == "end_time,principal,start_time"
    assert details.keys() == {"principal", "start_time", "end_time"}


def test_a_suspect_is_asked_for(desk: Desk) -> None:
    assert desk.refused(request()).reason_name == "INVALID_FIELD"
    assert desk.refused(request((5, 5), node="node-1")).reason_name == "INVALID_FIELD"
    assert desk.refused(BreachReportRequest(context=context("audit"), node="node-1")).reason_name == "INVALID_FIELD"


def test_what_was_looked_up_by_query_is_a_use_too(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 10, seed=63)
    desk.ask(QueryRequest(context=context("audit"), filter=EventFilter(subject_uid=UIDS[3])), tenant=tenant)
    desk.integrate()
    auditor = desk.inside.caller("auditor", tenant).name
    rows = report(desk, tenant, EVER, principal=auditor).rows
    assert [(row.subject_uid, row.use, row.purpose) for row in rows] == [(UIDS[3], USE_AUDITED, "audit")]
