"""The tree of a bundle, from the root down: every hash that is there must be made of those below it.

A full tile's 256 hashes have one root, which is a hash of the level above; the tiles at the right edge have the tree's.
"""

from collections.abc import Iterator, Sequence

from vault.audit.bundle import Bundle
from vault.audit.checkpoint import Checkpoint
from vault.audit.merkle import leaf_hashes, perfect_root, root
from vault.audit.merkle_proofs import ProofError, verify_consistency
from vault.audit.note import encode_base64
from vault.audit.tiles import TILE_WIDTH, tile_path
from vault.audit.verify_errors import WrongError

_HASH = 32


class Tree:
    """The tiles of a bundle as a source of hashes (``merkle.HashSource``). Remembers one tile a level."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._last: dict[int, tuple[int, bytes]] = {}

    def __call__(self, level: int, start: int, end: int) -> Sequence[bytes]:
        """Hashes [start, end) of one tile level, all within one tile.

        Raises:
            UncheckedError: the tile is missing.
            WrongError: the tile has another length.
        """
        index, offset = divmod(start, TILE_WIDTH)
        return split(self.tile(level, index)[offset * _HASH : (offset + end - start) * _HASH])

    def tile(self, level: int, index: int) -> bytes:
        """A tile's content.

        Raises:
            UncheckedError, WrongError: as above.
        """
        known = self._last.get(level)
        if known is None or known[0] != index:
            known = self._last[level] = index, self._bundle.tile(level, index)
        return known[1]

    def check_root(self, checkpoint: Checkpoint) -> None:
        """Compare the root with the checkpoint's.

        Raises:
            WrongError: they differ.
        """
        computed = root(self, checkpoint.size)
        if computed != checkpoint.root:
            raise WrongError(
                f"the tiles have the root {encode_base64(computed)} at size {checkpoint.size}, "
                f"but the checkpoint says {encode_base64(checkpoint.root)}"
            )

    def check_upper_tiles(self) -> Iterator[None]:
        """Check every full tile of level 1 and above, the highest first; yields after each.

        Raises:
            WrongError: a tile is not what the level above says.
        """
        top = max(self._bundle.manifest.size.bit_length() - 1, 0) // 8
        for level in range(top, 0, -1):
            for index in range(self._bundle.manifest.size >> (8 * (level + 1))):
                self.check_tile(level, index, split(self.tile(level, index)))
                yield

    def check_tile(self, level: int, index: int, hashes: list[bytes]) -> None:
        """Check a tile against the level above; one that is not full was checked with the root.

        Raises:
            WrongError: it is not what the level above says.
        """
        if len(hashes) == TILE_WIDTH and perfect_root(hashes) != self(level + 1, index, index + 1)[0]:
            first, last = index << 8 * (level + 1), ((index + 1) << 8 * (level + 1)) - 1
            raise WrongError(
                f"{tile_path(level, index)} (entries {first} to {last}): its hashes are not those that hash {index} of level "
                f"{level + 1} was made of"
            )

    def check_entries(self, index: int, entries: list[bytes]) -> list[bytes]:
        """Check an entry bundle's entries against their hashes, and these against the level above; the hashes.

        Raises:
            WrongError: an entry is not what was hashed; the message names the first. Or its tile is not what the level above says.
        """
        hashes, tile = leaf_hashes(entries), self.tile(0, index)
        if b"".join(hashes) == tile:
            self.check_tile(0, index, hashes)
            return hashes
        known = split(tile)
        self.check_tile(0, index, known)
        wrong = next(at for at, pair in enumerate(zip(hashes, known, strict=True)) if pair[0] != pair[1])
        raise WrongError(f"entry {index * TILE_WIDTH + wrong} was altered: its hash is not the one in the tree")

    def root_at(self, size: int) -> bytes | None:
        """The root of the first ``size`` entries; None if the bundle does not hold the tile of level 0 that it takes."""
        if size % TILE_WIDTH and not self._bundle.has_tile(0, size // TILE_WIDTH):
            return None
        return root(self, size)

    def check_begins_with(self, size: int, known_root: bytes) -> bool:
        """Check that the tree begins with one of ``size`` entries and this root.

        By the bundle's consistency proof if it is for that size, else from the tiles.

        Returns:
            False if the bundle holds neither.

        Raises:
            WrongError: it does not begin with it.
        """
        manifest = self._bundle.manifest
        if size in (0, manifest.size):
            found: bytes | None = root(self, size)
        elif manifest.known_size == size:
            return self._check_proof(size, known_root)
        else:
            found = self.root_at(size)
        if found is not None and found != known_root:
            raise WrongError(
                f"fork: the first {size} entries of this log have the root {encode_base64(found)}, "
                f"but the checkpoint of that size seen before says {encode_base64(known_root)}"
            )
        return found is not None

    def check_own_proof(self) -> None:
        """Check the bundle's consistency proof as far as its tiles allow.

        Raises:
            WrongError: it is not one.
        """
        size = self._bundle.manifest.known_size
        if size and (own_root := self.root_at(size)) is not None:
            self._check_proof(size, own_root)

    def _check_proof(self, size: int, known_root: bytes) -> bool:
        second = self._bundle.manifest.size
        try:
            verify_consistency(size, second, known_root, root(self, second), self._bundle.consistency())
        except ProofError as error:
            raise WrongError(f"fork, or a false proof: the file consistency does not show it: {error}") from None
        return True


def split(hashes: bytes) -> list[bytes]:
    """Hashes that were joined."""
    return [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)]
