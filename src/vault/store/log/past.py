"""What a log's tree says of boots that began before: their keys, their endorsements, and how far their chains have come.

Rows only say where to look. Whoever can write to the database can write anything into them: so each leaf that is believed is proven
to be in the tree, and a boot's last one is looked for from the end on, in leaves that are proven to be all that are there.
"""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from vault.audit.merkle import leaf_hash
from vault.audit.merkle_proofs import is_included
from vault.audit.note import Verifier
from vault.store import tables as t
from vault.store.log.batch import parse
from vault.store.log.chains import Boot
from vault.store.log.reader import LogReader
from vault.store.log.rows import BootRow, EntryRow, PendingRow
from vault.v1.audit_pb2 import AuditEvent

_TILE = 256
_NO_HASH = b""
"""Nothing continues it: whatever comes next of a boot whose last leaf can't be proven, is told."""


class FarBackError(Exception):
    """A boot's last leaf is further back than was to be looked."""


class Past:
    """Reads the first ``size`` entries of a log, whose root was verified, on one connection."""

    def __init__(self, connection: sa.Connection, tenant_uid: bytes, log_key: Verifier, size: int, root: bytes) -> None:
        self._connection = connection
        self._log_key = log_key
        self._tenant_uid = tenant_uid
        self._size, self._root = size, root
        self._reader = LogReader(connection, tenant_uid)
        self._nodes: dict[tuple[int, int, int], Sequence[bytes]] = {}

    def boots(self, boot_ids: Collection[bytes], reach: int) -> dict[bytes, Boot]:
        """Those of these boots that began here, as their last leaves leave them.

        It takes some 20 µs an entry from the end back to the last leaf of the boot that was silent for longest.

        Args:
            boot_ids: of any length.
            reach: about how many entries to look back at most.

        Raises:
            FarBackError: that was not enough.
        """
        c = t.audit_boot.c
        began = (c.tenant_uid == self._tenant_uid) & (c.start_index < self._size) & c.boot_id.in_(list(boot_ids))
        rows = map(BootRow._make, self._connection.execute(sa.select(t.audit_boot).where(began)))
        found = {row.boot_id: self._begun(row) for row in rows}
        sought = dict(found)
        end = self._size
        while sought and end > max(0, min(boot.start_index for boot in sought.values())):
            if end <= self._size - reach:
                raise FarBackError
            start = (end - 1) // _TILE * _TILE
            entries = self._proven(start, end)
            if not entries:
                break
            for entry in reversed(entries):
                event = self._event_of(sought, entry)
                if event is not None:
                    boot = sought.pop(event.boot_id)
                    boot.next_sequence, boot.last_hash = event.boot_sequence + 1, leaf_hash(entry.leaf)
            end = start
        return found

    def _begun(self, row: BootRow) -> Boot:
        """A boot with the key and the endorsement that leaves of it hold, and no end yet."""
        boot = Boot(row._replace(endorse_index=None, next_sequence=0, last_hash=_NO_HASH))
        start = self._event(row.boot_id, row.start_index)
        endorsed = self._event(row.boot_id, row.endorse_index)
        if start and start.boot_sequence == 0:
            boot.public_key = start.boot_public_key
        if endorsed and endorsed.boot_endorsement:
            boot.endorse_index = row.endorse_index
            boot.endorse(self._log_key, endorsed.boot_endorsement)
        return boot

    def _event_of(self, sought: Collection[bytes], entry: EntryRow) -> AuditEvent | None:
        """The event of an entry, if it is of one of these boots; to parse each would take ten times as long."""
        if not any(boot_id in entry.leaf for boot_id in sought):
            return None
        event = self._followed(entry)
        return event if event is not None and event.boot_id in sought else None

    def _followed(self, entry: EntryRow) -> AuditEvent | None:
        """The event of an entry, if it is one that chains were followed through."""
        _, event, problem = parse(self._tenant_uid, PendingRow(self._tenant_uid, b"", 0, 0, entry.leaf))
        return None if problem else event

    def _event(self, boot_id: bytes, index: int | None) -> AuditEvent | None:
        """The event at an index, if it is in the tree and the boot's."""
        if index is None or not 0 <= index < self._size:
            return None
        (entry,) = self._reader.entries(index, index + 1)
        if not self._is_in(index, leaf_hash(entry.leaf)):
            return None
        event = self._followed(entry)
        return event if event is not None and event.boot_id == boot_id else None

    def _proven(self, start: int, end: int) -> list[EntryRow]:
        """The entries of a tile; none if they are not those in the tree."""
        entries = self._reader.entries(start, end)
        hashes = [leaf_hash(entry.leaf) for entry in entries]
        return entries if self._is_in(start, hashes[0], hashes) else []

    def _is_in(self, index: int, hash_: bytes, tile: Sequence[bytes] = ()) -> bool:
        """Whether a leaf is in the tree; and with it all of its tile, if its hashes are given."""

        def source(level: int, start: int, end: int) -> Sequence[bytes]:
            if level == 0 and tile and start == index:
                return tile
            wanted = level, start, end
            if wanted not in self._nodes:
                self._nodes[wanted] = self._reader.hashes(*wanted)
            return self._nodes[wanted]

        return is_included(source, index, self._size, hash_, self._root)
