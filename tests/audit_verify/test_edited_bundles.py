"""A bundle that somebody edited, cut or forged is never good, and what is wrong first is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit_verify.checking import entries_of, flipped, verdict, with_entries
from tests.audit_verify.logs import Files, Log, Witness, grown, key_of, vast

from vault.audit.chain import Chain
from vault.audit.merkle import leaf_hash
from vault.audit.policy_file import policy_of

SIZE = 1000
WITNESS = Witness("witness.example.org", key_of(7))


def whole() -> Files:
    """A good bundle of a whole log."""
    return grown(SIZE).bundle()


FILES = sorted(grown(SIZE).bundle(known_size=300))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_no_verdict_on_the_log(name: str, tmp_path: Path) -> None:
    files = grown(SIZE).bundle(known_size=300)
    assert verdict(files, tmp_path / "whole") == "OK"
    del files[name]
    assert verdict(files, tmp_path) == f"UNCHECKED the bundle is incomplete: {name} is missing"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "cut", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"\n", lambda data: data[: len(data) // 2]]
)
def test_a_file_cut_or_extended_is_named(name: str, cut: Callable[[bytes], bytes], tmp_path: Path) -> None:
    files = grown(SIZE).bundle(known_size=300)
    files[name] = cut(files[name])
    said = verdict(files, tmp_path)
    assert said.startswith("BAD ")
    assert name in said or "checkpoint" in said or name == "consistency"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is remembered of a log when it had 300 entries; bundles that are refused add nothing."""
    folder = tmp_path_factory.mktemp("state")
    assert verdict(grown(SIZE).bundle(size=300), folder) == "OK"
    return folder


COSIGNED = grown(SIZE).bundle(known_size=300, witnesses=[WITNESS])


@settings(max_examples=400)
@given(data=st.data())
def test_any_changed_bit_in_any_file_is_found(data: st.DataObject, state: Path) -> None:
    name = data.draw(st.sampled_from(FILES))
    at, bit = data.draw(st.integers(0, len(COSIGNED[name]) - 1)), data.draw(st.integers(0, 7))
    files = COSIGNED | {name: flipped(COSIGNED[name], at, bit)}
    policy = policy_of([grown(SIZE).verifier], [WITNESS.verifier], 1)
    if name == "manifest.json" and is_about_the_range(files[name]):
        return  # nobody has signed what was asked for; what was checked is in the report
    assert verdict(files, state, policy) != "OK"


def test_the_bundle_whose_bits_are_changed_is_good(tmp_path: Path) -> None:
    assert verdict(COSIGNED, tmp_path, policy_of([grown(SIZE).verifier], [WITNESS.verifier], 1)) == "OK"


def is_about_the_range(manifest: bytes) -> bool:
    """Whether only the numbers that say which entries were asked for differ from those of the good manifest."""
    good = json.loads(COSIGNED["manifest.json"])
    try:
        found = json.loads(manifest)
    except ValueError:
        return False
    return isinstance(found, dict) and {name for name in good if found.get(name) != good[name]} <= {"start_index", "end_index"}


def edited(entries: list[bytes], at: int) -> list[bytes]:
    """Another byte in one entry."""
    return [*entries[:at], flipped(entries[at], 40), *entries[at + 1 :]]


def swapped(entries: list[bytes], at: int) -> list[bytes]:
    """Two neighbours have changed places."""
    return [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]


@pytest.mark.parametrize("change", [edited, swapped])
@pytest.mark.parametrize("entry", [0, 1, 300, 766, 768, 998])
def test_the_first_entry_that_is_not_what_was_hashed_is_named(
    change: Callable[[list[bytes], int], list[bytes]], entry: int, tmp_path: Path
) -> None:
    index, at = divmod(entry, 256)
    files = with_entries(whole(), index, change(entries_of(whole(), index), at))
    assert verdict(files, tmp_path) == f"BAD entry {entry} was altered: its hash is not the one in the tree"


@pytest.mark.parametrize(("index", "at", "count"), [(0, 0, 256), (1, 100, 256), (3, 231, 232)])
def test_an_entry_taken_out_is_missed(index: int, at: int, count: int, tmp_path: Path) -> None:
    entries = entries_of(whole(), index)
    del entries[at]
    said = verdict(with_entries(whole(), index, entries), tmp_path)
    assert f"holds {count - 1} entries instead of {count}, from {index * 256}" in said


