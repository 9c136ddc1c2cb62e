"""The tables that events are found by, against what each leaf says: a missing or false row hides an event, or accuses somebody."""

from collections import defaultdict
from collections.abc import Set as AbstractSet

import sqlalchemy as sa

from vault.audit.index import HOUR_US, REQUEST, SUBJECT, TOKEN, Facet, index, number_of, numbers_of
from vault.audit.leaf_form import is_well_formed
from vault.cli.audit.database_rows import ByIndex, Findings, select
from vault.v1.audit_pb2 import AuditEvent

_EVENTS = "SELECT leaf_index, facet_id, time_us FROM audit_event WHERE tenant_uid = :tenant ORDER BY leaf_index"
_MENTIONS = "SELECT leaf_index, kind, uid, time_us FROM audit_mention WHERE tenant_uid = :tenant ORDER BY leaf_index"
_COUNTS = "SELECT hour, facet_id, events, items FROM audit_count WHERE tenant_uid = :tenant"
_Found = tuple[int, int] | tuple[int, bytes, int]
"""(facet, time) of an event, (kind, uid, time) of a mention."""
_KINDS = {SUBJECT: "subject", TOKEN: "token", REQUEST: "request"}


class IndexTables:
    """audit_event, audit_mention, audit_facet and audit_count. Memory: one number a facet and hour."""

    def __init__(self, connection: sa.Connection, tenant_uid: bytes, findings: Findings) -> None:
        self._findings = findings
        self._events = ByIndex(select(connection, _EVENTS, tenant_uid), "audit_event", findings)
        self._mentions = ByIndex(select(connection, _MENTIONS, tenant_uid), "audit_mention", findings)
        self._counts = select(connection, _COUNTS, tenant_uid)
        self._facets = self._read_facets(connection, tenant_uid)
        self._used: dict[int, int] = {}  # the first entry of each facet
        self._counted = defaultdict[tuple[int, int], list[int]](lambda: [0, 0])
        self.rows = 0

    def observe(self, leaf_index: int, event: AuditEvent) -> None:
        """Compare what the next entry is found by."""
        facet, time_us, mentions, items = index(event)
        indexed = is_well_formed(event)
        rows = {(row[1], row[2]) for row in self._events.take(leaf_index)}
        number = self._number(facet, {row[0] for row in rows})
        expected_events: set[_Found] = {(number, time_us)} if indexed else set()
        expected_mentions: set[_Found] = {(kind, uid, time_us) for kind, uid in mentions} if indexed else set()
        if indexed:
            self._used.setdefault(number, leaf_index)
            count = self._counted[time_us // HOUR_US, number]
            count[0], count[1] = count[0] + 1, count[1] + items
        self._compare("audit_event", leaf_index, rows, expected_events)
        found: set[_Found] = {(row[1], bytes(row[2]), row[3]) for row in self._mentions.take(leaf_index)}
        self._compare("audit_mention", leaf_index, found, expected_mentions)
        self.rows += len(expected_events) + len(expected_mentions)

    def finish(self) -> None:
        """Compare what no single entry decides."""
        self._events.drop_rest()
        self._mentions.drop_rest()
        for number, leaf_index in self._used.items():
            if number not in self._facets:
                self._findings.add("audit_facet", f"facet {number} of entry {leaf_index} is missing")
        for number in sorted(self._facets - self._used.keys()):
            self._findings.add("audit_facet", f"no entry has the facet {number}")
        found = {(row.hour, row.facet_id): [row.events, row.items] for row in self._counts}
        for key in sorted(found.keys() | self._counted.keys()):
            if found.get(key) != self._counted.get(key):
                self._findings.add(
                    "audit_count",
                    f"facet {key[1]} in the hour {key[0]} since 1970 has {found.get(key)} events and items, "
                    f"the log says {self._counted.get(key)}",
                )

    def _read_facets(self, connection: sa.Connection, tenant_uid: bytes) -> set[int]:
        names = ", ".join(Facet._fields)
        statement = f"SELECT facet_id, {names} FROM audit_facet WHERE tenant_uid = :tenant ORDER BY 1"  # noqa: S608  our own names
        numbers = set()
        for row in select(connection, statement, tenant_uid):
            numbers.add(row[0])
            if number_of(Facet._make((*row[1:4], bytes(row[4]), *row[5:]))) != row[0]:
                self._findings.add("audit_facet", f"facet {row[0]} was edited: its number is not that of what it says")
        return numbers

    def _number(self, facet: Facet, found: AbstractSet[int | bytes]) -> int:
        """The number by which an entry is found, its own or the shared one; if it is by neither, that which there is."""
        own, others = numbers_of(facet)
        present = found if own in found or others in found else self._facets
        return others if own not in present and others in present else own

    def _compare(self, table: str, leaf_index: int, found: AbstractSet[_Found], expected: AbstractSet[_Found]) -> None:
        for row in sorted(expected - found):
            self._findings.add(table, f"entry {leaf_index} is not found by its {_words(row)}: the row is missing")
        for row in sorted(found - expected):
            self._findings.add(table, f"entry {leaf_index} is found by {_words(row)}, which it does not say: the row is false")


def _words(row: _Found) -> str:
    if len(row) == 2:
        return f"facet {row[0]} at {row[1]} us"
    kind, uid, time_us = row
    return f"{_KINDS.get(kind, f'kind {kind}')} {uid.hex()} at {time_us} us"
