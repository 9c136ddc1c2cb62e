"""The field ciphertext: a value that callers keep in their own databases (docs/formats.md, "Field ciphertext").

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces: at most 2**32 ciphertexts under one key (section 8.3 there).
"""

import re
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from vault.crypto._key import Key
from vault.crypto.encoding import pack, utf8
from vault.crypto.envelope import MAX_ENVELOPE_BYTES, DecryptionError

MAX_CIPHERTEXT_BYTES: Final = MAX_ENVELOPE_BYTES
MAX_CALLER_DATA_BYTES: Final = 4096
MAX_PURPOSES: Final = 16

_LABEL: Final = "pdvault/v1/field-ciphertext"
_VERSION: Final = 1
_AES_256_GCM: Final = 1
_FIXED: Final = struct.Struct(">BB16sBB")
_LENGTH: Final = struct.Struct(">H")
_BOUND, _ILL_FORMED = 1, 2
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_UID_BYTES: Final = 16
_DATA_CLASS: Final = re.compile(rb"[a-z][a-z0-9_]{0,63}")
_PURPOSE: Final = re.compile(rb"[a-z][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, eq=False, slots=True)
class FieldKey:
    """A subject's field key in its place: whose it is, which one, and the key derived from it by ``LABEL_FIELD``.

    Raises:
        ValueError: a uid or the key id is not 16 bytes, or the version is not from 0 to 2**64 - 1.
    """

    tenant_uid: bytes
    subject_uid: bytes
    key_id: bytes
    version: int
    key: Key

    def __post_init__(self) -> None:
        for uid in (self.tenant_uid, self.subject_uid, self.key_id):
            if type(uid) is not bytes or len(uid) != _UID_BYTES:
                raise ValueError("a uid must be exactly 16 bytes")
        if not 0 <= self.version < 2**64:
            raise ValueError("version must be from 0 to 2**64 - 1")


class Header(NamedTuple):
    """What a ciphertext says of itself in clear. Not authenticated before ``unseal_field``.

    ``purposes`` are sorted, each once; ``is_bound`` says whether it opens only with data of the caller's own.
    """

    key_id: bytes
    data_class: str
    purposes: tuple[str, ...]
    is_bound: bool
    ill_formed: bool


def seal_field(
    key: FieldKey,
    data_class: str,
    purposes: Sequence[str],
    plaintext: bytes,
    *,
    caller_data: bytes | None = None,
    ill_formed: bool = False,
) -> bytes:
    """A new ciphertext.

    Args:
        key: the key and whose it is.
        data_class: the value's class.
        purposes: what the value was collected for, at least one; they count as a set.
        plaintext: an item plaintext (``vault.crypto.plaintext``).
        caller_data: what the caller binds it to besides, at most 4,096 bytes; None is not the same as empty.
        ill_formed: whether the class did not recognise the value.

    Raises:
        ValueError: class, purposes, caller_data or the whole have no place in the format.
    """
    if caller_data is not None and len(caller_data) > MAX_CALLER_DATA_BYTES:
        raise ValueError(f"caller_data must be at most {MAX_CALLER_DATA_BYTES} bytes")
    flags = (caller_data is not None) * _BOUND + ill_formed * _ILL_FORMED
    header = _header(key.key_id, flags, utf8(data_class), sorted(map(utf8, set(purposes))))
    if len(header) + _NONCE_BYTES + len(plaintext) + _TAG_BYTES > MAX_CIPHERTEXT_BYTES:
        raise ValueError(f"a ciphertext must be at most {MAX_CIPHERTEXT_BYTES} bytes")
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + key.key.aead.encrypt(nonce, plaintext, _associated(key, header, caller_data))


def read_header(ciphertext: bytes) -> Header:
    """What the ciphertext says of itself, to look its key up by.

    Raises:
        DecryptionError: unknown version, algorithm, flag or length, or no names where names belong.
    """
    return _split(ciphertext)[0]


def unseal_field(key: FieldKey, ciphertext: bytes, caller_data: bytes | None = None) -> bytes:
    """The plaintext of a ciphertext made by ``seal_field`` with the same key and ``caller_data``.

    Raises:
        DecryptionError: another key or other ``caller_data``, damage, or what ``read_header`` refuses.
    """
    said, end = _split(ciphertext)
    if said.key_id != key.key_id or said.is_bound != (caller_data is not None):
        raise DecryptionError
    header, nonce, body = ciphertext[:end], ciphertext[end : end + _NONCE_BYTES], ciphertext[end + _NONCE_BYTES :]
    try:
        return key.key.aead.decrypt(nonce, body, _associated(key, header, caller_data))
    except InvalidTag:
        raise DecryptionError from None


def _associated(key: FieldKey, header: bytes, caller_data: bytes | None) -> bytes:
    return pack(_LABEL, header, key.tenant_uid, key.subject_uid, key.version, caller_data or b"")


def _header(key_id: bytes, flags: int, data_class: bytes, purposes: Sequence[bytes]) -> bytes:
    if not _are_names(data_class, purposes):
        raise ValueError(f"data_class and 1 to {MAX_PURPOSES} purposes must be names of at most 64 characters, as in the contract")
    listed = b",".join(purposes)
    fixed = _FIXED.pack(_VERSION, _AES_256_GCM, key_id, flags, len(data_class))
    return fixed + data_class + _LENGTH.pack(len(listed)) + listed


def _split(ciphertext: bytes) -> tuple[Header, int]:
    """What the header says, and where it ends."""
    if not _FIXED.size <= len(ciphertext) <= MAX_CIPHERTEXT_BYTES:
        raise DecryptionError
    version, algorithm, key_id, flags, class_bytes = _FIXED.unpack_from(ciphertext)
    if (version, algorithm) != (_VERSION, _AES_256_GCM) or flags > _BOUND + _ILL_FORMED:
        raise DecryptionError
    length_at = _FIXED.size + class_bytes
    if len(ciphertext) < length_at + _LENGTH.size:
        raise DecryptionError
    (purposes_bytes,) = _LENGTH.unpack_from(ciphertext, length_at)
    end = length_at + _LENGTH.size + purposes_bytes
    data_class, purposes = ciphertext[_FIXED.size : length_at], ciphertext[length_at + _LENGTH.size : end].split(b",")
    if len(ciphertext) < end + _NONCE_BYTES + _TAG_BYTES or not _are_names(data_class, purposes):
        raise DecryptionError
    names = tuple(purpose.decode() for purpose in purposes)
    return Header(key_id, data_class.decode(), names, bool(flags & _BOUND), bool(flags & _ILL_FORMED)), end


def _are_names(data_class: bytes, purposes: Sequence[bytes]) -> bool:
    """Whether these have a place in a header: purposes sorted, none twice."""
    if not _DATA_CLASS.fullmatch(data_class) or len(purposes) > MAX_PURPOSES:
        return False
    return all(map(_PURPOSE.fullmatch, purposes)) and list(purposes) == sorted(set(purposes)) != []
