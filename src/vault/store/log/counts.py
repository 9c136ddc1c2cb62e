"""Counting a log's events by what the integrator counted: by hour and facet, without reading any of them."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.log.reader import LogReader

_COUNTS = {
    "postgresql": "audit_count AS c JOIN unnest(CAST(:facets AS bigint[]), CAST(:numbers AS bigint[])) AS g (facet_id, number) "
    "USING (facet_id)",
    "sqlite": "(SELECT *, group_of(facet_id) AS number FROM audit_count)",
}


class Count(NamedTuple):
    """Events and items of one group of facets in one bucket of hours."""

    bucket: int
    group: int
    events: int
    items: int


class LogCounts(LogReader):
    """Counts what is in a log, on one connection."""

    def counts(self, groups: Mapping[int, int], start_hour: int, end_hour: int, hours: int, limit: int) -> list[Count]:
        """Events and items by bucket and group, in this order, at most ``limit``.

        Args:
            groups: which group each facet belongs to.
            start_hour: since 1970; the first that counts.
            end_hour: the first that doesn't.
            hours: in a bucket, or 0 for one bucket of all.
            limit: how many at most.
        """
        values = {"tenant": self._tenant_uid, "start": start_hour, "end": end_hour, "limit": limit}
        dialect = self._connection.dialect.name
        if dialect == "postgresql":
            values |= {"facets": list(groups.keys()), "numbers": list(groups.values())}
        else:
            self._connection.connection.create_function("group_of", 1, groups.get, deterministic=True)
        statement = (
            f"SELECT {f'hour / {hours:d}' if hours else '0'}, number, "  # noqa: S608  the text is all our own
            f"CAST(sum(events) AS bigint), CAST(sum(items) AS bigint) FROM {_COUNTS[dialect]} "
            "WHERE tenant_uid = :tenant AND hour >= :start AND hour < :end AND number IS NOT NULL "
            "GROUP BY 1, 2 ORDER BY 1, 2 LIMIT :limit"
        )
        return [Count(*row) for row in self._connection.execute(sa.text(statement), values)]

    def counted(self) -> int:
        """How many events were counted, of all facets and hours."""
        total = sa.cast(sa.func.coalesce(sa.func.sum(t.audit_count.c.events), 0), sa.BigInteger)
        return self._connection.scalar(sa.select(total).where(self._own(t.audit_count))) or 0

    def not_indexed(self, limit: int) -> list[int]:
        """The first entries that no row of the index leads to, at most ``limit``. Reads all rows."""
        entries = sa.select(t.audit_entry.c.leaf_index).where(self._own(t.audit_entry))
        indexed = sa.select(t.audit_event.c.leaf_index).where(self._own(t.audit_event))
        return list(self._connection.scalars(sa.except_(entries, indexed).order_by("leaf_index").limit(limit)))
