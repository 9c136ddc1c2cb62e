"""Reading all of a published log, one entry after the other, each held against the root: so nothing can be left out.

An index beside the log can lose rows without anybody's noticing. Who must be sure reads everything.
"""

from collections.abc import Callable, Iterator, Sequence

from google.protobuf.message import DecodeError

from vault.audit.leaf_form import is_well_formed
from vault.audit.merkle import leaf_hashes
from vault.audit.tiles import TILE_WIDTH, width_of
from vault.auditing.log import Snapshots
from vault.auditing.tree import CheckedTree
from vault.store.log.queries import altered
from vault.v1.audit_pb2 import AuditEvent

Take = Callable[[int, AuditEvent], None]
"""(index, event) → what becomes of it."""

_TILES = 16
"""Tiles that are read in one snapshot."""


def walk(at: Snapshots, tree: CheckedTree, needles: Sequence[bytes], take: Take) -> Iterator[None]:
    """Give all events of a log that have one of some bytes in their leaves to ``take``, in the order of the log, step by step.

    What somebody edited before it entered the log, so that it is no event of this log any more, is left out, as everywhere.

    Args:
        at: the log; each step may see it in a new snapshot.
        tree: the published one, up to which is read.
        needles: what is looked for; of entries without any, only the hash is looked at. All events have the empty one.
        take: what is done with each event.

    Raises:
        VaultError: INTEGRITY, if an entry is not as the published root has it; DEADLINE_EXCEEDED.
    """
    for tile in range(-(-tree.size // TILE_WIDTH)):
        if tile % _TILES == 0:
            yield
        for index, leaf in _leaves(at, tree, tile):
            event = _event(leaf) if any(needle in leaf for needle in needles) else None
            if event is not None and event.tenant_uid == at.log.head.tenant_uid:
                take(index, event)


def _leaves(at: Snapshots, tree: CheckedTree, tile: int) -> list[tuple[int, bytes]]:
    at.log.check_deadline()
    start = tile * TILE_WIDTH
    rows = at.log.queries.entries(start, start + width_of(0, tile, tree.size))
    hashes = leaf_hashes([row.leaf for row in rows])
    for row, computed in zip(rows, hashes, strict=True):
        if row.leaf_hash != computed:
            raise altered("audit_entry", f"entry {row.leaf_index}")
    tree.check_leaves(at.log, tile, hashes)
    return [(row.leaf_index, row.leaf) for row in rows]


def _event(leaf: bytes) -> AuditEvent | None:
    try:
        event = AuditEvent.FromString(leaf)
    except DecodeError:
        return None
    return event if is_well_formed(event) else None
