"""Checking proofs of the tree of RFC 6962: that a leaf is in a tree, and that one tree begins with another. Pure.

Functions that name a section of an RFC follow its text step by step.
"""

from collections.abc import Iterable, Sequence

from vault.audit.merkle import HashSource, inclusion_proof, node_hash

_HASH = 32


class ProofError(ValueError):
    """A proof does not prove what it is said to."""


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: the leaf hash ``leaf`` is number ``index`` of the tree of ``size`` leaves with this root.

    Raises:
        ProofError: it is not, or the proof does not show it.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    _check_widths([leaf, root, *proof])
    fn, sn, computed = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofError("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            computed = node_hash(sibling, computed)
            fn, sn = _skip(fn, sn)
        else:
            computed = node_hash(computed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("the inclusion proof is too short")
    if computed != root:
        raise ProofError(f"the proof does not lead from leaf {index} to the root of the tree of {size}")


def is_included(source: HashSource, index: int, size: int, leaf: bytes, root: bytes) -> bool:
    """Whether the leaf hash ``leaf`` is number ``index`` of the tree of ``size`` leaves with this root, by a source's hashes.

    Raises:
        ValueError: not 0 <= index < size, or ``source`` did not give what was asked for.
    """
    try:
        verify_inclusion(index, size, leaf, inclusion_proof(source, index, size), root)
    except ProofError:
        return False
    return True


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the tree of ``second`` leaves begins with the tree of ``first``.

    Raises:
        ProofError: it does not, the proof does not show it, or ``first`` is 0, from which nothing can be proven.
    """
    if not 0 < first <= second:
        raise ProofError(f"no proof from {first} to {second}: the first size must be from 1 to the second")
    if first == second:
        if proof:
            raise ProofError("the consistency proof is too long")
        if first_root != second_root:
            raise ProofError(f"there are two different trees of {first}")
        return
    if not proof:
        raise ProofError("the consistency proof is too short")
    _check_widths([first_root, second_root, *proof])
    old, new = _roots_by_path(first, second, proof if first & (first - 1) else [first_root, *proof])
    if old != first_root or new != second_root:
        raise ProofError(f"the tree of {second} does not begin with the tree of {first}")


def _roots_by_path(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """RFC 9162 section 2.1.4.2, steps 3 to 6: the roots of both trees that a consistency path leads to."""
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofError("the consistency proof is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            fn, sn = _skip(fn, sn)
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofError("the consistency proof is too short")
    return old, new


def _skip(fn: int, sn: int) -> tuple[int, int]:
    """Go up to where the node is a right child, or the left edge: there is no sibling before."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _check_widths(hashes: Iterable[bytes]) -> None:
    # Without this, bytes could be moved from one hash to its neighbour without changing what is hashed.
    if not {len(hash_) for hash_ in hashes} <= {_HASH}:
        raise ProofError("hashes must be of 32 bytes")
