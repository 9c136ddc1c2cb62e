"""The command: what it prints, and the exit codes that scripts go by: 0 good, 1 the log is wrong, 2 not checked."""

import base64
import json
from pathlib import Path
from unittest.mock import patch

import pyrage
import pytest
from tests.audit_verify.checking import entries_of, flipped, run, with_entries
from tests.audit_verify.logs import Log, Witness, grown, key_of, write

from vault.audit.merkle import inclusion_proof, leaf_hash
from vault.audit.note import encode_base64, verifier
from vault.audit.proof_file import ProofFile
from vault.cli.audit.bundle_file import write_bundle
from vault.cli.audit.trust import state_folder

LOG = grown(1000)
WITNESS = Witness("witness.example.org", key_of(7))
ANOTHER = verifier(LOG.origin, key_of(9).public_key().public_bytes_raw())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good bundle."""
    return write(tmp_path / "bundle.zip", LOG.bundle(witnesses=[WITNESS]))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An auditor's memory."""
    return tmp_path / "state"


def test_a_good_bundle_prints_origin_size_and_root_first(bundle: Path, state: Path) -> None:
    result = run(bundle, "--log-key", LOG.verifier.vkey, "--witness", WITNESS.verifier.vkey, state=state)
    first, *rest = result.out.splitlines()
    assert first == f"OK {LOG.origin} 1000 {encode_base64(LOG.checkpoint().root)}"
    assert (result.code, result.err) == (0, "")
    assert "entries: 1000 from index 0 on" in rest
    assert "boots: 9; 6 ended cleanly, 3 are open, 0 were never endorsed" in rest
    assert "  witness.example.org at 2025-06-15T15:06:40+00:00" in rest


def test_programs_get_one_object(bundle: Path, state: Path) -> None:
    result = run(bundle, "-o", "json", "--witness", WITNESS.verifier.vkey, state=state)
    found = json.loads(result.out)
    assert (found["result"], found["origin"], found["size"]) == ("OK", LOG.origin, 1000)
    assert found["root"] == encode_base64(LOG.checkpoint().root)
    assert (found["entries"], found["boots"], found["boots_ended"], found["boots_open"]) == (1000, 9, 6, 3)
    assert found["cosignatures"] == [{"witness": "witness.example.org", "time": "2025-06-15T15:06:40+00:00"}]
    assert (found["log_key"], found["log_key_source"], found["seen_size"]) == (LOG.verifier.vkey, "first use", None)
    assert json.loads(run(bundle, "-o", "json", state=state).out)["seen_size"] == 1000


def test_a_key_believed_on_first_use_is_said_and_printed(bundle: Path, state: Path) -> None:
    result = run(bundle, state=state)
    assert result.code == 0
    assert "Nothing was known of this log before" in result.err
    assert LOG.verifier.vkey in result.err
    assert run(bundle, state=state).err == ""


def test_a_wrong_entry_is_printed_with_its_index_and_exit_code_1(tmp_path: Path, state: Path) -> None:
    entries = entries_of(LOG.bundle(), 2)
    bad = write(tmp_path / "bad.zip", with_entries(LOG.bundle(), 2, [flipped(entries[0], 30), *entries[1:]]))
    said = "entry 512 was altered: its hash is not the one in the tree"
    assert (run(bad, state=state).code, run(bad, state=state).out) == (1, f"BAD {said}\n")
    result = run(bad, "-o", "json", state=state)
    assert (result.code, json.loads(result.out)) == (1, {"result": "BAD", "problems": [said], "more": 0})


def test_what_can_t_be_checked_has_exit_code_2(bundle: Path, tmp_path: Path, state: Path) -> None:
    files = LOG.bundle()
    del files["tile/1/000.p/3"]
    broken, junk, empty = write(tmp_path / "part.zip", files), tmp_path / "junk", tmp_path / "empty"
    junk.write_bytes(b"junk" * 100)
    empty.touch()
    for path in (broken, junk, empty):
        result = run(path, state=state)
        assert (result.code, result.out[:10]) == (2, "UNCHECKED "), path
    result = run(bundle, "--log-key", ANOTHER.vkey, state=state)
    assert (result.code, result.out[:20]) == (2, "UNCHECKED wrong key:")
    assert run(bundle, "--log-key", "nonsense", state=state).code == 2
    policy = tmp_path / "policy"
    policy.write_text("quorum nobody\n")
    result = run(bundle, "--policy", policy, state=state)
    assert (result.code, result.out) == (
        2,
        f"UNCHECKED {policy}: line 1: the quorum must be a witness or group defined before, or none\n",
    )


