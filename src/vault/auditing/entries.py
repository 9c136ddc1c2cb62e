"""Entries read by an index, checked before anybody sees them: the leaf against its hash, the index against what the leaf says."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.audit.index import Indexed, index, numbers_of
from vault.audit.merkle import leaf_hash
from vault.store.log.queries import LogQueries, altered
from vault.store.log.rows import EntryRow, EventRow, MentionRow
from vault.v1 import audit_service_pb2
from vault.v1.audit_pb2 import AuditEvent

_AT_ONCE = 128
"""Entries in memory at once: each may have 64 KiB."""


class Found(NamedTuple):
    """An entry of the log, checked: where it is, its bytes, what they say, and what it is found by."""

    leaf_index: int
    leaf: bytes
    event: AuditEvent
    indexed: Indexed

    def entry(self) -> audit_service_pb2.LogEntry:
        """The entry as it is answered."""
        return audit_service_pb2.LogEntry(index=self.leaf_index, leaf=self.leaf)


def read(row: EntryRow) -> Found | None:
    """An entry whose leaf hashes to what the tree was made of; None if its leaf is no event of this log.

    That can be: what is edited while it waits to be added to the log is added as it is, so that everybody can see it.

    Raises:
        VaultError: INTEGRITY, if the leaf is not the one that was added.
    """
    if leaf_hash(row.leaf) != row.leaf_hash:
        raise altered("audit_entry", f"entry {row.leaf_index}")
    try:
        event = AuditEvent.FromString(row.leaf)
    except DecodeError:
        return None
    return Found(row.leaf_index, row.leaf, event, index(event)) if event.tenant_uid == row.tenant_uid else None


def opened(row: EntryRow) -> Found:
    """The same of an entry that an index points to, which is an event.

    Raises:
        VaultError: INTEGRITY.
    """
    found = read(row)
    if found is None:
        raise altered("audit_entry", f"entry {row.leaf_index}")
    return found


def found_by(log: LogQueries, rows: Sequence[EventRow | MentionRow]) -> Iterator[Found]:
    """The entries to which rows of an index point, in their order.

    Raises:
        VaultError: INTEGRITY, if an entry is missing or altered, or a row points to an event of which it is not true.
    """
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        entries = log.entries_at(row.leaf_index for row in some)
        for row in some:
            found = opened(entries[row.leaf_index])
            _check(row, found.indexed)
            yield found


def _check(row: EventRow | MentionRow, indexed: Indexed) -> None:
    if isinstance(row, EventRow):
        table, true = "audit_event", row.facet_id in numbers_of(indexed.facet)
    else:
        table, true = "audit_mention", (row.kind, row.uid) in indexed.mentions
    if not true or row.time_us != indexed.time_us:
        raise altered(table, f"the row of entry {row.leaf_index}")
