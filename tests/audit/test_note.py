"""Signed notes: foreign ones verify, ours do, and nothing else."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vault.audit import note as notes
from vault.audit.note import COSIGNATURE, Note, NoteError, Signature, Verifier

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tlog" / "note.json").read_text("utf-8"))
NAME = "example.org/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = notes.verifier(NAME, KEY.public_key().public_bytes_raw())
TEXT = "first\n\nthird\n"
SIGNED = notes.sign_note(TEXT, LOG, KEY.sign)
MESSAGE = SIGNED.encode()
LINE = SIGNED.signatures[0].line()


def key_whose_base64_has_a_plus() -> tuple[Ed25519PrivateKey, Verifier]:
    number = 0
    while True:
        key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        found = notes.verifier(NAME, key.public_key().public_bytes_raw())
        if "+" in found.vkey.split("+", 2)[2]:
            return key, found
        number += 1


# --- notes of others ---


def test_the_specifications_note_verifies() -> None:
    key = notes.parse_vkey(VECTORS["note_vkey"])
    note = notes.parse_note(VECTORS["note"])
    assert note.text == "This is an example message.\n"
    assert notes.verify_note(note, [key]) == [key]
    assert note.encode() == VECTORS["note"]


def test_published_keys_are_read_and_written_the_same() -> None:
    for case in VECTORS["valid_vkeys"]:
        key = notes.parse_vkey(case["vkey"])
        assert (key.name, key.kind, key.vkey) == (case["name"], case["kind"], case["vkey"])


@pytest.mark.parametrize("vkey", VECTORS["invalid_vkeys"])
def test_keys_that_others_refuse_are_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        notes.parse_vkey(vkey)


# --- ours ---


def test_a_note_is_text_blank_line_and_signature_lines() -> None:
    encoded = base64.b64encode(LOG.key_id + KEY.sign(TEXT.encode())).decode()
    assert f"first\n\nthird\n\n— {NAME} {encoded}\n" == MESSAGE


def test_a_note_is_read_as_it_was_written_as_text_and_as_bytes() -> None:
    assert notes.parse_note(MESSAGE) == notes.parse_note(MESSAGE.encode()) == SIGNED
    assert notes.verify_note(SIGNED, [LOG]) == [LOG]


def test_a_key_id_is_the_hash_of_name_type_and_key() -> None:
    public_key = KEY.public_key().public_bytes_raw()
    assert LOG.key_id == hashlib.sha256(f"{NAME}\n".encode() + b"\x01" + public_key).digest()[:4]
    as_witness = notes.verifier(NAME, public_key, COSIGNATURE)
    assert as_witness.key_id == hashlib.sha256(f"{NAME}\n".encode() + b"\x04" + public_key).digest()[:4]
    assert notes.parse_vkey(as_witness.vkey) == as_witness


def test_a_vkey_may_have_a_plus_in_its_base64() -> None:
    key, verifier = key_whose_base64_has_a_plus()
    assert notes.parse_vkey(verifier.vkey) == verifier
    assert notes.verify_note(notes.sign_note(TEXT, verifier, key.sign), [notes.parse_vkey(verifier.vkey)]) == [verifier]


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in range(32)]), max_size=20)


@given(st.lists(lines, min_size=1, max_size=6))
def test_any_text_of_lines_can_be_signed(content: list[str]) -> None:
    text = "".join(line + "\n" for line in content)
    note = notes.parse_note(notes.sign_note(text, LOG, KEY.sign).encode())
    assert note.text == text
    assert notes.verify_note(note, [LOG]) == [LOG]


@given(st.integers(0, len(MESSAGE.encode()) * 8 - 1))
def test_no_bit_of_a_note_can_be_changed(bit: int) -> None:
    changed = bytearray(MESSAGE.encode())
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        notes.verify_note(notes.parse_note(bytes(changed)), [LOG])


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_reading_anything_ends_in_a_note_or_a_note_error(data: str | bytes) -> None:
    for candidate in (data, MESSAGE + data if isinstance(data, str) else MESSAGE.encode() + data):
        try:
            note = notes.parse_note(candidate)
        except NoteError:
            continue
        assert note.encode() == (candidate if isinstance(candidate, str) else candidate.decode())


# --- whose signatures count ---


def test_unknown_signers_are_ignored_even_with_the_same_name_or_the_same_id() -> None:
    other = Ed25519PrivateKey.generate()
    same_name = notes.sign_note(TEXT, notes.verifier(NAME, other.public_key().public_bytes_raw()), other.sign).signatures[0]
    same_id = Signature("example.org/other", LOG.key_id, b"\0" * 64)
    elsewhere = Signature("example.org/elsewhere", b"\1\2\3\4", b"no signature of ours")
    note = Note(TEXT, (same_name, same_id, SIGNED.signatures[0], elsewhere))
    assert notes.verify_note(notes.parse_note(note.encode()), [LOG]) == [LOG]


@pytest.mark.parametrize("signature", [b"\0" * 64, b"\0", b"\0" * 63, b"\0" * 65, SIGNED.signatures[0].signature + b"\0"])
def test_a_known_signer_with_a_bad_signature_spoils_the_note(signature: bytes) -> None:
    bad = Signature(NAME, LOG.key_id, signature)
    key = Ed25519PrivateKey.generate()
    other = notes.verifier("example.org/other", key.public_key().public_bytes_raw())
    good = notes.sign_note(TEXT, other, key.sign).signatures[0]
    for signatures in [(bad,), (good, bad), (SIGNED.signatures[0], bad)]:
        with pytest.raises(NoteError, match=f"signature of {NAME} .* is bad"):
            notes.verify_note(Note(TEXT, signatures), [other, LOG])


def test_a_note_without_a_known_signer_is_refused() -> None:
    other = notes.verifier("example.org/other", Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    for known in ([], [other]):
        with pytest.raises(NoteError, match="not signed by a known key"):
            notes.verify_note(SIGNED, known)


def test_all_known_signers_are_named() -> None:
    key, other = key_whose_base64_has_a_plus()
    note = Note(TEXT, (*SIGNED.signatures, *notes.sign_note(TEXT, other, key.sign).signatures))
    assert notes.verify_note(note, [other, LOG]) == [other, LOG]


def test_a_witness_key_signs_no_notes() -> None:
    witness = notes.verifier(NAME, KEY.public_key().public_bytes_raw(), COSIGNATURE)
    with pytest.raises(NoteError, match="cosigns"):
        notes.sign_note(TEXT, witness, KEY.sign)
    with pytest.raises(NoteError, match="cosigns"):
        notes.verify_note(SIGNED, [LOG, witness])


def test_a_signature_by_another_key_is_noticed_before_it_is_published() -> None:
    with pytest.raises(NoteError, match="not by its key"):
        notes.sign_note(TEXT, LOG, Ed25519PrivateKey.generate().sign)


@pytest.mark.parametrize("count", [16, 100])
def test_a_note_may_have_many_signatures(count: int) -> None:
    others = tuple(Signature(f"example.org/{number}", b"\0\0\0\1", b"?") for number in range(count - 1))
    message = Note(TEXT, (*others, SIGNED.signatures[0])).encode()
    assert notes.verify_note(notes.parse_note(message), [LOG]) == [LOG]


def test_a_note_has_at_most_100_signatures() -> None:
    with pytest.raises(NoteError, match="more than 100"):
        notes.parse_note(Note(TEXT, SIGNED.signatures * 101).encode())


def test_a_note_of_more_than_a_mebibyte_is_not_read() -> None:
    with pytest.raises(NoteError, match="longer than"):
        notes.parse_note("x" * (1 << 20) + "\n" + LINE)


# --- malformed ---

SHORT = base64.b64encode(LOG.key_id).decode()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        LINE,
        "\n" + LINE,
        "text\n" + LINE,  # no blank line
        "text\n\n",  # no signature
        "text\n\n" + LINE[:-1],  # no newline at the end
        "text\n\n" + LINE + "\n",  # a blank line at the end
        "text\n\n" + LINE + "\n" + LINE + "more",
        "text\n\n" + LINE + "no signature line\n",
        "text\n\n" + LINE.replace("— ", "- "),
        "text\n\n" + LINE.replace("— ", "—"),
        "text\n\n" + LINE.replace("— ", "—\u00a0"),
        "text\n\n " + LINE,
        "text\n\n" + LINE.replace("\n", " \n"),
        "text\n\n" + LINE.replace("example.org/log", "example.org/l og"),
        "text\n\n" + LINE.replace("example.org/log", "example.org/l+og"),
        "text\n\n" + LINE.replace("example.org/log", "example.org/l\u2003og"),
        "text\n\n" + LINE.replace("example.org/log", ""),
        f"text\n\n— {NAME}\n",
        f"text\n\n— {NAME} \n",
        f"text\n\n— {NAME} {SHORT}\n",  # a key id and nothing else
        f"text\n\n— {NAME} {SHORT.rstrip('=')}\n",
        f"text\n\n— {NAME} !!!!{SHORT}\n",
        f"text\n\n— {NAME} AAAAAAB=\n",  # spare bits set
        f"text\n\n— {NAME} AAAA_-AA\n",  # the other alphabet
        "text\r\n\r\n" + LINE.replace("\n", "\r\n"),
        "te\txt\n\n" + LINE,
        "te\0xt\n\n" + LINE,
        "te\x1fxt\n\n" + LINE,
        "text\n\n" + LINE.replace("example.org/log", "example.org/\x01log"),
        "te\ud800xt\n\n" + LINE,
        b"te\xffxt\n\n" + LINE.encode(),
        b"te\xed\xa0\x80xt\n\n" + LINE.encode(),  # a surrogate, encoded
    ],
)
def test_what_is_no_note_is_refused(message: str | bytes) -> None:
    with pytest.raises(NoteError):
        notes.parse_note(message)


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "a\r\n", "a\0\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        notes.sign_note(text, LOG, KEY.sign)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\nb", "a\0b", "a\ud800b"])
def test_what_is_no_name_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        notes.verifier(name, LOG.public_key)


def test_only_ed25519_keys_are_supported() -> None:
    for kind in (0, 2, 3, 5, 6, 255):
        with pytest.raises(NoteError, match="not supported"):
            notes.verifier(NAME, LOG.public_key, kind)
    for length in (0, 31, 33):
        with pytest.raises(NoteError, match="32 bytes"):
            notes.verifier(NAME, b"\0" * length)


NAME_PART, ID_PART, KEY_PART = LOG.vkey.split("+", 2)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        NAME_PART,
        f"{NAME_PART}+{ID_PART}",
        f"{NAME_PART}+{ID_PART}+",
        f"+{ID_PART}+{KEY_PART}",
        f"{NAME_PART}+00000000+{KEY_PART}",
        f"{NAME_PART}+{ID_PART[:7]}+{KEY_PART}",
        f"{NAME_PART}+{ID_PART}0+{KEY_PART}",
        f"{NAME_PART}+0x{ID_PART[:6]}+{KEY_PART}",
        f"{NAME_PART}x+{ID_PART}+{KEY_PART}",
        f"{NAME_PART}+{ID_PART}+{KEY_PART.rstrip('=')[:-1]}",
        f"{NAME_PART}+{ID_PART}+{KEY_PART}\n",
        f" {NAME_PART}+{ID_PART}+{KEY_PART}",
        f"{NAME_PART}+{ID_PART}+{base64.b64encode(bytes([1]) + LOG.public_key + bytes(1)).decode()}",
        f"{NAME_PART}+{ID_PART}+{base64.b64encode(bytes([6]) + LOG.public_key).decode()}",
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        notes.parse_vkey(vkey)
