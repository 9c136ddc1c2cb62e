"""Finding events in a log by what the integrator indexed: facets, mentions, hours, boots. Whoever finds, checks (entries.py).

Events are in the order of (time, index). Newest first over many facets is a merge: of each facet only a few rows are read, all in
one statement, and then again from where the first facet ran out of them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.audit.index import Facet, number_of
from vault.errors import VaultError
from vault.store import tables as t
from vault.store.log.counts import LogCounts
from vault.store.log.reader import missing
from vault.store.log.rows import BootRow, EntryRow, EventRow, MentionRow
from vault.v1 import common_pb2

END_OF_TIME = 2**63 - 1
"""Microseconds: later than any event."""

_AT_LEAST = 8
"""Rows of a facet that are worth the way to its first one."""
_FACETS_REMEMBERED = 65_536
_MANY = 200
"""Facets from which on it is worth looking at the newest events whatever their facet, before looking facet by facet."""
_SCANNED = 8000
"""Events that are looked at so."""
_checked: dict[tuple[Any, ...], Facet] = {}
"""Facets by their rows that were checked once: it takes a hash. The rows are read each time, lest one was edited."""


class Spot(NamedTuple):
    """A place in the order of time."""

    time_us: int
    leaf_index: int


class Window(NamedTuple):
    """What of a log is looked at: entries below ``size``, strictly between two spots."""

    size: int
    after: Spot
    before: Spot

    @classmethod
    def between(cls, size: int, start_us: int, end_us: int) -> "Window":
        """Entries below ``size`` at or after ``start_us`` and before ``end_us``."""
        return cls(size, Spot(start_us, -1), Spot(end_us, -1))


_OF_FACET = (
    "SELECT time_us, leaf_index FROM audit_event WHERE tenant_uid = :tenant AND facet_id = {facet} AND leaf_index < :size "
    "AND (time_us, leaf_index) > (:after_time, :after_index) AND (time_us, leaf_index) < (:before_time, :before_index) "
    "ORDER BY {order} LIMIT :each"
)
_OF_EACH_FACET = (
    "SELECT f.facet_id, e.time_us, e.leaf_index FROM unnest(CAST(:facets AS bigint[])) AS f (facet_id) "
    "CROSS JOIN LATERAL ({of_facet}) AS e ORDER BY e.time_us DESC, e.leaf_index DESC LIMIT :limit"
)
"""For PostgreSQL. SQLite has no LATERAL, and no network that would make many small queries slow."""
_NEWEST, _OLDEST = "time_us DESC, leaf_index DESC", "time_us, leaf_index"


class LogQueries(LogCounts):
    """Reads a log by its indexes, on one connection."""

    def facets(self) -> dict[int, Facet]:
        """Every facet of the log by its number.

        Raises:
            VaultError: INTEGRITY, if one was altered: its number is a hash of what it says.
        """
        rows = self._connection.execute(sa.select(t.audit_facet).where(self._own(t.audit_facet))).all()
        return {row[1]: _checked.get(row) or _checked_facet(row) for row in map(tuple, rows)}

    def events(self, facets: Collection[int], window: Window, limit: int) -> list[EventRow]:
        """The newest events of these facets in a window, newest first, at most ``limit``."""
        found: list[EventRow] = []
        if len(facets) > _MANY:
            found, window, is_all = self._scanned(frozenset(facets), window, limit)
            if is_all:
                return found
        if len(facets) > limit:  # no others can be among the newest than those whose own newest ones are
            facets = [row.facet_id for row in self.newest_of_each(facets, window)[:limit]]
        each = max(_AT_LEAST, 4 * limit // max(1, len(facets)))
        while facets and len(found) < limit:
            rows = self._of_each(facets, window, each, _NEWEST, limit - len(found))
            whole = _whole(rows, each)
            found += rows[:whole]
            if whole == len(rows) and not _ran_out(rows, each):
                break
            window, each = window._replace(before=Spot(*found[-1][2:])), 4 * each
        return found

    def _scanned(self, facets: frozenset[int], window: Window, limit: int) -> tuple[list[EventRow], Window, bool]:
        """The newest events of these facets among the newest of all, the window before what was looked at, whether that is all.

        Gives up where the share of events found so far says that it would take more than ``_SCANNED``.
        """
        c = t.audit_event.c
        select = sa.select(t.audit_event).where(self._own(t.audit_event)).order_by(c.time_us.desc(), c.leaf_index.desc())
        found: list[EventRow] = []
        scanned, size = 0, 2 * limit
        while scanned + size <= _SCANNED:
            rows = self._connection.execute(select.where(*_within(c, window)).limit(size)).all()
            found += [EventRow(*row) for row in rows if row.facet_id in facets]
            if len(found) >= limit or len(rows) < size:
                return found[:limit], window, True
            window = window._replace(before=Spot(rows[-1].time_us, rows[-1].leaf_index))
            scanned += size
            size = 2 * scanned * (limit - len(found)) // max(1, len(found)) + limit
        return found, window, False

    def newest_of_each(self, facets: Collection[int], window: Window) -> list[EventRow]:
        """The newest event of each of these facets in a window, newest first."""
        return self._of_each(facets, window, 1, _NEWEST, len(facets))

    def oldest_of_each(self, facets: Collection[int], window: Window) -> list[EventRow]:
        """The oldest event of each of these facets in a window, newest first."""
        return self._of_each(facets, window, 1, _OLDEST, len(facets))

    def newest_mentions(self, kind: int, uid: bytes, window: Window, limit: int) -> list[MentionRow]:
        """The newest events in a window that mention a subject, token or request (audit/index.py), newest first."""
        c = t.audit_mention.c
        return self._mentions(kind, uid, window, limit, (c.time_us.desc(), c.leaf_index.desc()))

    def oldest_mentions(self, kind: int, uid: bytes, window: Window, limit: int) -> list[MentionRow]:
        """The same, oldest first."""
        c = t.audit_mention.c
        return self._mentions(kind, uid, window, limit, (c.time_us, c.leaf_index))

    def entries_at(self, indexes: Iterable[int]) -> dict[int, EntryRow]:
        """The entries with these indexes.

        Raises:
            VaultError: INTEGRITY, if one is missing.
        """
        wanted = set(indexes)
        select = sa.select(t.audit_entry).where(self._own(t.audit_entry), self._among(t.audit_entry.c.leaf_index, wanted))
        found = {row.leaf_index: row for row in (EntryRow(*row) for row in self._connection.execute(select))}
        if len(found) != len(wanted):
            raise missing(f"entry {min(wanted - found.keys())}")
        return found

    def boots(self, boot_ids: Iterable[bytes]) -> list[BootRow]:
        """How far these boots' chains have come, in the order in which they began."""
        c = t.audit_boot.c
        select = sa.select(t.audit_boot).where(self._own(t.audit_boot), c.boot_id.in_(list(boot_ids)))
        return [BootRow(*row) for row in self._connection.execute(select.order_by(c.start_index))]

    def _of_each(self, facets: Collection[int], window: Window, each: int, order: str, limit: int) -> list[EventRow]:
        """The first ``each`` of every facet in the given order, together newest first, at most ``limit``."""
        values = {
            "tenant": self._tenant_uid,
            "size": window.size,
            "after_time": window.after.time_us,
            "after_index": window.after.leaf_index,
            "before_time": window.before.time_us,
            "before_index": window.before.leaf_index,
            "each": each,
        }
        if self._connection.dialect.name == "postgresql":
            statement = _OF_EACH_FACET.format(of_facet=_OF_FACET.format(facet="f.facet_id", order=order))
            found = self._connection.execute(sa.text(statement), values | {"facets": list(facets), "limit": limit})
            return [EventRow(self._tenant_uid, *row) for row in found]
        cursor = self._connection.connection.cursor()
        statement = _OF_FACET.format(facet=":facet", order=order)
        rows = [
            EventRow(self._tenant_uid, facet, *row)
            for facet in facets
            for row in cursor.execute(statement, values | {"facet": facet})
        ]
        rows.sort(key=lambda row: row[2:], reverse=True)
        return rows[:limit]

    def _mentions(self, kind: int, uid: bytes, window: Window, limit: int, order: tuple[Any, ...]) -> list[MentionRow]:
        c = t.audit_mention.c
        select = sa.select(t.audit_mention).where(self._own(t.audit_mention), c.uid == uid, c.kind == kind, *_within(c, window))
        return [MentionRow(*row) for row in self._connection.execute(select.order_by(*order).limit(limit))]


