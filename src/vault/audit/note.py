"""Signed notes (C2SP signed-note): a text, and lines with the signatures of keys that have a name and an id."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1
"""Signature type of a log's key."""
COSIGNATURE = 4
"""Signature type of a witness's key: Ed25519 with a time (C2SP tlog-cosignature)."""

MAX_SIGNATURES = 100
MAX_NOTE = 1 << 20
"""Characters or bytes of a note that are read at all."""

_DASH = "— "  # U+2014 U+0020
_KEY_ID = 4
_PUBLIC_KEY = 32
_SIGNATURE = 64

Sign = Callable[[bytes], bytes]
"""Message → Ed25519 signature, 64 bytes; where the key is, only the caller knows."""


class NoteError(ValueError):
    """A note, key or checkpoint is malformed, or a signature is not good."""


@dataclass(frozen=True)
class Verifier:
    """A public key that notes are checked against. Made by ``verifier`` and ``parse_vkey``, which compute and check the key id."""

    name: str
    key_id: bytes
    kind: int
    public_key: bytes

    @property
    def vkey(self) -> str:
        """The verifier key as text: name, key id and key, joined by ``+``."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.public_key)}"

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether this is the key's Ed25519 signature of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: a signature or key of no possible form
            return False
        return True


@dataclass(frozen=True)
class Signature:
    """One signature line; ``signature`` is what follows the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_by(self, key: Verifier) -> bool:
        """Whether the line names this key; says nothing about whether the signature is good."""
        return (self.name, self.key_id) == (key.name, key.key_id)


@dataclass(frozen=True)
class Note:
    """A note as it was read; unverified."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> str:
        """The note: text, blank line, signature lines."""
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


def verifier(name: str, public_key: bytes, kind: int = ED25519) -> Verifier:
    """The verifier of an Ed25519 key.

    Args:
        name: of the key; non-empty, without spaces and ``+``.
        public_key: 32 bytes (RFC 8032).
        kind: ED25519 or COSIGNATURE.

    Raises:
        NoteError: name, key or kind is not of that form.
    """
    _check_name(name)
    if kind not in (ED25519, COSIGNATURE):
        raise NoteError(f"signature type {kind} is not supported; supported are {ED25519} and {COSIGNATURE} (Ed25519)")
    if len(public_key) != _PUBLIC_KEY:
        raise NoteError(f"an Ed25519 public key is of {_PUBLIC_KEY} bytes, not {len(public_key)}")
    key_id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:_KEY_ID]
    return Verifier(name, key_id, kind, public_key)


def parse_vkey(text: str) -> Verifier:
    """Read a verifier key: ``<name>+<key id in hex>+<base64 of type and public key>``.

    Raises:
        NoteError: it is malformed, of another type than Ed25519, or its key id is not that of its key.
    """
    parts = text.split("+", 2)  # the base64 may hold a "+" of its own
    if len(parts) != 3:
        raise NoteError("a verifier key has the form <name>+<key id>+<base64 of the key>")
    name, key_id, key = parts
    material = decode_base64(key)
    if not material:
        raise NoteError("the verifier key holds no key")
    found = verifier(name, material[1:], material[0])
    if key_id != found.key_id.hex():
        raise NoteError(f"the verifier key says key id {key_id[:8]!r}, but its name and key have {found.key_id.hex()}")
    return found


def parse_note(data: str | bytes) -> Note:
    """Read a note, without believing any of it.

    Raises:
        NoteError: it is malformed, longer than 1 MiB, or has more than 100 signatures.
    """
    if len(data) > MAX_NOTE:
        raise NoteError(f"the note is longer than {MAX_NOTE} bytes")
    try:
        content = data if isinstance(data, str) else data.decode()
        content.encode()  # a str may hold lone surrogates
    except UnicodeError:
        raise NoteError("the note is not UTF-8") from None
    _check_characters(content)
    at = content.rfind("\n\n")
    if at < 0:
        raise NoteError("the note has no blank line between text and signatures")
    text, block = content[: at + 1], content[at + 2 :]
    if not block.endswith("\n"):
        raise NoteError("the note has no signature, or does not end with a newline")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(text, tuple(_parse_line(line) for line in lines))


def sign_note(text: str, verifier: Verifier, sign: Sign) -> Note:
    """Sign a text.

    Args:
        text: ends with a newline.
        verifier: of the key that ``sign`` uses, type ED25519; the signature is checked against it.
        sign: gives the key's signature of a message.

    Raises:
        NoteError: the text can't be a note's, or ``sign`` uses another key.
    """
    _check_kind(verifier)
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends with a newline")
    _check_characters(text)
    message = text.encode()
    signature = sign(message)
    if not verifier.accepts(signature, message):
        raise NoteError(f"the signature made for {verifier.name} is not by its key {verifier.key_id.hex()}")
    return Note(text, (Signature(verifier.name, verifier.key_id, signature),))


def verify_note(note: Note, verifiers: Iterable[Verifier]) -> list[Verifier]:
    """Which of these keys have signed the note. Lines of other keys are ignored.

    Args:
        note: as it was read.
        verifiers: keys of type ED25519; for witnesses see ``cosignature``.

    Raises:
        NoteError: one of these keys has a bad signature, or none of them has signed.
    """
    message = note.text.encode()
    good = []
    for key in verifiers:
        _check_kind(key)
        lines = [signature for signature in note.signatures if signature.is_by(key)]
        if not all(key.accepts(line.signature, message) for line in lines):
            raise NoteError(f"the signature of {key.name} ({key.key_id.hex()}) is bad")
        if lines:
            good.append(key)
    if not good:
        raise NoteError("the note is not signed by a known key")
    return good


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """The bytes of standard base64 with padding; only the one spelling of them that ``encode_base64`` writes is accepted.

    Raises:
        NoteError: it is anything else.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64 with padding") from None
    if encode_base64(data) != text:
        raise NoteError("not base64 as it is written: spare bits are set")
    return data


def _parse_line(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("a signature line has the form '— <key name> <base64>'")
    _check_name(name)
    data = decode_base64(encoded)
    if len(data) <= _KEY_ID:
        raise NoteError("a signature line holds no signature")
    return Signature(name, data[:_KEY_ID], data[_KEY_ID:])


def _check_kind(key: Verifier) -> None:
    if key.kind != ED25519:
        raise NoteError(f"the key of {key.name} is of type {key.kind}, which does not sign notes but cosigns checkpoints")


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteError("a key's name is not empty and holds neither spaces nor '+'")
    _check_characters(name)
    try:
        name.encode()
    except UnicodeError:
        raise NoteError("a key's name is not UTF-8") from None


def _check_characters(text: str) -> None:
    if any(character < " " for character in set(text) - {"\n"}):
        raise NoteError("notes hold no control characters other than newline")
