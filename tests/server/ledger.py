"""What stands in a vault's database while a server is using it: every row, and the audit events."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from vault.server.config import Config
from vault.store import engine as engines
from vault.store import tables as t
from vault.v1 import audit_pb2

OWN = ("BootStarted", "BootEndorsed", "NodeStarted", "NodeStopping", "CallsRefused", "UnauthenticatedCalls", "KmsAway", "KmsBack")
"""What a server says itself, when it is time for it and not because of a call."""


class Ledger:
    """A second pair of eyes on a PostgreSQL vault."""

    def __init__(self, config: Config) -> None:
        self._engine = engines.postgres(config.database.url or "")

    def rows(self) -> Mapping[str, tuple[int, str]]:
        """For every table but those of the audit log: how many rows, and a hash of all they hold."""
        with self._engine.connect() as connection:
            return {name: (count, digest) for name, count, digest in connection.execute(_ALL)}

    def leaves(self) -> int:
        """How many audit events there are, without what a server says itself."""
        return len(self.events())

    def events(self, after: int = 0) -> list[audit_pb2.AuditEvent]:
        """The audit events but the first ``after``, as they were written, without what a server says itself."""
        return [event for event in self.everything() if event.action not in OWN][after:]

    def everything(self) -> list[audit_pb2.AuditEvent]:
        """All audit events, as they were written."""
        with self._engine.connect() as connection:
            events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in all_leaves(connection)]
        return sorted(events, key=lambda event: (event.time_us, event.boot_id, event.boot_sequence))

    def execute(self, statement: sa.Executable) -> None:
        """Do to the database what its administrator can do."""
        with self._engine.begin() as connection:
            connection.execute(statement)

    @contextmanager
    def locked(self, table: sa.Table) -> Iterator[Callable[[], bool]]:
        """Keep everybody from writing to a table; the function given says whether somebody waits for that."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = (SELECT CAST(:name AS regclass))"
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f'LOCK TABLE "{table.name}" IN EXCLUSIVE MODE')
            yield lambda: connection.execute(sa.text(waiting), {"name": table.name}).scalar_one() > 0

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def all_leaves(connection: sa.Connection) -> list[bytes]:
    """The leaves of all logs, those that are still pending too."""
    both = sa.union_all(sa.select(t.audit_entry.c.leaf), sa.select(t.audit_pending.c.leaf))
    return [bytes(leaf) for leaf in connection.scalars(both)]


def _digest(table: sa.Table) -> sa.Select[tuple[str, int, str]]:
    row = sa.cast(sa.literal_column(f'"{table.name}"'), sa.Text)
    everything = sa.func.md5(sa.func.string_agg(row, aggregate_order_by(sa.literal("\n"), row)))
    return sa.select(sa.literal(table.name), sa.func.count(), sa.func.coalesce(everything, "")).select_from(table)


_ALL = sa.union_all(*(_digest(table) for table in t.metadata.sorted_tables if not table.name.startswith("audit_")))