def _checked_facet(row: tuple[Any, ...]) -> Facet:
    _, number, *fields = row
    facet = Facet(*fields)
    if number_of(facet) != number:
        raise altered("audit_facet", f"facet {number}")
    if len(_checked) >= _FACETS_REMEMBERED:
        _checked.clear()
    _checked[row] = facet
    return facet


def sizes(connection: sa.Connection, tenant_uids: Collection[bytes]) -> dict[bytes, int]:
    """How many entries these tenants' logs have."""
    c = t.audit_log.c
    rows = connection.execute(sa.select(c.tenant_uid, c.size).where(c.tenant_uid.in_(list(tenant_uids))))
    return {row.tenant_uid: row.size for row in rows}


def altered(table: str, which: str) -> VaultError:
    """The refusal for a row that does not say what the log says."""
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        f"{which} of {table} is not as the log has it, so it was altered or moved; the operator must investigate",
    )


def _within(columns: Any, window: Window) -> tuple[sa.ColumnElement[bool], ...]:
    spot = sa.tuple_(columns.time_us, columns.leaf_index)
    return columns.leaf_index < window.size, spot > sa.tuple_(*window.after), spot < sa.tuple_(*window.before)


def _ran_out(rows: Sequence[EventRow], each: int) -> bool:
    return max(Counter(row.facet_id for row in rows).values(), default=0) >= each


def _whole(rows: Sequence[EventRow], each: int) -> int:
    """How many of the merged rows are certain: up to the one that is the last read of its facet."""
    given = Counter[int]()
    for number, row in enumerate(rows, 1):
        given[row.facet_id] += 1
        if given[row.facet_id] == each:
            return number
    return len(rows)
