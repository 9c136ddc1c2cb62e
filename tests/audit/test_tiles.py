"""Paths and contents of tiles, against the specification's examples and a whole foreign log."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.audit import merkle, merkle_proofs, tiles
from vault.audit.checkpoint import open_checkpoint
from vault.audit.note import parse_vkey
from vault.audit.tiles import Tile

VECTORS = Path(__file__).parents[1] / "vectors" / "tlog"
PATHS = json.loads((VECTORS / "tile_paths.json").read_text("utf-8"))
LOG = VECTORS / "tessera_log"
META = json.loads((VECTORS / "tessera_log.meta.json").read_text("utf-8"))
ENTRIES = [entry.encode() for entry in META["entries"]]

levels = st.integers(0, 63)
indexes = st.integers(0, 10**6) | st.integers(0, 2**64 - 1)
widths = st.integers(1, 256)


# --- paths ---


def test_the_paths_of_the_specification_and_of_tessera() -> None:
    for case in PATHS["tile_path"]:
        tile = Tile(case["level"], case["index"], case["partial"] or 256)
        assert tiles.tile_path(case["level"], tile.index, tile.width) == case["path"]
        assert tiles.parse_path(case["path"]) == tile
    for case in PATHS["entries_path_for_index"]:
        index = case["seq"] // 256
        width = min(256, case["size"] - index * 256)
        assert tiles.entries_path(index, width) == case["path"]
        assert tiles.parse_path(case["path"]) == Tile(None, index, width)


@pytest.mark.parametrize(("level", "rest"), PATHS["invalid_level_index"])
def test_what_tessera_refuses_is_refused(level: str, rest: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        tiles.parse_path(f"tile/{level}/{rest}")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/entries",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/00/000",
        "tile/01/000",
        "tile/0/x000/001",
        "tile/0/1",
        "tile/0/0000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/08",
        "tile/0/000.p/256",
        "tile/0/000.p/-1",
        "tile/0/../000",
        "tile/0/٠٠٠",
        "tile/0/X001/234",
        "tile/Entries/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
    ],
)
def test_only_the_one_spelling_is_a_path(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        tiles.parse_path(path)


@given(levels, indexes, widths)
def test_every_path_is_read_as_it_was_written(level: int, index: int, width: int) -> None:
    assert tiles.parse_path(tiles.tile_path(level, index, width)) == Tile(level, index, width)
    assert tiles.parse_path(tiles.entries_path(index, width)) == Tile(None, index, width)


@given(st.text(alphabet="tile/nrs0123456789x.p", max_size=40).map(lambda rest: "tile/" + rest))
def test_whatever_is_read_is_written_the_same(path: str) -> None:
    try:
        tile = tiles.parse_path(path)
    except ValueError:
        return
    written = tiles.entries_path(tile.index, tile.width) if tile.level is None else None
    assert path == (written or tiles.tile_path(tile.level or 0, tile.index, tile.width))


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 256), (64, 0, 256), (0, -1, 256), (0, 2**64, 256), (0, 0, 0), (0, 0, 257)]
)
def test_what_no_tile_has_has_no_path(level: int, index: int, width: int) -> None:
    with pytest.raises(ValueError, match="no tile"):
        tiles.tile_path(level, index, width)


# --- which tiles there are ---


def test_the_tiles_of_the_specifications_sizes() -> None:
    for case in PATHS["tiles_of_size"]:
        found = list(tiles.tiles(case["size"]))
        for level, count in case["full"].items():
            assert [index for at, index, width in found if (at, width) == (int(level), 256)] == list(range(count))
        partial = {str(level): width for level, _, width in found if width < 256}
        assert partial == case["partial_width"]


@given(st.integers(0, 200_000))
def test_the_tiles_of_a_tree_hold_each_of_its_full_subtrees_once(size: int) -> None:
    held: dict[int, int] = {}
    for level, index, width in tiles.tiles(size):
        assert 1 <= width <= 256
        assert held.get(level, 0) == index * 256  # in order, and only the last one is partial
        held[level] = index * 256 + width
    assert held == {level: size // 256**level for level in range(8) if size // 256**level}


@given(st.integers(0, 200_000), st.integers(0, 4))
def test_the_tiles_from_a_level_up_are_those_of_all_levels_without_the_lower_ones(size: int, lowest: int) -> None:
    assert list(tiles.tiles(size, lowest)) == [tile for tile in tiles.tiles(size) if tile[0] >= lowest]


@given(st.integers(0, 200_000), st.integers(0, 3), st.integers(0, 1000))
def test_a_tile_is_as_wide_as_the_tree_makes_it_and_within_it(size: int, level: int, index: int) -> None:
    width = next((width for at, number, width in tiles.tiles(size) if (at, number) == (level, index)), 0)
    assert max(0, tiles.width_of(level, index, size)) == width
    assert not width or tiles.Tile(level, index, width).is_within(size)
    assert not tiles.Tile(level, index, width + 1).is_within(size) or width == 256


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_entries_are_in_the_bundles_that_their_indexes_say(start: int, end: int) -> None:
    assert list(tiles.bundles(start, end)) == sorted({index // 256 for index in range(start, end)})


# --- entry bundles ---


def test_a_bundle_is_lengths_and_entries() -> None:
    assert tiles.encode_bundle([b"one", b"", b"three"]) == b"\0\3one\0\0\0\5three"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_bundles_are_read_as_they_were_written(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


@given(st.binary(max_size=200))
def test_whatever_is_read_from_a_bundle_is_all_of_it(data: bytes) -> None:
    try:
        entries = tiles.decode_bundle(data)
    except ValueError:
        return
    assert tiles.encode_bundle(entries) == data


def test_the_longest_entry_and_the_fullest_bundle() -> None:
    full = [b"\xff" * 65_535] * 256
    assert tiles.decode_bundle(tiles.encode_bundle(full)) == full


def test_a_bundle_that_ends_too_early_is_refused() -> None:
    whole = tiles.encode_bundle([b"one", b"two"])
    for end in {*range(1, len(whole))} - {5}:  # 5 is where the first entry ends
        with pytest.raises(ValueError, match="ends within entry"):
            tiles.decode_bundle(whole[:end])


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"\0" * 65_536]])
def test_what_fits_no_bundle_is_refused(entries: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"bundle|exceeds"):
        tiles.encode_bundle(entries)


@pytest.mark.parametrize("data", [b"", b"\0\0" * 257])
def test_a_bundle_holds_1_to_256_entries(data: bytes) -> None:
    with pytest.raises(ValueError, match="bundle"):
        tiles.decode_bundle(data)


# --- a log that Tessera wrote ---


@pytest.mark.parametrize("size", range(16))
def test_our_tree_of_tesseras_entries_is_the_one_it_signed(size: int) -> None:
    checkpoint, _ = open_checkpoint((LOG / f"checkpoint.{size}").read_text("utf-8"), parse_vkey(META["log_vkey"]))
    tail = merkle.CompactRange()
    tail.extend(map(merkle.leaf_hash, ENTRIES[:size]))
    assert (checkpoint.size, checkpoint.root) == (size, tail.root())
    assert (checkpoint.origin, checkpoint.extensions) == ("example.com/log/testdata", ())


@pytest.mark.parametrize("size", range(1, 16))
def test_our_tiles_of_tesseras_entries_are_its_tiles(size: int) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES[:size]]
    [(level, index, width)] = tiles.tiles(size)
    assert (LOG / tiles.tile_path(level, index, width)).read_bytes() == b"".join(leaves)
    bundle = (LOG / tiles.entries_path(index, width)).read_bytes()
    assert bundle == tiles.encode_bundle(ENTRIES[:size])
    assert tiles.decode_bundle(bundle) == ENTRIES[:size]


def test_every_file_of_tesseras_log_has_a_path_we_read() -> None:
    found = [path.relative_to(LOG).as_posix() for path in (LOG / "tile").rglob("*") if path.is_file()]
    read: list[Any] = sorted((tile.level is None, tile.index, tile.width) for tile in map(tiles.parse_path, found))
    assert read == [(is_entries, 0, width) for is_entries in (False, True) for width in range(1, 16)]


def test_tesseras_published_tiles_prove_what_its_checkpoints_say() -> None:
    data = (LOG / tiles.tile_path(0, 0, 15)).read_bytes()
    leaves = [data[at : at + 32] for at in range(0, len(data), 32)]
    roots = {}
    for size in range(1, 16):
        text = (LOG / f"checkpoint.{size}").read_text("utf-8")
        roots[size] = open_checkpoint(text, parse_vkey(META["log_vkey"]))[0].root
        assert merkle.root(lambda level, start, end: leaves[start:end], size) == roots[size]
    for size, root in roots.items():
        for first in range(1, size + 1):
            proof = merkle.consistency_proof(lambda level, start, end: leaves[start:end], first, size)
            merkle_proofs.verify_consistency(first, size, roots[first], root, proof)
            path = merkle.inclusion_proof(lambda level, start, end: leaves[start:end], first - 1, size)
            merkle_proofs.verify_inclusion(first - 1, size, merkle.leaf_hash(ENTRIES[first - 1]), path, root)