def test_an_edited_entry_with_its_hash_made_anew_is_found_at_each_level(tmp_path: Path) -> None:
    """Whoever edits an entry must also edit its tile, the tile above, the root and the signature: each lie needs the next."""
    log = vast()
    files = log.bundle(65_536, 66_000)
    entries = edited(entries_of(files, 257), 5)
    files = with_entries(files, 257, entries)
    assert verdict(files, tmp_path) == "BAD entry 65797 was altered: its hash is not the one in the tree"
    files["tile/0/257"] = b"".join(map(leaf_hash, entries))
    assert "tile/0/257 (entries 65792 to 66047): its hashes are not those" in verdict(files, tmp_path)
    forged = Log()
    forged.append([*log.leaves[:65_797], entries[5], *log.leaves[65_798:]])
    files["tile/1/001.p/17"] = forged.bundle(0, 0)["tile/1/001.p/17"]
    assert verdict(files, tmp_path).startswith("BAD the tiles have the root ")
    files["checkpoint"] = forged.checkpoint().text().encode() + files["checkpoint"].split(b"\n", 3)[3]
    assert verdict(files, tmp_path).startswith("BAD the checkpoint is forged or damaged")


def test_a_tile_in_another_s_place_is_named(tmp_path: Path) -> None:
    files = whole()
    files["tile/0/000"], files["tile/0/001"] = files["tile/0/001"], files["tile/0/000"]
    assert verdict(files, tmp_path).startswith("BAD tile/0/000 (entries 0 to 255)")


def test_an_upper_tile_that_was_edited_is_named(tmp_path: Path) -> None:
    files = vast().bundle(0, 0)
    files["tile/1/000"] = flipped(files["tile/1/000"], 77)
    assert verdict(files, tmp_path).startswith("BAD tile/1/000 (entries 0 to 65535)")


def test_an_entry_bundle_that_nobody_asked_for_is_checked_too(tmp_path: Path) -> None:
    log, long, short = Log(), Chain("long"), Chain("short")
    log.commit(long, [log.draft()] * 1000)
    log.commit(short, [log.draft()] * 500)
    files = log.bundle(1300, 1400)
    assert verdict(files, tmp_path) == "OK"
    entries = entries_of(files, 3)  # where the second boot begins
    assert verdict(with_entries(files, 3, edited(entries, 9)), tmp_path).startswith("BAD entry 777 was altered")


MANIFESTS = {
    "another log's origin": (b"pdvault.invalid/11", b"pdvault.invalid/12"),
    "another tenant": (b'"tenant_uid":"11', b'"tenant_uid":"12'),
    "a larger size": (b'"size":1000', b'"size":1001'),
    "a smaller size": (b'"size":1000', b'"size":999'),
    "a range beyond the log": (b'"end_index":1000', b'"end_index":1001'),
    "a range backwards": (b'"start_index":0', b'"start_index":1000,"end_index":5'),
    "a proof that is not there": (b'"known_size":0', b'"known_size":3'),
    "a size larger than can be": (b'"size":1000', b'"size":9223372036854775808'),
    "a size that is no number": (b'"size":1000', b'"size":1e3'),
    "a size that is true": (b'"start_index":0', b'"start_index":false'),
    "another format": (b"bundle/1", b"bundle/2"),
    "a space": (b'":', b'": '),
    "a member twice": (b'{"format', b'{"size":1000,"format'),
    "a member too many": (b'"known_size":0', b'"known_size":0,"more":1'),
    "no JSON": (b"{", b"["),
    "another key": (b'"log_key":"pdvault', b'"log_key":"pdvaulu'),
    "a key that is none": (b"+", b"-"),
    "depth without end": (b'"known_size":0', b'"known_size":' + b"[" * 8000),
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_manifest_that_says_what_the_checkpoint_does_not_is_refused(change: tuple[bytes, bytes], tmp_path: Path) -> None:
    files = whole()
    files["manifest.json"] = files["manifest.json"].replace(*change, 1)
    assert verdict(files, tmp_path) != "OK"


UNKNOWN = [
    "../evil",
    "/etc/passwd",
    "tile/0/000/../001",
    "tile/0/../../x",
    "tile/00/000",
    "tile/0/004",
    "tile/0/003.p/231",
    "tile/1/000.p/4",
    "tile/entries/003",
    "tile/entries/x000/001",
    "tile/64/000",
    "tile/",
    "readme.txt",
    "MANIFEST.JSON",
    "tile/0/x018/446/744/073/709/551/616",
]


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_name_that_a_bundle_of_this_size_can_t_have_is_refused(name: str, tmp_path: Path) -> None:
    said = verdict({**whole(), name: b"x" * 32}, tmp_path)
    assert said.startswith("BAD the bundle holds ")
    assert name in said


def test_a_consistency_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    assert verdict({**whole(), "consistency": b""}, tmp_path) == (
        "BAD the bundle holds consistency, though its manifest names no known_size"
    )
