"""Query answers what looking at every event would, page by page, and nothing that the log does not say."""

from itertools import combinations

import pytest
from tests.audit_service.desk import Desk
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import BEGIN_US, NODES, PURPOSES, UIDS, Matches, dice, draft, filters, mentions
from tests.harness import context

from vault.auditing import walk
from vault.call import MAX_RESPONSE
from vault.store.log.rows import EntryRow
from vault.v1 import audit_pb2, audit_service_pb2
from vault.v1.audit_service_pb2 import EventFilter, QueryRequest

FIELDS = sorted(filters(dice(1)))


def query(wanted: EventFilter | None = None, **fields) -> QueryRequest:
    return QueryRequest(context=context("audit"), filter=wanted, **fields)


def pages(desk: Desk, tenant: str, wanted: EventFilter, page_size: int) -> list[audit_service_pb2.QueryResponse]:
    found, token = [], ""
    while not found or token:
        found.append(desk.ask(query(wanted, page_size=page_size, page_token=token), tenant=tenant))
        token = found[-1].next_page_token
    return found


Parsed = list[tuple[audit_pb2.AuditEvent, EntryRow]]


def parsed(desk: Desk, tenant: str) -> Parsed:
    return [(audit_pb2.AuditEvent.FromString(row.leaf), row) for row in desk.entries(tenant)]


def naive(log: Parsed, size: int, matches: Matches) -> list[tuple[int, bytes]]:
    """All events below a size that match, newest first."""
    fitting = [(event.time_us, row.leaf_index, row.leaf) for event, row in log if row.leaf_index < size and matches(event)]
    return [(index, leaf) for _, index, leaf in sorted(fitting, reverse=True)]


def answered(responses: list[audit_service_pb2.QueryResponse]) -> list[tuple[int, bytes]]:
    return [(entry.index, entry.leaf) for response in responses for entry in response.entries]


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    """A tenant with some hundred synthetic events; the seed is fixed, so that a failure can be repeated."""
    tenant = desk.new_tenant()
    fill(desk, tenant, 400, seed=20261122)
    return tenant


@pytest.mark.parametrize("field", FIELDS)
def test_one_filter_answers_what_a_look_at_every_event_finds(desk: Desk, filled: str, field: str) -> None:
    for seed in range(3):
        values, matches = filters(dice(seed))[field]
        responses = pages(desk, filled, EventFilter(**values), page_size=40)
        expected = naive(parsed(desk, filled), responses[0].size, matches)
        assert answered(responses) == expected
        assert all(len(response.entries) == 40 for response in responses[:-1])


def test_filters_add_up(desk: Desk, filled: str) -> None:
    log = parsed(desk, filled)
    for seed, fields in enumerate(combinations(FIELDS, 2)):
        chosen = filters(dice(seed))
        values = {name: value for field in fields for name, value in chosen[field][0].items()}
        if values.keys() >= {"start_time", "end_time"}:
            continue  # always together below
        responses = pages(desk, filled, EventFilter(**values), page_size=1000)
        expected = naive(log, responses[0].size, lambda e, c=chosen, f=fields: all(c[field][1](e) for field in f))
        assert answered(responses) == expected, fields


def test_without_a_filter_every_event_is_answered(desk: Desk, filled: str) -> None:
    responses = pages(desk, filled, EventFilter(), page_size=100)
    assert answered(responses) == naive(parsed(desk, filled), responses[0].size, lambda _: True)


def test_pages_stay_as_they_were_while_the_log_grows(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 60, seed=3)
    first = desk.ask(query(page_size=20), tenant=tenant)
    expected = naive(parsed(desk, tenant), first.size, lambda _: True)
    found, token = answered([first]), first.next_page_token
    for seed in range(4, 9):
        fill(desk, tenant, 30, seed)  # newer and older ones than those already answered
        page = desk.ask(query(page_size=20, page_token=token), tenant=tenant)
        assert page.size == first.size
        found, token = found + answered([page]), page.next_page_token
        if not token:
            break
    assert found == expected


def test_a_page_is_cut_where_its_leaves_would_not_fit_in_an_answer(desk: Desk) -> None:
    tenant = desk.new_tenant()
    uid = desk.tenant(tenant).uid
    for number in range(60):
        big = draft(dice(number), uid)
        big.details = {"padding": "x" * 60_000}
        desk.write([big], BEGIN_US + number)
    desk.integrate()
    responses = pages(desk, tenant, EventFilter(), page_size=1000)
    assert len(responses) > 1
    assert max(len(response.SerializeToString()) for response in responses) < MAX_RESPONSE
    assert answered(responses) == naive(parsed(desk, tenant), responses[0].size, lambda _: True)


def test_a_filter_that_nearly_nothing_matches_gives_short_pages_and_not_slow_ones(
    desk: Desk, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MAX_LOOKED_AT", 25)
    wanted = EventFilter(subject_uid=UIDS[0], node=NODES[0], purpose=PURPOSES[0])
    responses = pages(desk, filled, wanted, page_size=20)
    assert any(len(response.entries) < 20 for response in responses[:-1])
    log = parsed(desk, filled)
    expected = naive(log, responses[0].size, lambda e: e.node == NODES[0] and e.purpose == PURPOSES[0] and mentions(e, UIDS[0]))
    assert answered(responses) == expected
