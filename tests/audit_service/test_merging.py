"""The newest events of many facets are found without reading all of them, and are the same that sorting all of them gives."""

import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.audit_service.desk import Desk

from vault.store import tables as t
from vault.store.engine import reading
from vault.store.log import queries
from vault.store.log.queries import LogQueries, Spot, Window
from vault.store.log.rows import EventRow
from vault.store.writes import insert

FACETS = range(1, 9)
EVENTS = st.lists(st.tuples(st.sampled_from(FACETS), st.integers(0, 30)), max_size=60)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds at which few events are many."""
    monkeypatch.setattr(queries, "_AT_LEAST", 1)
    monkeypatch.setattr(queries, "_SCANNED", 7)


def window_of(size: int, bounds: tuple[int, int, int, int]) -> Window:
    after_time, after_index, before_time, before_index = bounds
    return Window(size, Spot(after_time, after_index), Spot(before_time, before_index))


@pytest.mark.parametrize("many", [0, 3, 100], ids=["always-scanned", "sometimes", "never"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    facets=st.frozensets(st.sampled_from(FACETS)),
    size=st.integers(0, 70),
    bounds=st.tuples(st.integers(-1, 31), st.integers(-1, 60), st.integers(-1, 31), st.integers(-1, 60)),
    limit=st.integers(1, 70),
)
def test_the_newest_of_many_facets(desk: Desk, monkeypatch, many: int, events, facets, size, bounds, limit) -> None:
    monkeypatch.setattr(queries, "_MANY", many)
    uid, window = secrets.token_bytes(16), window_of(size, bounds)
    rows = [EventRow(uid, facet, time_us, index) for index, (facet, time_us) in enumerate(events)]
    if rows:
        with desk.inside.engine.begin() as connection:
            insert(connection, t.audit_event, rows)
    with reading(desk.inside.engine, 30.0) as connection:
        log = LogQueries(connection, uid)
        found = log.events(sorted(facets), window, limit)
        newest, oldest = log.newest_of_each(sorted(facets), window), log.oldest_of_each(sorted(facets), window)
    inside = [
        row
        for row in rows
        if row.facet_id in facets and row.leaf_index < size and window.after < (row.time_us, row.leaf_index) < window.before
    ]
    inside.sort(key=lambda row: row[2:], reverse=True)
    assert found == inside[:limit]
    assert newest == [row for row in inside if row == max((r for r in inside if r.facet_id == row.facet_id), key=lambda r: r[2:])]
    assert oldest == [row for row in inside if row == min((r for r in inside if r.facet_id == row.facet_id), key=lambda r: r[2:])]
