"""Checkpoints: read strictly, believed only with the log's signature and its origin."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vault.audit import checkpoint as checkpoints
from vault.audit import merkle
from vault.audit import note as notes
from vault.audit.checkpoint import Checkpoint
from vault.audit.note import NoteError

VECTORS = Path(__file__).parents[1] / "vectors" / "tlog"
PARSE = json.loads((VECTORS / "checkpoint_parse.json").read_text("utf-8"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = notes.verifier("example.org/log", KEY.public_key().public_bytes_raw())
ROOT = merkle.leaf_hash(b"a leaf")
ROOT_LINE = base64.b64encode(ROOT).decode()
TEXT = f"example.org/log\n17\n{ROOT_LINE}\n"


def signed(text: str) -> str:
    return notes.sign_note(text, LOG, KEY.sign).encode()


def test_a_checkpoint_is_origin_size_and_root() -> None:
    checkpoint = Checkpoint("example.org/log", 17, ROOT)
    assert checkpoint.text() == TEXT
    assert checkpoints.parse_checkpoint(TEXT) == checkpoint


def test_the_empty_log_has_a_checkpoint_like_tesseras() -> None:
    text = notes.parse_note((VECTORS / "tessera_log" / "checkpoint.0").read_text("utf-8")).text
    assert Checkpoint("example.com/log/testdata", 0, merkle.EMPTY_ROOT).text() == text


lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(lines, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3))
def test_checkpoints_are_read_as_they_were_written(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert checkpoints.parse_checkpoint(checkpoint.text()) == checkpoint


@given(st.text(max_size=80))
def test_reading_anything_ends_in_a_checkpoint_or_a_note_error(text: str) -> None:
    for candidate in (text, TEXT + text):
        try:
            checkpoint = checkpoints.parse_checkpoint(candidate)
        except NoteError:
            continue
        assert checkpoint.text() == candidate


def test_bodies_that_others_read_are_read_with_a_root_of_32_bytes() -> None:
    """The vectors' roots are words; a checkpoint's root is a SHA-256 hash."""
    assert len(PARSE["valid"]) == 3
    for case in PARSE["valid"]:
        with pytest.raises(NoteError, match="32 bytes"):
            checkpoints.parse_checkpoint(case["body"])
        origin, size, _, *extensions = case["body"].split("\n")
        checkpoint = checkpoints.parse_checkpoint("\n".join([origin, size, ROOT_LINE, *extensions]))
        assert checkpoint.origin == case.get("origin", "Log")
        assert checkpoint.size == case.get("size", 9944)
        assert checkpoint.extensions == tuple(case.get("extension", []))


@pytest.mark.parametrize("body", [*PARSE["invalid"], *PARSE["valid_go_but_not_c2sp"]])
def test_bodies_that_others_refuse_are_refused(body: str) -> None:
    for candidate in (body, body.replace("dGhlIHZpZXcgZnJvbSB0aGUgdHJlZSB0b3BzIGlzIGdyZWF0IQ==", ROOT_LINE)):
        with pytest.raises(NoteError):
            checkpoints.parse_checkpoint(candidate)


@pytest.mark.parametrize("size", ["", "-1", "+1", "01", "00", "1.0", "1e3", "0x10", " 1", "1 ", "٣", "1_000", str(2**63), "9" * 30])
def test_a_size_is_plain_decimal(size: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.parse_checkpoint(f"example.org/log\n{size}\n{ROOT_LINE}\n")


@pytest.mark.parametrize("root", ["", ROOT_LINE.rstrip("="), ROOT_LINE + "=", base64.b64encode(ROOT[:31]).decode(), ROOT.hex()])
def test_a_root_is_32_bytes_in_base64(root: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.parse_checkpoint(f"example.org/log\n17\n{root}\n")


def test_every_line_ends_with_a_newline_and_none_is_empty() -> None:
    for text in [TEXT[:-1], TEXT + "\n", TEXT + "a\n\nb\n", "\n" + TEXT, TEXT.replace("\n", "\r\n"), ""]:
        with pytest.raises(NoteError):
            checkpoints.parse_checkpoint(text)


# --- signed ---


def test_a_signed_checkpoint_opens_with_the_logs_key() -> None:
    checkpoint, note = checkpoints.open_checkpoint(signed(TEXT), LOG)
    assert checkpoint == Checkpoint("example.org/log", 17, ROOT)
    assert note.encode() == signed(TEXT)


def test_another_logs_checkpoint_does_not_open() -> None:
    other = Ed25519PrivateKey.generate()
    forged = notes.sign_note(TEXT, notes.verifier(LOG.name, other.public_key().public_bytes_raw()), other.sign).encode()
    with pytest.raises(NoteError, match="not signed by a known key"):
        checkpoints.open_checkpoint(forged, LOG)


def test_a_checkpoint_of_another_origin_does_not_open_even_if_the_log_signed_it() -> None:
    with pytest.raises(NoteError, match=r"is of 'example\.org/log2', not of 'example\.org/log'"):
        checkpoints.open_checkpoint(signed(TEXT.replace("log", "log2")), LOG)


def test_what_is_no_checkpoint_does_not_open_even_if_the_log_signed_it() -> None:
    with pytest.raises(NoteError, match="at least three lines"):
        checkpoints.open_checkpoint(signed("example.org/log\n17\n"), LOG)


@given(st.integers(0, len(signed(TEXT).encode()) * 8 - 1))
def test_no_bit_of_a_signed_checkpoint_can_be_changed(bit: int) -> None:
    changed = bytearray(signed(TEXT).encode())
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        checkpoints.open_checkpoint(bytes(changed).decode("utf-8", "surrogateescape"), LOG)
