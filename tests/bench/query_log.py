"""Time every filter of Query over a log that fill_log has filled: ``python -m tests.bench.query_log URL TENANT_UID``.

Each filter is asked for its first page of 100 with fresh values a few times, and for a page deep inside; the table shows the median
and the slowest. What is timed is the reading: admission is a call like any other.
"""

import argparse
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from tests.bench.synthetic_log import BEGIN_US, TOKENS_EACH, YEAR_US, SyntheticLog

from vault.audit.index import HOUR_US
from vault.auditing import query
from vault.auditing.log import AuditLog
from vault.store import engine as engines
from vault.store import tables as t
from vault.store.log.queries import LogQueries
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import EventFilter, QueryRequest

ROUNDS = 7
Make = Callable[[random.Random], EventFilter]


def filters(engine: sa.Engine, log: SyntheticLog) -> dict[str, Make]:
    """A maker of filters for each field."""

    def some(dice: random.Random) -> AuditEvent:
        c = t.audit_entry.c
        select = sa.select(c.leaf).where(c.tenant_uid == log.tenant_uid, c.leaf_index == dice.randrange(log.size))
        with engine.connect() as connection:
            return AuditEvent.FromString(connection.scalar(select) or b"")

    def field(name: str) -> Make:
        def make(dice: random.Random) -> EventFilter:
            while not (value := getattr(some(dice), name)):
                pass
            return EventFilter(**{name: value})

        return make

    def window(dice: random.Random) -> EventFilter:
        begin = BEGIN_US + dice.randrange(YEAR_US - HOUR_US)
        made = EventFilter()
        made.start_time.FromMicroseconds(begin)
        made.end_time.FromMicroseconds(begin + HOUR_US)
        return made

    def request(dice: random.Random) -> EventFilter:
        return EventFilter(request_id=str(uuid.UUID(bytes=some(dice).request_id)))

    return {
        "none": lambda dice: EventFilter(),
        "time (1 hour)": window,
        **{name: field(name) for name in ("principal", "action", "decision", "purpose", "recipient", "node", "certificate_sha256")},
        "decision = denied": lambda dice: EventFilter(decision=2),  # type: ignore[arg-type]
        "data_class": lambda dice: EventFilter(data_class=some(dice).touched[0].data_class),
        "policy_id": lambda dice: EventFilter(policy_id=f"role-{dice.randrange(4)}"),
        "request_id": request,
        "subject (any)": lambda dice: EventFilter(subject_uid=some(dice).touched[0].subject_uids),
        "subject (busiest)": lambda dice: EventFilter(subject_uid=log.uid("subject", 1)),
        "token": lambda dice: EventFilter(token_uid=log.uid("token", TOKENS_EACH * dice.randrange(2, 1000))),
        "principal + class + denied": lambda dice: EventFilter(
            principal="spiffe://pdvault/acme/service-5",
            data_class="email",
            decision=2,  # type: ignore[arg-type]
        ),
    }


def timed(engine: sa.Engine, log: SyntheticLog, make: Make) -> Iterator[tuple[float, float, int]]:
    """Milliseconds for the first page and for the second, and the events on the first."""
    for number in range(ROUNDS):
        wanted = make(random.Random(number))  # noqa: S311  not for secrets
        first, answer = _page(engine, log, wanted, "")
        second, _ = _page(engine, log, wanted, answer.next_page_token) if answer.next_page_token else (0.0, None)
        yield first, second, len(answer.entries)


def _page(engine: sa.Engine, log: SyntheticLog, wanted: EventFilter, token: str) -> tuple[float, Any]:
    begin = time.perf_counter()
    with engines.reading(engine, 60.0) as connection:
        read = AuditLog(LogQueries(connection, log.tenant_uid), lambda _: bytes(32), (), time.monotonic() + 60)
        answer = query.answer(read, QueryRequest(filter=wanted, page_token=token))
    return (time.perf_counter() - begin) * 1000, answer


def main() -> None:
    """Read the command line, time, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("tenant_uid", type=bytes.fromhex)
    arguments = parser.parse_args()
    engine = engines.postgres(arguments.url)
    with engine.connect() as connection:
        size = connection.scalar(sa.select(t.audit_log.c.size).where(t.audit_log.c.tenant_uid == arguments.tenant_uid)) or 0
        facets = connection.scalar(sa.select(sa.func.count()).select_from(t.audit_facet))
    log = SyntheticLog(arguments.tenant_uid, size)
    table = Table(title=f"{size:,} events, {facets:,} facets; milliseconds, {ROUNDS} rounds")
    for name in ("filter", "first page: median", "slowest", "next page: median", "slowest", "events"):
        table.add_column(name, justify="left" if name == "filter" else "right")
    for name, make in filters(engine, log).items():
        firsts, seconds, events = zip(*timed(engine, log, make), strict=True)
        numbers = (statistics.median(firsts), max(firsts), statistics.median(seconds), max(seconds))
        table.add_row(name, *(f"{number:.1f}" for number in numbers), str(max(events)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
