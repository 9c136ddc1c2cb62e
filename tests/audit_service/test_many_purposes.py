"""Whatever callers write into purpose and recipient, there are few facets; and everything is found and counted by them as ever."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.synthetic import BEGIN_US, HOUR_US
from tests.harness import context

from vault.audit.events import Caller, Draft
from vault.auditing import aggregate
from vault.store import tables as t
from vault.store.log import facets
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1 import common_pb2
from vault.v1.audit_service_pb2 import (
    BUCKET_HOUR,
    DIMENSION_PRINCIPAL,
    DIMENSION_PURPOSE,
    AggregateRequest,
    Count,
    EventFilter,
    QueryRequest,
)

APP, OTHER = "spiffe://pdvault/acme/app", "spiffe://pdvault/acme/other"


def write(desk: Desk, tenant: str, purposes: list[str], principal: str = APP, recipient: str = "", hour: int = 0) -> None:
    caller = Caller(desk.tenant(tenant).uid, principal)
    drafts = []
    for purpose in purposes:
        drafts.append(Draft(caller, "Reveal", common_pb2.CallContext(purpose=purpose, recipient=recipient)))
        drafts[-1].touch("email", bytes(16), bytes(16))
    desk.write(drafts, BEGIN_US + hour * HOUR_US)
    desk.integrate()


def facets_of(desk: Desk, tenant: str, principal: str = APP) -> list[Any]:
    return [row for row in desk.inside.rows(t.audit_facet, tenant_uid=desk.tenant(tenant).uid) if row.principal == principal]


def found(desk: Desk, tenant: str, **wanted: Any) -> list[str]:
    request = QueryRequest(context=context("audit"), filter=EventFilter(action="Reveal", **wanted), page_size=1000)
    return [event_of(entry).purpose for entry in desk.ask(request, tenant=tenant).entries]


def counts(desk: Desk, tenant: str, *dimensions: int, bucket: int = 0, **wanted: Any) -> list[Count]:
    asked = EventFilter(action="Reveal", **wanted)
    return list(
        desk.ask(
            AggregateRequest(context=context("audit"), filter=asked, dimensions=dimensions, bucket=bucket),  # type: ignore[arg-type]
            tenant=tenant,
        ).counts
    )


def test_two_thousand_purposes_make_a_few_hundred_facets_and_each_is_found_and_counted(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, [f"purpose-{number}" for number in range(2_000)])
    assert len(facets_of(desk, tenant)) == facets.MAX_VARIANTS + 1
    for number in (0, facets.MAX_VARIANTS - 1, facets.MAX_VARIANTS, 1_999):
        assert found(desk, tenant, purpose=f"purpose-{number}") == [f"purpose-{number}"]
        assert [count.events for count in counts(desk, tenant, purpose=f"purpose-{number}")] == [1]
    assert found(desk, tenant, purpose="purpose-2000") == []
    assert [(count.events, count.items) for count in counts(desk, tenant)] == [(2_000, 2_000)]
    by_purpose = {count.values[0]: count.events for count in counts(desk, tenant, DIMENSION_PURPOSE)}
    assert by_purpose.pop("*") == 2_000 - facets.MAX_VARIANTS
    assert by_purpose == {f"purpose-{number}": 1 for number in range(facets.MAX_VARIANTS)}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """As many variants as a test can look at."""
    monkeypatch.setattr(facets, "MAX_VARIANTS", 2)
    return 2


@pytest.mark.usefixtures("few")
def test_queries_and_counts_are_what_a_look_at_every_event_gives(desk: Desk) -> None:
    tenant = desk.new_tenant()
    told = Counter[tuple[str, str, str, int]]()
    for hour, (principal, recipient) in enumerate([(APP, ""), (OTHER, "bank-7"), (APP, "bank-7"), (APP, ""), (OTHER, "")]):
        purposes = [f"p{number % (hour + 3)}" for number in range(12)]
        write(desk, tenant, purposes, principal, recipient, hour)
        told.update((principal, recipient, purpose, hour) for purpose in purposes)
    assert len(facets_of(desk, tenant)) == len(facets_of(desk, tenant, OTHER)) == 3
    for purpose in ("p0", "p1", "p4", "p6"):
        for wanted in ({"purpose": purpose}, {"purpose": purpose, "recipient": "bank-7"}, {"purpose": purpose, "principal": APP}):
            events = {
                key: number
                for key, number in told.items()
                if key[2] == purpose and wanted.get("recipient", key[1]) == key[1] and wanted.get("principal", key[0]) == key[0]
            }
            assert found(desk, tenant, **wanted) == [purpose] * sum(events.values())
            answered = {
                (count.values[0], count.time.ToMicroseconds()): count.events
                for count in counts(desk, tenant, DIMENSION_PRINCIPAL, bucket=BUCKET_HOUR, **wanted)
            }
            expected = Counter[tuple[str, int]]()
            for (principal, _, _, hour), number in events.items():
                expected[principal, (BEGIN_US // HOUR_US + hour) * HOUR_US] += number
            assert answered == dict(expected)


@pytest.mark.usefixtures("few")
def test_a_purpose_that_has_a_facet_keeps_it_when_another_node_takes_over(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a", "b", "c"])
    before = facets_of(desk, tenant)
    write(desk, tenant, ["b", "d", "a"])
    assert facets_of(desk, tenant) == before
    by_purpose = {count.values[0]: count.events for count in counts(desk, tenant, DIMENSION_PURPOSE)}
    assert by_purpose == {"a": 2, "b": 2, "*": 2}


@pytest.mark.usefixtures("few")
def test_one_callers_purposes_cost_no_other_callers_facets(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a", "b", "c", "d"])
    write(desk, tenant, ["payout"], OTHER)
    assert {row.purpose for row in facets_of(desk, tenant, OTHER)} == {"payout"}


@pytest.mark.usefixtures("few")
def test_counting_takes_hours_whole_also_where_events_are_read_for_it(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a", "b", "c"], hour=1)
    later = datetime.fromtimestamp(BEGIN_US // 1_000_000 + 3600 + 1, UTC)
    assert found(desk, tenant, purpose="c", start_time=later) == []
    assert [count.events for count in counts(desk, tenant, purpose="c", start_time=later)] == [1]


@pytest.mark.usefixtures("few")
def test_more_rare_purposes_than_can_be_read_at_once_are_not_counted_in_part(desk: Desk, monkeypatch) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a", "b", "c", "d", "e"])
    monkeypatch.setattr(aggregate, "MAX_READ", 3)
    assert [count.events for count in counts(desk, tenant, purpose="d")] == [1]
    monkeypatch.setattr(aggregate, "MAX_READ", 2)
    request = AggregateRequest(context=context("audit"), filter=EventFilter(purpose="d"))
    assert desk.refused(request, tenant=tenant).reason_name == "RESPONSE_TOO_LARGE"
    assert counts(desk, tenant)[0].events == 5


@pytest.mark.usefixtures("few")
def test_counts_that_lack_an_entry_or_have_one_too_many_are_refused(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a", "b", "c"])
    uid = desk.tenant(tenant).uid
    request = AggregateRequest(context=context("audit"))
    row = max(desk.inside.rows(t.audit_count, tenant_uid=uid), key=lambda row: row.hour)
    where = {"tenant_uid": uid, "hour": row.hour, "facet_id": row.facet_id}
    for events in (row.events - 1, row.events + 1):
        with desk.behind_its_back(t.audit_count, where, events=events):
            refusal = desk.refused(request, tenant=tenant)
        assert (refusal.reason_name, "audit_count" in refusal.message) == ("INTEGRITY", True)
    with desk.inside.engine.begin() as connection:
        for table in (t.audit_count, t.audit_event):
            mine = (table.c.tenant_uid == uid) & (table.c.facet_id == row.facet_id)
            assert connection.execute(sa.delete(table).where(mine)).rowcount
    refusal = desk.refused(request, tenant=tenant)
    assert (refusal.reason_name, "audit_event" in refusal.message) == ("INTEGRITY", True)


def test_entries_that_are_no_events_are_counted_nowhere_and_keep_nobody_from_counting(desk: Desk) -> None:
    tenant = desk.new_tenant()
    write(desk, tenant, ["a"])
    with desk.inside.engine.begin() as connection:
        insert(connection, t.audit_pending, [PendingRow(desk.tenant(tenant).uid, b"\x07" * 16, 0, BEGIN_US, b"\xff")])
    desk.integrate()
    assert [count.events for count in counts(desk, tenant)] == [1]
