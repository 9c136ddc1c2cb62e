"""RFC 6962 section 2.1 word for word: slow, and so plain that it is believed. The tests hold the real code against it."""

import hashlib


class NaiveTree:
    """A tree over leaf hashes. Hashes of subtrees are remembered, so that many proofs of one tree take no hours."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self._known: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        count = end - start
        if count == 0:
            return hashlib.sha256(b"").digest()
        if count == 1:
            return self.leaves[start]
        if (start, end) not in self._known:
            k = largest_power_below(count)
            both = self.mth(start, start + k) + self.mth(start + k, end)
            self._known[start, end] = hashlib.sha256(b"\x01" + both).digest()
        return self._known[start, end]

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end])."""
        count = end - start
        if count == 1:
            return []
        k = largest_power_below(count)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n])."""
        return self._subproof(m, 0, n, True)

    def _subproof(self, m: int, start: int, end: int, whole: bool) -> list[bytes]:
        count = end - start
        if m == count:
            return [] if whole else [self.mth(start, end)]
        k = largest_power_below(count)
        if m <= k:
            return [*self._subproof(m, start, start + k, whole), self.mth(start + k, end)]
        return [*self._subproof(m - k, start + k, end, False), self.mth(start, start + k)]

    def tile_hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes [start, end) of a tile level, as C2SP tlog-tiles defines them; IndexError beyond the leaves."""
        width = 256**level
        if end * width > len(self.leaves):
            raise IndexError
        return [self.mth(i * width, (i + 1) * width) for i in range(start, end)]


def largest_power_below(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k
