"""Whatever somebody changes in a log's tables behind the vault's back, the answer names it, and no altered event is answered."""

import pytest
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import PRINCIPALS, UIDS
from tests.harness import context

from vault.audit.merkle import leaf_hash
from vault.store import tables as t
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import EventFilter, QueryRequest, SubjectTimelineRequest


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    tenant = desk.new_tenant()
    fill(desk, tenant, 60, seed=30)
    return tenant


def query(**fields) -> QueryRequest:
    return QueryRequest(context=context("audit"), filter=EventFilter(**fields), page_size=1000)


def timeline(uid: bytes) -> SubjectTimelineRequest:
    return SubjectTimelineRequest(context=context("audit"), subject_uid=uid)


def check_named(desk: Desk, tenant: str, request, table: str) -> None:
    refusal = desk.refused(request, tenant=tenant)
    assert refusal.reason_name == "INTEGRITY"
    assert table in refusal.message


def test_an_edited_leaf(desk: Desk, filled: str) -> None:
    row = desk.entries(filled)[30]
    event = AuditEvent.FromString(row.leaf)
    event.principal = "spiffe://pdvault/acme/somebody-else"
    for values in ({"leaf": event.SerializeToString()}, {"leaf": b"\xff"}, {"leaf_hash": bytes(32)}):
        with desk.behind_its_back(t.audit_entry, {"tenant_uid": row.tenant_uid, "leaf_index": 30}, **values):
            check_named(desk, filled, query(), "audit_entry")


def test_an_edited_leaf_with_its_hash(desk: Desk, filled: str) -> None:
    """The index still tells what the leaf said before; the tree tells for certain (test_proofs)."""
    row = desk.entries(filled)[30]
    event = AuditEvent.FromString(row.leaf)
    event.principal = "spiffe://pdvault/acme/somebody-else"
    leaf = event.SerializeToString()
    values = {"leaf": leaf, "leaf_hash": leaf_hash(leaf)}
    with desk.behind_its_back(t.audit_entry, {"tenant_uid": row.tenant_uid, "leaf_index": 30}, **values):
        check_named(desk, filled, query(), "audit_event")


def test_a_leaf_of_another_tenant(desk: Desk, filled: str) -> None:
    foreign = desk.entries("acme")[3]
    uid = desk.tenant(filled).uid
    values = {"leaf": foreign.leaf, "leaf_hash": foreign.leaf_hash}
    with desk.behind_its_back(t.audit_entry, {"tenant_uid": uid, "leaf_index": 30}, **values):
        check_named(desk, filled, query(), "audit_entry")


def test_a_missing_entry(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    with desk.behind_its_back(t.audit_entry, {"tenant_uid": uid, "leaf_index": 30}, leaf_index=10**9):
        check_named(desk, filled, query(), "entry 30")


def test_an_index_row_that_points_to_another_subjects_event(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    mention = next(row for row in desk.inside.rows(t.audit_mention, tenant_uid=uid) if row.uid == UIDS[0] and row.kind == 1)
    others = [row for row in desk.entries(filled) if UIDS[0] not in b"".join(x.subject_uids for x in event_of(row).touched)]
    for moved in ({"leaf_index": others[-1].leaf_index}, {"time_us": mention.time_us - 1}):
        with desk.behind_its_back(t.audit_mention, mention._asdict(), **moved):
            check_named(desk, filled, query(subject_uid=UIDS[0]), "audit_mention")
            check_named(desk, filled, timeline(UIDS[0]), "audit_mention")
    with desk.behind_its_back(t.audit_mention, mention._asdict(), uid=b"\x99" * 16):
        check_named(desk, filled, timeline(b"\x99" * 16), "audit_mention")


def test_an_index_row_of_another_facet_or_time(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    rows = desk.inside.rows(t.audit_event, tenant_uid=uid)
    facets = {row.facet_id: row for row in desk.inside.rows(t.audit_facet, tenant_uid=uid)}
    row = next(row for row in rows if facets[row.facet_id].principal == PRINCIPALS[0])
    other = next(number for number, facet in facets.items() if facet.principal == PRINCIPALS[1])
    for values in ({"facet_id": other}, {"time_us": row.time_us + 1}, {"leaf_index": 0}):
        with desk.behind_its_back(t.audit_event, row._asdict(), **values):
            check_named(desk, filled, query(), "audit_event")
    with desk.behind_its_back(t.audit_event, row._asdict(), facet_id=other):
        check_named(desk, filled, query(principal=PRINCIPALS[1]), "audit_event")


@pytest.mark.parametrize("values", [{"principal": PRINCIPALS[2]}, {"facet_id": 5}, {"decision": 7}, {"policy_ids": "nobody"}])
def test_an_edited_facet_whether_the_filter_would_take_it_or_not(desk: Desk, filled: str, values) -> None:
    uid = desk.tenant(filled).uid
    facet = next(row for row in desk.inside.rows(t.audit_facet, tenant_uid=uid) if row.principal == PRINCIPALS[0])
    with desk.behind_its_back(t.audit_facet, {"tenant_uid": uid, "facet_id": facet.facet_id}, **values):
        for request in (query(principal=PRINCIPALS[0]), query(principal=PRINCIPALS[2]), query()):
            check_named(desk, filled, request, "audit_facet")


def test_a_missing_head(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    with desk.behind_its_back(t.audit_log, {"tenant_uid": uid}, tenant_uid=b"\x98" * 16):
        check_named(desk, filled, query(), "head")
