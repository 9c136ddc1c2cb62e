"""Aggregate counts what a look at every event counts."""

from collections import Counter

import pytest
from tests.audit_service.desk import Desk
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import BEGIN_US, HOUR_US, dice, filters
from tests.harness import context

from vault.v1 import audit_pb2
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import (
    BUCKET_DAY,
    BUCKET_HOUR,
    BUCKET_TOTAL,
    AggregateRequest,
    AggregateResponse,
    Dimension,
    EventFilter,
)

DAY_US = 24 * HOUR_US
VALUES = {
    "ACTION": lambda event: event.action,
    "DECISION": lambda event: audit_pb2.Decision.Name(event.decision).removeprefix("DECISION_"),
    "PRINCIPAL": lambda event: event.principal,
    "DATA_CLASS": lambda event: ",".join(sorted({t.data_class for t in event.touched} - {""})),
    "PURPOSE": lambda event: event.purpose,
    "RECIPIENT": lambda event: event.recipient,
    "NODE": lambda event: event.node,
}
COUNTED = ["action", "certificate_sha256", "data_class", "decision", "node", "policy_id", "principal", "purpose", "recipient"]


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    tenant = desk.new_tenant()
    fill(desk, tenant, 300, seed=77)
    return tenant


def aggregate(wanted: EventFilter | None = None, bucket: int = BUCKET_TOTAL, *dimensions: str) -> AggregateRequest:
    chosen = [Dimension.Value(f"DIMENSION_{name}") for name in dimensions]
    return AggregateRequest(context=context("audit"), filter=wanted, bucket=bucket, dimensions=chosen)


def naive(desk: Desk, tenant: str, response: AggregateResponse, matches, width_us: int, dimensions) -> list[tuple]:
    events, items = Counter(), Counter()
    for row in desk.entries(tenant)[: response.size]:
        event = AuditEvent.FromString(row.leaf)
        if matches(event):
            bucket = event.time_us // width_us * width_us if width_us else 0
            key = bucket, tuple(VALUES[name](event) for name in dimensions)
            events[key] += 1
            items[key] += sum(touched.count for touched in event.touched)
    return [(*key, events[key], items[key]) for key in sorted(events)]


def answered(response: AggregateResponse) -> list[tuple]:
    return [(c.time.ToMicroseconds() if c.HasField("time") else 0, tuple(c.values), c.events, c.items) for c in response.counts]


@pytest.mark.parametrize(("bucket", "width_us"), [(BUCKET_TOTAL, 0), (BUCKET_HOUR, HOUR_US), (BUCKET_DAY, DAY_US)])
@pytest.mark.parametrize("dimensions", [(), ("ACTION",), ("DECISION", "PRINCIPAL"), tuple(VALUES)])
def test_events_and_items_are_counted_by_time_and_dimensions(desk: Desk, filled: str, bucket, width_us, dimensions) -> None:
    response = desk.ask(aggregate(None, bucket, *dimensions), tenant=filled)
    assert answered(response) == naive(desk, filled, response, lambda _: True, width_us, dimensions)
    assert sum(count.events for count in response.counts) == response.size


@pytest.mark.parametrize("field", COUNTED)
def test_only_what_a_filter_matches_is_counted(desk: Desk, filled: str, field: str) -> None:
    values, matches = filters(dice(5))[field]
    if field == "policy_id":  # policies' own names hold no commas, by which those of an event are joined where it is counted
        values, matches = {"policy_id": "purpose-limitation"}, lambda event: "purpose-limitation" in event.policy_ids
    response = desk.ask(aggregate(EventFilter(**values), BUCKET_HOUR, "ACTION"), tenant=filled)
    assert answered(response) == naive(desk, filled, response, matches, HOUR_US, ["ACTION"])


def test_hours_that_the_times_fall_into_are_counted_whole(desk: Desk, filled: str) -> None:
    wanted = EventFilter()
    wanted.start_time.FromMicroseconds(BEGIN_US + 3 * HOUR_US + HOUR_US // 2)
    wanted.end_time.FromMicroseconds(BEGIN_US + 9 * HOUR_US + 1)
    start, end = (BEGIN_US // HOUR_US + 3) * HOUR_US, (BEGIN_US // HOUR_US + 10) * HOUR_US
    response = desk.ask(aggregate(wanted, BUCKET_HOUR), tenant=filled)
    assert answered(response) == naive(desk, filled, response, lambda e: start <= e.time_us < end, HOUR_US, [])
    assert response.counts


@pytest.mark.parametrize("field", ["subject_uid", "token_uid", "request_id"])
def test_what_is_not_counted_by_is_refused(desk: Desk, filled: str, field: str) -> None:
    refusal = desk.refused(aggregate(EventFilter(**filters(dice(1))[field][0])), tenant=filled)
    assert refusal.reason_name == "INVALID_FIELD"
    assert [violation.field for violation in refusal.violations] == [f"filter.{field}"]


def test_more_counts_than_one_answer_may_have_are_refused(desk: Desk, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = len(desk.ask(aggregate(None, BUCKET_HOUR, "NODE"), tenant=filled).counts)
    monkeypatch.setattr("vault.auditing.aggregate.MAX_COUNTS", exact - 1)
    assert desk.refused(aggregate(None, BUCKET_HOUR, "NODE"), tenant=filled).reason_name == "RESPONSE_TOO_LARGE"
