"""The tree: against the naive reference up to 70,000 leaves, against foreign vectors, and against everything that is no proof."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.naive_tree import NaiveTree

from vault.audit import chain, merkle, merkle_proofs
from vault.audit.merkle import CompactRange
from vault.audit.merkle_proofs import ProofError

VECTORS = Path(__file__).parents[1] / "vectors" / "tlog"
MAX = 70_000

TREE = NaiveTree([hashlib.sha256(b"leaf %d" % number).digest() for number in range(MAX)])
"""Shared by all tests: what it remembers of subtrees holds for every smaller tree, too."""

# Where carries happen, and anywhere.
EDGES = sorted({edge + step for edge in (1, 2, 255, 256, 512, 65_536, 65_792) for step in (-1, 0, 1)} | {MAX})
sizes = st.sampled_from([edge for edge in EDGES if edge > 0]) | st.integers(1, MAX)


def vector(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


def unbase64(text: str) -> bytes:
    return base64.b64decode(text)


class Source:
    """The naive tree's tiles as a hash source that counts its calls and allows what a reader of tables would."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int]] = []

    def __call__(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes [start, end) of a tile level."""
        assert 0 <= start < end
        assert end - start <= 256
        self.calls.append((level, start, end))
        return TREE.tile_hashes(level, start, end)


@st.composite
def index_and_size(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(sizes)
    return draw(st.integers(0, size - 1) | st.just(size - 1) | st.just(0)), size


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    first, second = sorted([draw(sizes), draw(sizes)])
    return first, second


# --- against the reference ---


def test_every_size_up_to_four_tiles_has_the_reference_root() -> None:
    tail = CompactRange()
    for size in range(1025):
        assert tail.size == size
        assert tail.root() == TREE.mth(0, size)
        tail.extend(TREE.leaves[size : size + 1])


@given(sizes)
def test_a_root_read_from_tiles_is_the_reference_root(size: int) -> None:
    source = Source()
    assert merkle.root(source, size) == TREE.mth(0, size)
    assert len(source.calls) <= 3  # one a tile level


def test_the_empty_tree_needs_no_source() -> None:
    assert merkle.root(Source(), 0) == merkle.EMPTY_ROOT == CompactRange().root() == hashlib.sha256(b"").digest()


@given(sizes, st.lists(st.integers(0, 700), max_size=6))
def test_a_tail_grows_from_any_size_by_any_batches(start: int, batches: list[int]) -> None:
    tail, emitted = CompactRange.load(Source(), start), []
    for batch in batches:
        emitted += tail.extend(TREE.leaves[tail.size : tail.size + batch])
    end = min(start + sum(batches), MAX)
    assert (tail.size, tail.root()) == (end, TREE.mth(0, end))
    assert sorted(emitted) == completed(start, end)


def test_a_tail_that_grew_at_once_has_emitted_every_tile_in_order() -> None:
    tail = CompactRange()
    emitted = tail.extend(iter(TREE.leaves))
    assert emitted == completed(0, MAX)
    assert tail.root() == TREE.mth(0, MAX)
    assert [level for level, _, _ in emitted] == [1] * 273 + [2]


def completed(start: int, end: int) -> list[tuple[int, int, bytes]]:
    """(level, index, hash) of each tile that is full in a tree of ``end`` leaves and was not in one of ``start``."""
    return [
        (level, index, TREE.mth(index * 256**level, (index + 1) * 256**level))
        for level in (1, 2)
        for index in range(start // 256**level, end // 256**level)
    ]


@given(sizes, st.integers(1, 300), st.integers(1, 300))
def test_copies_of_a_tail_grow_apart(start: int, mine: int, other: int) -> None:
    tail = CompactRange.load(Source(), start)
    twin = tail.copy()
    twin.extend(TREE.leaves[:other])
    assert (tail.size, tail.root()) == (start, TREE.mth(0, start))
    tail.extend(TREE.leaves[start : start + mine])
    assert tail.root() == TREE.mth(0, min(start + mine, MAX))
    assert twin.size == start + other


@given(index_and_size())
def test_inclusion_proofs_are_those_of_the_reference_and_verify(position: tuple[int, int]) -> None:
    index, size = position
    source = Source()
    proof = merkle.inclusion_proof(source, index, size)
    assert proof == TREE.path(index, 0, size)
    merkle_proofs.verify_inclusion(index, size, TREE.leaves[index], proof, TREE.mth(0, size))
    assert len(source.calls) <= 6  # two a tile level


@given(two_sizes())
def test_consistency_proofs_are_those_of_the_reference_and_verify(both: tuple[int, int]) -> None:
    first, second = both
    source = Source()
    proof = merkle.consistency_proof(source, first, second)
    assert proof == TREE.proof(first, second)
    merkle_proofs.verify_consistency(first, second, TREE.mth(0, first), TREE.mth(0, second), proof)
    assert len(source.calls) <= 6


def test_every_proof_of_small_trees_is_that_of_the_reference() -> None:
    source = Source()
    for size in range(1, 40):
        root = TREE.mth(0, size)
        for number in range(size):
            path = merkle.inclusion_proof(source, number, size)
            assert path == TREE.path(number, 0, size)
            merkle_proofs.verify_inclusion(number, size, TREE.leaves[number], path, root)
            proof = merkle.consistency_proof(source, number + 1, size)
            assert proof == TREE.proof(number + 1, size)
            merkle_proofs.verify_consistency(number + 1, size, TREE.mth(0, number + 1), root, proof)


def test_the_tree_hashes_leaves_as_the_chain_of_boots_does() -> None:
    assert merkle.leaf_hash(b"a leaf") == chain.leaf_hash(b"a leaf")


# --- what is out of range ---


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (6, 5), (-1, 5)])
def test_there_is_no_inclusion_proof_beyond_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=rf"no leaf {index} in a tree of {size}"):
        merkle.inclusion_proof(Source(), index, size)
    with pytest.raises(ProofError, match=rf"no leaf {index} in a tree of {size}"):
        merkle_proofs.verify_inclusion(index, size, TREE.leaves[0], [], TREE.leaves[0])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_there_is_no_consistency_proof_from_nothing_or_from_later(first: int, second: int) -> None:
    with pytest.raises(ValueError, match=rf"no proof from {first} to {second}"):
        merkle.consistency_proof(Source(), first, second)
    with pytest.raises(ProofError, match=rf"no proof from {first} to {second}"):
        merkle_proofs.verify_consistency(first, second, merkle.EMPTY_ROOT, TREE.leaves[0], [])


def test_a_tree_has_no_negative_size() -> None:
    with pytest.raises(ValueError, match="no tree of -1"):
        merkle.root(Source(), -1)


def test_a_source_that_gives_too_little_is_named() -> None:
    with pytest.raises(ValueError, match="gave 2 instead of 3 hashes of level 0 from 0"):
        merkle.root(lambda level, start, end: TREE.leaves[start : end - 1], 3)


@pytest.mark.parametrize("wrong", [b"", b"\0" * 31, b"\0" * 33])
def test_a_tail_takes_no_hash_of_another_length(wrong: bytes) -> None:
    tail = CompactRange()
    with pytest.raises(ValueError, match="32 bytes"):
        tail.extend([TREE.leaves[0], wrong])
    assert (tail.size, tail.root()) == (0, merkle.EMPTY_ROOT)


# --- what is no proof ---


@given(index_and_size(), st.data())
def test_a_changed_bit_anywhere_ends_an_inclusion_proof(position: tuple[int, int], data: st.DataObject) -> None:
    index, size = position
    claim = [TREE.leaves[index], TREE.mth(0, size), *TREE.path(index, 0, size)]
    leaf, root, *proof = with_a_changed_bit(claim, data)
    with pytest.raises(ProofError):
        merkle_proofs.verify_inclusion(index, size, leaf, proof, root)


@given(two_sizes(), st.data())
def test_a_changed_bit_anywhere_ends_a_consistency_proof(both: tuple[int, int], data: st.DataObject) -> None:
    first, second = both
    claim = [TREE.mth(0, first), TREE.mth(0, second), *TREE.proof(first, second)]
    first_root, second_root, *proof = with_a_changed_bit(claim, data)
    with pytest.raises(ProofError):
        merkle_proofs.verify_consistency(first, second, first_root, second_root, proof)


def with_a_changed_bit(hashes: list[bytes], data: st.DataObject) -> list[bytes]:
    at, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    changed = bytearray(hashes[at])
    changed[bit // 8] ^= 1 << bit % 8
    return [*hashes[:at], bytes(changed), *hashes[at + 1 :]]


@given(index_and_size(), st.integers(0, MAX))
def test_a_proof_is_of_one_index_only(position: tuple[int, int], other: int) -> None:
    index, size = position
    proof, root = TREE.path(index, 0, size), TREE.mth(0, size)
    if other != index:
        with pytest.raises(ProofError):
            merkle_proofs.verify_inclusion(other, size, TREE.leaves[index], proof, root)


@given(index_and_size(), two_sizes(), st.data())
def test_proofs_have_exactly_their_length(position: tuple[int, int], both: tuple[int, int], data: st.DataObject) -> None:
    index, size = position
    path, root = TREE.path(index, 0, size), TREE.mth(0, size)
    with pytest.raises(ProofError):
        merkle_proofs.verify_inclusion(index, size, TREE.leaves[index], of_another_length(path, data), root)
    first, second = both
    proof = of_another_length(TREE.proof(first, second), data)
    with pytest.raises(ProofError):
        merkle_proofs.verify_consistency(first, second, TREE.mth(0, first), TREE.mth(0, second), proof)


def of_another_length(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    at = data.draw(st.integers(0, len(proof)))
    if at < len(proof) and data.draw(st.booleans()):
        return proof[:at] + proof[at + 1 :]
    return [*proof[:at], data.draw(st.sampled_from([*proof, merkle.EMPTY_ROOT])), *proof[at:]]


def test_bytes_do_not_move_between_neighbours() -> None:
    leaf, sibling = TREE.leaves[0], TREE.leaves[1]
    with pytest.raises(ProofError, match="32 bytes"):
        merkle_proofs.verify_inclusion(0, 2, leaf + sibling[:1], [sibling[1:]], TREE.mth(0, 2))
    with pytest.raises(ProofError, match="32 bytes"):
        merkle_proofs.verify_consistency(1, 2, leaf + sibling[:1], TREE.mth(0, 2), [sibling[1:]])


def test_two_trees_of_one_size_are_a_fork() -> None:
    with pytest.raises(ProofError, match="two different trees of 5"):
        merkle_proofs.verify_consistency(5, 5, TREE.mth(0, 5), TREE.mth(5, 10), [])


# --- foreign vectors ---


def test_the_hashes_everybody_knows() -> None:
    known = {name: bytes.fromhex(value) for name, value in vector("merkle_known_trees.json")["hashes"].items()}
    counted = bytes(range(64))
    assert known == {
        "empty_root": merkle.EMPTY_ROOT,
        "empty_leaf": merkle.leaf_hash(b""),
        'leaf("L123456")': merkle.leaf_hash(b"L123456"),
        'node("N123","N456")': merkle.node_hash(b"N123", b"N456"),
        "leaf(101112131415161718191a1b1c1d1e1f)": merkle.leaf_hash(counted[16:32]),
        "node(000102..1f,202122..3f)": merkle.node_hash(counted[:32], counted[32:]),
    }
    go = vector("merkle_known_trees.json")["go_mod_RecordHash"]
    assert merkle.leaf_hash(go["data"].encode()) == unbase64(go["leaf_hash_b64"])


def test_the_known_tree_of_eight_leaves() -> None:
    known = vector("merkle_known_trees.json")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in known["reference_tree"]["leaves_hex"]]
    roots = known["reference_tree"]["root_of_first_n_leaves_hex"]
    assert len(roots) == 8
    for size, root in roots.items():
        tail = CompactRange()
        tail.extend(leaves[: int(size)])
        assert tail.root().hex() == root
    assert len(known["consistency_proofs"]) == 4
    for case in known["consistency_proofs"]:
        made = merkle.consistency_proof(lambda level, start, end: leaves[start:end], case["size1"], case["size2"])
        assert [hash_.hex() for hash_ in made] == case["proof"]
        merkle_proofs.verify_consistency(
            case["size1"], case["size2"], bytes.fromhex(case["root1"]), bytes.fromhex(case["root2"]), made
        )


def test_a_real_proof_of_a_certificate_log_of_3_630_887_leaves() -> None:
    real = vector("merkle_known_trees.json")["real_ct_inclusion"]
    proof = [bytes.fromhex(hash_) for hash_ in real["sha256_audit_path"]]
    leaf, root = bytes.fromhex(real["leaf_hash"]), bytes.fromhex(real["expected_root_hash"])
    merkle_proofs.verify_inclusion(real["leaf_index"], real["tree_size"], leaf, proof, root)
    with pytest.raises(ProofError):
        merkle_proofs.verify_inclusion(real["leaf_index"] + 1, real["tree_size"], leaf, proof, root)


def test_all_inclusion_probes_are_answered_as_upstream_does() -> None:
    outcomes = {}
    for probe in vector("merkle_inclusion_probes.json")["tests"]:
        leaf, root = unbase64(probe["leafHash"]), unbase64(probe["root"])
        proof = [unbase64(hash_) for hash_ in probe["proof"] or []]
        outcomes[probe["source"]] = (
            is_refused(merkle_proofs.verify_inclusion, probe["leafIdx"], probe["treeSize"], leaf, proof, root),
            probe["wantErr"],
        )
    assert {source: outcome for source, outcome in outcomes.items() if outcome[0] != outcome[1]} == {}
    assert (len(outcomes), sum(wanted for _, wanted in outcomes.values())) == (98, 92)


def test_all_consistency_probes_are_answered_as_upstream_does() -> None:
    outcomes = {}
    for probe in vector("merkle_consistency_probes.json")["tests"]:
        roots = unbase64(probe["root1"]), unbase64(probe["root2"])
        proof = [unbase64(hash_) for hash_ in probe["proof"] or []]
        outcomes[probe["source"]] = (
            is_refused(merkle_proofs.verify_consistency, probe["size1"], probe["size2"], *roots, proof),
            probe["wantErr"],
        )
    assert {source: outcome for source, outcome in outcomes.items() if outcome[0] != outcome[1]} == {}
    assert (len(outcomes), sum(wanted for _, wanted in outcomes.values())) == (98, 92)


def is_refused(verify: Any, *claim: Any) -> bool:
    try:
        verify(*claim)
    except ProofError:
        return True
    return False
