"""The tree of RFC 6962: roots, proofs, and the growing right edge. Pure: knows hashes, and nothing of where they are kept.

Hashes are read by *tile level* (C2SP tlog-tiles): hash i of level l is the root of the full run of 256**l leaves that begins at
leaf i * 256**l. What lies between the levels is computed. Functions that name a section of an RFC follow its text step by step.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Self

EMPTY_ROOT = hashlib.sha256().digest()
"""The root of the tree without leaves."""

HashSource = Callable[[int, int, int], Sequence[bytes]]
"""(tile level, start, end) → the hashes [start, end) of that level; level 0 are the leaf hashes. Asked for at most 256 at once."""

_HASH = 32
_HEIGHT = 8
"""Binary levels in a tile."""
_WIDTH = 1 << _HEIGHT
_leaf_state = hashlib.sha256(b"\x00").copy  # a hash that has begun: cheaper than one begun anew for each of millions of nodes
_node_state = hashlib.sha256(b"\x01").copy


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x00 ‖ entry), 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x01 ‖ left ‖ right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf_hashes(entries: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1, for many entries at once."""
    hashes = []
    for entry in entries:
        state = _leaf_state()
        state.update(entry)
        hashes.append(state.digest())
    return hashes


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes whose number is a power of two."""
    while len(hashes) > 1:
        above = []
        pairs = iter(hashes)
        for left in pairs:
            state = _node_state()
            state.update(left + next(pairs))
            above.append(state.digest())
        hashes = above
    return hashes[0]


def root(source: HashSource, size: int) -> bytes:
    """The root of the first ``size`` leaves: one call of ``source`` a tile level.

    Raises:
        ValueError: a negative size, or ``source`` did not give what was asked for.
    """
    return CompactRange.load(source, size).root()


def inclusion_proof(source: HashSource, index: int, size: int) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH(index, D[size]), the leaf's sibling first. At most two calls of ``source`` a tile level.

    Raises:
        ValueError: not 0 <= index < size, or ``source`` did not give what was asked for.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}: the index must be from 0 to {size - 1}")
    nodes, path = _Nodes(source, size), []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(nodes.subtree(middle, end))
            end = middle
        else:
            path.append(nodes.subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(source: HashSource, first: int, second: int) -> list[bytes]:
    """RFC 6962 section 2.1.2: PROOF(first, D[second]); empty for equal sizes. At most two calls of ``source`` a tile level.

    Raises:
        ValueError: not 0 < first <= second, or ``source`` did not give what was asked for.
    """
    if not 0 < first <= second:
        raise ValueError(f"no proof from {first} to {second}: the first size must be from 1 to the second")
    nodes, proof = _Nodes(source, second), []
    start, end = 0, second
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(nodes.subtree(middle, end))
            end = middle
        else:
            proof.append(nodes.subtree(start, middle))
            start = middle
    if start > 0:  # else the subtree that remains is the whole first tree, whose root the verifier has
        proof.append(nodes.subtree(start, end))
    return proof[::-1]


class CompactRange:
    """The right edge of a tree, from its first leaf on: what is needed to add leaves and to know the root. At most 64 hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._open: list[bytes] = []  # roots of the full subtrees that the size's binary digits name, smallest first

    @classmethod
    def load(cls, source: HashSource, size: int) -> Self:
        """The right edge of the first ``size`` leaves: one call of ``source`` a tile level.

        Raises:
            ValueError: a negative size, or ``source`` did not give what was asked for.
        """
        if size < 0:
            raise ValueError(f"no tree of {size} leaves")
        tail, nodes = cls(), _Nodes(source, size)
        tail.size = size
        tail._open = [nodes.full(height, (size >> height) - 1) for height in _binary_digits(size)]
        return tail

    def copy(self) -> "CompactRange":
        """Another one, to be extended independently."""
        tail = CompactRange()
        tail.size, tail._open = self.size, self._open.copy()
        return tail

    def root(self) -> bytes:
        """The root hash, 32 bytes."""
        computed = b""
        for subtree in self._open:
            computed = node_hash(subtree, computed) if computed else subtree
        return computed or EMPTY_ROOT

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaves.

        Args:
            leaf_hashes: of the new leaves, 32 bytes each.

        Returns:
            (tile level >= 1, index in that level, hash) for each tile that became full, by level, then by index.

        Raises:
            ValueError: a hash is not of 32 bytes; nothing was added.
        """
        new = list(leaf_hashes)
        if not {len(hash_) for hash_ in new} <= {_HASH}:
            raise ValueError("leaf hashes must be of 32 bytes")
        edge = dict(zip(_binary_digits(self.size), self._open, strict=True))
        grown = self.size + len(new)
        completed, height = [], 0
        while new:  # the new full subtrees of this height, in order; they begin at number size >> height
            level, rest = divmod(height, _HEIGHT)
            if level and not rest:
                completed += [(level, index, hash_) for index, hash_ in enumerate(new, self.size >> height)]
            if height in edge:
                new.insert(0, edge.pop(height))
            if len(new) & 1:
                edge[height] = new.pop()
            new = [node_hash(new[at], new[at + 1]) for at in range(0, len(new), 2)]
            height += 1
        self.size, self._open = grown, [edge[height] for height in _binary_digits(grown)]
        return completed


class _Nodes:
    """The nodes of a tree, computed from the tiles of a source, each of which is read once."""

    def __init__(self, source: HashSource, size: int) -> None:
        self._source = source
        self._size = size
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def subtree(self, start: int, end: int) -> bytes:
        """RFC 6962 section 2.1: MTH(D[start:end]), for a range at which the tree is split."""
        count = end - start
        if count & (count - 1) == 0:
            height = count.bit_length() - 1
            return self.full(height, start >> height)
        middle = start + _split(count)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def full(self, height: int, index: int) -> bytes:
        """The root of the full subtree number ``index`` of 2**height leaves."""
        level, depth = divmod(height, _HEIGHT)
        start = index << depth
        tile, offset = divmod(start, _WIDTH)
        return perfect_root(self._tile(level, tile)[offset : offset + (1 << depth)])

    def _tile(self, level: int, tile: int) -> Sequence[bytes]:
        found = self._tiles.get((level, tile))
        if found is None:
            start = tile * _WIDTH
            end = min(start + _WIDTH, self._size >> (_HEIGHT * level))
            found = self._source(level, start, end)
            if len(found) != end - start:
                raise ValueError(f"the source gave {len(found)} instead of {end - start} hashes of level {level} from {start}")
            self._tiles[level, tile] = found
        return found


def _split(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _binary_digits(size: int) -> list[int]:
    """The heights of the full subtrees a tree of ``size`` leaves consists of, smallest first."""
    return [height for height in range(size.bit_length()) if size >> height & 1]
