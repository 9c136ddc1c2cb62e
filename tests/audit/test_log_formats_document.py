"""docs/formats-log.md says what the code does, and what hashlib and Ed25519 say without it."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.audit import cosignature, merkle, merkle_proofs, tiles
from vault.audit import note as notes
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.note import Note
from vault.audit.proof_file import ProofFile, parse_proof_file

DOCUMENT = (Path(__file__).parents[2] / "docs" / "formats-log.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```log (\S+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))

ENTRIES = [b"one", b"two", b"three"]
ORIGIN = "pdvault.invalid/" + "11" * 16
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
LOG = notes.verifier(ORIGIN, LOG_KEY.public_key().public_bytes_raw())
WITNESS = notes.verifier("witness.example.org", WITNESS_KEY.public_key().public_bytes_raw(), notes.COSIGNATURE)
TIME_S = 1_790_000_000
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def leaves(level: int, start: int, end: int) -> list[bytes]:
    assert level == 0
    return LEAVES[start:end]


def fields(block: str) -> dict[str, str]:
    """A block's fields, without remarks and spaces."""
    found: dict[str, str] = {}
    name = ""
    for line in BLOCKS[block].splitlines():
        content = line.split(";")[0]
        if re.match(r"\w+ +=", content):
            name, content = (part.strip() for part in content.split("=", 1))
            found[name] = ""
        found[name] += content.replace(" ", "")
    return found


@pytest.fixture
def root() -> bytes:
    tail = merkle.CompactRange()
    tail.extend(LEAVES)
    return tail.root()


@pytest.fixture
def checkpoint(root: bytes) -> Note:
    return notes.sign_note(Checkpoint(ORIGIN, 3, root).text(), LOG, LOG_KEY.sign)


@pytest.fixture
def cosigned(checkpoint: Note) -> Note:
    line = cosignature.cosign(checkpoint.text, WITNESS, WITNESS_KEY.sign, TIME_S)
    return Note(checkpoint.text, (*checkpoint.signatures, line))


def test_the_document_shows_every_format() -> None:
    assert set(BLOCKS) == {"tree", "proofs", "bundle", "keys", "checkpoint", "cosignature", "proof"}


def test_the_tree(root: bytes) -> None:
    shown = fields("tree")
    assert [shown[f"leaf_{number}"] for number in range(3)] == [leaf.hex() for leaf in LEAVES]
    assert shown["node"] == merkle.node_hash(LEAVES[0], LEAVES[1]).hex()
    assert shown["root"] == root.hex()


def test_the_tree_without_our_code() -> None:
    shown = {name: bytes.fromhex(value) for name, value in fields("tree").items()}
    for number, entry in enumerate(ENTRIES):
        assert shown[f"leaf_{number}"] == hashlib.sha256(b"\0" + entry).digest()
    assert shown["node"] == hashlib.sha256(b"\1" + shown["leaf_0"] + shown["leaf_1"]).digest()
    assert shown["root"] == hashlib.sha256(b"\1" + shown["node"] + shown["leaf_2"]).digest()


def test_the_proofs() -> None:
    assert fields("proofs") == {
        "inclusion_1_of_3": b"".join(merkle.inclusion_proof(leaves, 1, 3)).hex(),
        "consistency_2_to_3": b"".join(merkle.consistency_proof(leaves, 2, 3)).hex(),
    }


def test_the_bundle() -> None:
    shown = fields("bundle")
    assert shown["path"] == tiles.entries_path(0, 3)
    assert tiles.decode_bundle(bytes.fromhex(shown["data"])) == ENTRIES
    assert tiles.encode_bundle(ENTRIES).hex() == shown["data"]


def test_the_tiles_of_70_000_entries() -> None:
    paths = [tiles.tile_path(*tile) for tile in tiles.tiles(70_000)]
    assert len(paths) == 273 + 1 + 1 + 1 + 1
    assert paths[273:] == ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    sentence = next(line for line in DOCUMENT.splitlines() if line.startswith("Size 70,000"))
    assert re.findall(r"`([^`]+)`", sentence) == paths[273:]


def test_the_keys() -> None:
    shown = fields("keys")
    assert shown == {
        "log_private_key": LOG_KEY.private_bytes_raw().hex(),
        "log_public_key": LOG.public_key.hex(),
        "log_key_id": LOG.key_id.hex(),
        "log_vkey": LOG.vkey,
        "witness_vkey": WITNESS.vkey,
    }
    assert shown["log_key_id"] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + LOG.public_key).hexdigest()[:8]


def test_the_checkpoint(checkpoint: Note, root: bytes) -> None:
    assert checkpoint.encode() == BLOCKS["checkpoint"]
    assert open_checkpoint(BLOCKS["checkpoint"], LOG)[0] == Checkpoint(ORIGIN, 3, root)


def test_the_cosignature(cosigned: Note) -> None:
    assert cosigned.signatures[1].line() == BLOCKS["cosignature"]
    note = notes.parse_note(BLOCKS["checkpoint"] + BLOCKS["cosignature"])
    assert cosignature.verify_cosignature(note, WITNESS) == TIME_S


def test_the_cosignature_without_our_code() -> None:
    text, _, _ = BLOCKS["checkpoint"].partition("\n\n")
    data = base64.b64decode(BLOCKS["cosignature"].split(" ")[2])
    message = f"cosignature/v1\ntime {int.from_bytes(data[4:12], 'big')}\n{text}\n"
    WITNESS_KEY.public_key().verify(data[12:], message.encode())


def test_the_proof_file(cosigned: Note, root: bytes) -> None:
    made = ProofFile(1, tuple(merkle.inclusion_proof(leaves, 1, 3)), cosigned.encode())
    assert made.encode() == BLOCKS["proof"]
    read = parse_proof_file(BLOCKS["proof"])
    assert read == made
    merkle_proofs.verify_inclusion(read.index, 3, LEAVES[1], read.hashes, root)
