"""The hashes of a published tree, read tile by tile, each held against the hash above it up to the published root."""

from collections import OrderedDict
from collections.abc import Sequence

from vault.audit import merkle
from vault.audit.tiles import TILE_WIDTH, width_of
from vault.auditing.log import AuditLog, Published
from vault.store.log.queries import altered

_REMEMBERED = 64
"""Tiles: those that many others are held against come again and again."""


class CheckedTree:
    """One published tree. Reads it in as many snapshots as its user likes, since what was published never changes."""

    def __init__(self, published: Published) -> None:
        self.size = published.size
        self._root = published.root
        self._tiles = OrderedDict[tuple[int, int], Sequence[bytes]]()

    def tile(self, log: AuditLog, level: int, index: int) -> Sequence[bytes]:
        """The hashes of a tile, as many as the tree has.

        Raises:
            VaultError: INTEGRITY, if they are not those of the published tree.
        """
        known = self._tiles.get((level, index))
        if known is not None:
            self._tiles.move_to_end((level, index))
            return known
        start, width = index * TILE_WIDTH, width_of(level, index, self.size)
        hashes = log.queries.hashes(level, start, start + width)
        if width == TILE_WIDTH:
            self._check_full(log, level, index, hashes)
        elif merkle.root(log.queries.hashes, self.size) != self._root:  # it is part of the right edge, and so of the root itself
            raise altered("audit_entry or audit_node", "the right edge of the tree")
        self._tiles[level, index] = hashes
        if len(self._tiles) > _REMEMBERED:
            self._tiles.popitem(last=False)
        return hashes

    def check_leaves(self, log: AuditLog, index: int, hashes: Sequence[bytes]) -> None:
        """Refuse the hashes of all leaves of a tile, if they are not those of the published tree.

        Raises:
            VaultError: INTEGRITY.
        """
        if len(hashes) == TILE_WIDTH:
            self._check_full(log, 0, index, hashes)
        elif list(hashes) != list(self.tile(log, 0, index)):
            raise altered("audit_entry", f"tile {index} of level 0")

    def _check_full(self, log: AuditLog, level: int, index: int, hashes: Sequence[bytes]) -> None:
        above = self.tile(log, level + 1, index // TILE_WIDTH)[index % TILE_WIDTH]
        if merkle.perfect_root(hashes) != above:
            raise altered("audit_node" if level else "audit_entry", f"tile {index} of level {level}")