USAGE = [
    [],
    ["no-such-file"],
    ["{bundle}", "--bogus"],
    ["{bundle}", "--proof", "{bundle}"],
    ["{bundle}", "--leaf-hash", "00" * 32],
    ["--proof", "{bundle}"],
    ["--proof", "{bundle}", "--leaf", "{bundle}", "--leaf-hash", "00" * 32],
    ["--proof", "{bundle}", "--leaf-hash", "00"],
    ["--proof", "{bundle}", "--leaf", "{bundle}", "--older"],
    ["{bundle}", "--policy", "{bundle}", "--log-key", "x"],
    ["{bundle}", "--quorum", "1"],
    ["{bundle}", "--quorum", "x"],
    ["{bundle}", "--database", "postgresql+psycopg://x", "--config", "{bundle}"],
    ["{bundle}", "--database", "mysql://secret@host"],
    ["{bundle}", "--config", "{bundle}"],
    ["{bundle}", "-o", "table"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=lambda arguments: " ".join(arguments) or "nothing")
def test_wrong_usage_is_no_verdict_on_the_log(arguments: list[str], bundle: Path, state: Path) -> None:
    result = run(*(argument.format(bundle=bundle) for argument in arguments), state=state)
    assert (result.code, result.out) == (2, "")
    assert "Error: " in result.err
    assert "secret" not in result.err


def test_whatever_goes_wrong_inside_is_no_verdict_on_the_log(bundle: Path, state: Path) -> None:
    for error in (ZeroDivisionError(), KeyboardInterrupt(), MemoryError()):
        with patch("vault.cli.audit.verify.verify", side_effect=error):
            result = run(bundle, state=state)
        assert (result.code, result.out) == (2, "")
        assert result.err


def test_a_memory_that_can_t_be_written_is_no_verdict(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run(bundle, state=file / "state").code == 2


def test_an_encrypted_bundle_asks_for_its_key(tmp_path: Path, state: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    key, path = tmp_path / "key", tmp_path / "bundle.age"
    key.write_text(str(identity))
    write_bundle(path, LOG.bundle().items(), [str(identity.to_public())])
    result = run(path, state=state)
    assert (result.code, result.out) == (
        2,
        "UNCHECKED the file is encrypted with age: give the key that decrypts it with --identity FILE\n",
    )
    assert run(path, "--identity", key, state=state).code == 0


def test_older_bundles_and_quorums_are_options(bundle: Path, tmp_path: Path, state: Path) -> None:
    old = write(tmp_path / "old.zip", LOG.bundle(size=600))
    assert [run(path, state=state).code for path in (old, bundle, old)] == [0, 0, 1]
    assert run(old, "--older", state=state).code == 0
    other = Witness("other.example.org", key_of(8)).verifier.vkey
    witnesses = ("--witness", WITNESS.verifier.vkey, "--witness", other)
    assert run(bundle, *witnesses, state=state).code == 1
    assert run(bundle, *witnesses, "--quorum", 1, state=state).code == 0


def test_where_checkpoints_are_remembered_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "pdvault"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local/state/pdvault"


def proof_of(index: int, size: int = 1000, log: Log = LOG) -> str:
    """A proof file."""
    hashes = tuple(inclusion_proof(log.hashes, index, size))
    return ProofFile(index, hashes, log.note(size, [WITNESS]).encode()).encode()


@pytest.mark.parametrize("index", [0, 255, 777, 999])
def test_a_proof_shows_that_an_entry_is_in_the_log(index: int, tmp_path: Path, state: Path) -> None:
    proof, leaf = tmp_path / "a.tlog-proof", tmp_path / "leaf"
    proof.write_text(proof_of(index))
    leaf.write_bytes(LOG.leaves[index])
    hash_ = leaf_hash(LOG.leaves[index])
    for given in (("--leaf", leaf), ("--leaf-hash", hash_.hex()), ("--leaf-hash", base64.b64encode(hash_).decode())):
        result = run("--proof", proof, *given, "--log-key", LOG.verifier.vkey, "--witness", WITNESS.verifier.vkey, state=state)
        assert (result.code, result.out.splitlines()[:2]) == (
            0,
            [f"OK {LOG.origin} 1000 {encode_base64(LOG.checkpoint().root)}", f"entry: {index}"],
        )
    assert not state.exists()


def test_a_proof_of_something_else_is_bad(tmp_path: Path, state: Path) -> None:
    proof, leaf = tmp_path / "a.tlog-proof", tmp_path / "leaf"
    leaf.write_bytes(LOG.leaves[777])
    good = proof_of(777)
    key = ("--log-key", LOG.verifier.vkey)
    lines = good.split("\n")
    hashes = [*lines[:3], lines[2], *lines[3:]]
    for text in (
        proof_of(776),
        good.replace("index 777", "index 1777"),
        "\n".join(hashes),
        good[:200],
        good.replace("1000", "1001"),
    ):
        proof.write_text(text)
        result = run("--proof", proof, "--leaf", leaf, *key, state=state)
        assert (result.code, result.out[:4]) == (1, "BAD ")
    proof.write_bytes(b"\xff\xfe")
    assert run("--proof", proof, "--leaf", leaf, *key, state=state).code == 2
    proof.write_text(good)
    assert run("--proof", proof, "--leaf", leaf, state=state).out.startswith("UNCHECKED no key is known for the log ")
    leaf.write_bytes(bytes(70_000))
    assert run("--proof", proof, "--leaf", leaf, *key, state=state).code == 2


def test_a_proof_is_held_against_what_was_seen(bundle: Path, tmp_path: Path, state: Path) -> None:
    proof, leaf = tmp_path / "a.tlog-proof", tmp_path / "leaf"
    other = Log().grow(1000)
    leaf.write_bytes(other.leaves[5])
    proof.write_text(proof_of(5, log=other))
    given = ("--proof", proof, "--leaf", leaf, "--log-key", LOG.verifier.vkey)
    assert run(*given, state=state).code == 0
    assert run(bundle, state=state).code == 0
    assert run(*given, state=state).out.startswith("BAD fork: this checkpoint of size 1000")
    leaf.write_bytes(LOG.leaves[5])
    proof.write_text(proof_of(5, size=900))
    assert run(*given, state=state).code == 0
