"""Fill a PostgreSQL vault's log with millions of events: ``python -m tests.bench.fill_log vault.toml acme --events 10000000``.

Writes what the integrator would have written, faster: without pending rows, and with keys and indexes made at the end.
"""

import argparse
import multiprocessing
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.progress import track
from tests.bench.synthetic_log import CHUNK, SyntheticLog

from vault.audit.merkle import CompactRange
from vault.server import config as configuration
from vault.server.node import Node
from vault.store import tables as t
from vault.store.log.rows import CountRow, FacetRow, NodeRow
from vault.store.writes import insert

BULK = (t.audit_entry, t.audit_event, t.audit_mention)


def fill(engine: sa.Engine, log: SyntheticLog) -> None:
    """Write the whole log; its tables must be empty for the tenant."""
    with engine.begin() as connection:
        for table in BULK:
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" DROP CONSTRAINT "pk_{table.name}"')
    tail, facets = CompactRange(), set[FacetRow]()
    counts: Counter[tuple[int, int]] = Counter()
    items: Counter[tuple[int, int]] = Counter()
    url = engine.url.render_as_string(hide_password=False)
    numbers = range(-(-log.size // CHUNK))
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), _open, (url, log)) as pool, engine.begin() as connection:
        for hashes, new_facets, new_counts in track(pool.imap(_write, numbers), f"{log.size:,} events", total=len(numbers)):
            facets |= new_facets
            for row in new_counts:
                counts[row.hour, row.facet_id] += row.events
                items[row.hour, row.facet_id] += row.items
            nodes = [NodeRow(log.tenant_uid, *node) for node in tail.extend(hashes)]
            if nodes:
                insert(connection, t.audit_node, nodes)
        insert(connection, t.audit_facet, sorted(facets))
        rows = [CountRow(log.tenant_uid, hour, facet, n, items[hour, facet]) for (hour, facet), n in counts.items()]
        insert(connection, t.audit_count, rows)
        head = t.audit_log.update().where(t.audit_log.c.tenant_uid == log.tenant_uid)
        connection.execute(head.values(size=log.size, root=tail.root()))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
        for table in track(BULK, "keys and indexes"):
            columns = ", ".join(column.name for column in table.primary_key.columns)
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ADD CONSTRAINT "pk_{table.name}" PRIMARY KEY ({columns})')
        connection.exec_driver_sql("VACUUM ANALYZE")


_worker: dict[str, Any] = defaultdict()


def _open(url: str, log: SyntheticLog) -> None:
    _worker["engine"], _worker["log"] = sa.create_engine(url), log


def _write(number: int) -> tuple[Sequence[bytes], set[FacetRow], Iterable[CountRow]]:
    rows = _worker["log"].chunk(number)
    with _worker["engine"].begin() as connection:
        for table, part in zip(BULK, (rows.entries, rows.events, rows.mentions), strict=True):
            insert(connection, table, part)
    return rows.hashes, rows.facets, rows.counts


def main() -> None:
    """Read the command line and fill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("tenant")
    parser.add_argument("--events", type=int, default=10_000_000)
    arguments = parser.parse_args()
    node = Node(configuration.load(arguments.config))
    with node.engine.connect() as connection:
        uid = connection.scalar(sa.select(t.tenant.c.uid).where(t.tenant.c.name == arguments.tenant))
    begin = time.monotonic()
    fill(node.engine, SyntheticLog(uid, arguments.events))
    print(f"{arguments.events / (time.monotonic() - begin):,.0f} events a second")  # noqa: T201
    os._exit(0)  # the node's boot has written nothing


if __name__ == "__main__":
    main()
