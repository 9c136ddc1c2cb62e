"""Cosignatures: those of public witnesses verify, ours do, and nothing else."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vault.audit import note as notes
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.cosignature import cosign, verify_cosignature
from vault.audit.merkle import EMPTY_ROOT
from vault.audit.note import COSIGNATURE, Note, NoteError, Signature

REAL = json.loads((Path(__file__).parents[1] / "vectors" / "tlog" / "cosigned_checkpoint.json").read_text("utf-8"))
TEXT = Checkpoint("example.org/log", 0, EMPTY_ROOT).text()
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = notes.verifier("example.net/witness", KEY.public_key().public_bytes_raw(), COSIGNATURE)
LINE = cosign(TEXT, WITNESS, KEY.sign, 1_700_000_000)


def test_a_public_logs_checkpoint_and_its_four_public_cosignatures_verify() -> None:
    checkpoint, note = open_checkpoint(REAL["checkpoint"], notes.parse_vkey(REAL["log_vkey"]))
    assert (checkpoint.origin, checkpoint.size) == ("arche2025h1.staging.ct.transparency.dev", 1_432_088_532)
    witnesses = [notes.parse_vkey(vkey) for vkey in REAL["witness_vkeys"]]
    assert len(witnesses) == 4
    for witness in witnesses:
        assert verify_cosignature(note, witness) == REAL["cosigned_at_s"]
        moved = Note(note.text.replace("1432088532", "1432088533"), note.signatures)
        with pytest.raises(NoteError, match="is bad"):
            verify_cosignature(moved, witness)


def test_a_cosignature_is_a_time_and_a_signature_over_it_and_the_checkpoint() -> None:
    signature = KEY.sign(b"cosignature/v1\ntime 1700000000\n" + TEXT.encode())
    assert Signature("example.net/witness", WITNESS.key_id, (1_700_000_000).to_bytes(8, "big") + signature) == LINE


@given(st.integers(1, 2**63 - 1))
def test_a_cosignature_verifies_at_any_time(time_s: int) -> None:
    note = notes.parse_note(Note(TEXT, (cosign(TEXT, WITNESS, KEY.sign, time_s),)).encode())
    assert verify_cosignature(note, WITNESS) == time_s


def test_a_note_that_the_witness_has_not_cosigned_says_none() -> None:
    other = Ed25519PrivateKey.generate()
    stranger = notes.verifier(WITNESS.name, other.public_key().public_bytes_raw(), COSIGNATURE)
    note = Note(TEXT, (cosign(TEXT, stranger, other.sign, 5),))
    assert verify_cosignature(note, WITNESS) is None
    assert verify_cosignature(note, stranger) == 5


def test_of_several_cosignatures_the_newest_counts() -> None:
    lines = tuple(cosign(TEXT, WITNESS, KEY.sign, time_s) for time_s in (7, 9, 8))
    assert verify_cosignature(Note(TEXT, lines), WITNESS) == 9


@given(st.integers(0, len(LINE.signature) * 8 - 1))
def test_no_bit_of_a_cosignature_can_be_changed(bit: int) -> None:
    changed = bytearray(LINE.signature)
    changed[bit // 8] ^= 1 << bit % 8
    note = Note(TEXT, (LINE, Signature(LINE.name, LINE.key_id, bytes(changed))))
    with pytest.raises(NoteError, match="is bad"):
        verify_cosignature(note, WITNESS)


@pytest.mark.parametrize("signature", [b"\0", bytes(8), bytes(72), LINE.signature[:-1], LINE.signature + b"\0"])
def test_a_malformed_cosignature_is_bad(signature: bytes) -> None:
    with pytest.raises(NoteError, match="is bad"):
        verify_cosignature(Note(TEXT, (Signature(LINE.name, LINE.key_id, signature),)), WITNESS)


def test_a_time_of_zero_is_bad_even_if_it_was_signed() -> None:
    signature = KEY.sign(b"cosignature/v1\ntime 0\n" + TEXT.encode())
    with pytest.raises(NoteError, match="is bad"):
        verify_cosignature(Note(TEXT, (Signature(LINE.name, LINE.key_id, bytes(8) + signature),)), WITNESS)


@pytest.mark.parametrize("time_s", [0, -1, 2**63])
def test_there_is_no_cosignature_at_an_impossible_time(time_s: int) -> None:
    with pytest.raises(NoteError, match="time of a cosignature"):
        cosign(TEXT, WITNESS, KEY.sign, time_s)


def test_only_a_witness_key_cosigns() -> None:
    log = notes.verifier("example.org/log", WITNESS.public_key)
    with pytest.raises(NoteError, match="type 1"):
        cosign(TEXT, log, KEY.sign, 5)
    with pytest.raises(NoteError, match="type 1"):
        verify_cosignature(Note(TEXT, (LINE,)), log)


def test_a_cosignature_by_another_key_is_noticed_before_it_is_handed_out() -> None:
    with pytest.raises(NoteError, match="not by its key"):
        cosign(TEXT, WITNESS, Ed25519PrivateKey.generate().sign, 5)
