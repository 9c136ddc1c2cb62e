"""The boots whose leaves an export holds, and where their chains begin: without that, nobody could check them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from vault.audit.tiles import TILE_WIDTH
from vault.auditing.log import Snapshots
from vault.store.log.queries import altered
from vault.store.log.rows import BootRow, EntryRow
from vault.v1.audit_pb2 import AuditEvent

_AT_ONCE = 500


@dataclass
class _Seen:
    """Where a boot's first leaf and its endorsement were read."""

    first: int
    endorsed: int | None = None


class SeenBoots:
    """Boots by id, some of them only because they stand in a bundle beside the others."""

    def __init__(self) -> None:
        self._seen: dict[bytes, _Seen] = {}
        self._rows: list[BootRow] = []

    def see(self, row: EntryRow) -> None:
        """Note whose leaf it is; one that is no event of this log is nobody's."""
        try:
            event = AuditEvent.FromString(row.leaf)
        except DecodeError:
            return
        if event.tenant_uid != row.tenant_uid:
            return
        seen = self._seen.get(event.boot_id)
        if seen is None:
            seen = self._seen[event.boot_id] = _Seen(row.leaf_index)
        seen.first = min(seen.first, row.leaf_index)
        if event.boot_endorsement and (seen.endorsed is None or row.leaf_index < seen.endorsed):
            seen.endorsed = row.leaf_index

    def beginnings(self, at: Snapshots, size: int, sent: Iterable[int]) -> list[int]:
        """The numbers of the bundles with the beginnings of all boots seen so far, without those that are ``sent`` already.

        Raises:
            VaultError: INTEGRITY, if a boot is not among those that the log began with.
        """
        self._rows = list(self._known(at))
        if len(self._rows) != len(self._seen):
            raise altered("audit_boot", "a boot")
        indexes = (index for row in self._rows for index in (row.start_index, row.endorse_index) if index is not None)
        return sorted({index // TILE_WIDTH for index in indexes if index < size} - set(sent))

    def check(self, size: int) -> None:
        """Refuse to have sent beginnings that are none, once the bundles that ``beginnings`` named are read as well.

        Raises:
            VaultError: INTEGRITY.
        """
        for row in self._rows:
            seen = self._seen[row.boot_id]
            endorsed = row.endorse_index if row.endorse_index is not None and row.endorse_index < size else None
            if (seen.first, seen.endorsed) != (row.start_index, endorsed):
                raise altered("audit_boot", f"boot {row.boot_id.hex()}")

    def _known(self, at: Snapshots) -> Iterator[BootRow]:
        boot_ids = list(self._seen)
        for begin in range(0, len(boot_ids), _AT_ONCE):
            yield from at.log.queries.boots(boot_ids[begin : begin + _AT_ONCE])
