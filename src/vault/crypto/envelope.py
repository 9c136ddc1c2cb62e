"""The envelope: how one plaintext is encrypted and bound to its place (docs/formats.md, "Envelope").

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces: at most 2**32 envelopes under one key (section 8.3 there).
"""

import secrets
import struct
from typing import Final

from cryptography.exceptions import InvalidTag

from vault.crypto._key import Key
from vault.crypto.encoding import pack

MAX_ENVELOPE_BYTES: Final = 1024 * 1024 + 64 * 1024

_LABEL: Final = "pdvault/v1/envelope"
_VERSION: Final = 1
_AES_256_GCM: Final = 1
_HEADER: Final = struct.Struct(">BBI")
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_BODY_AT: Final = _HEADER.size + _NONCE_BYTES
_OVERHEAD: Final = _BODY_AT + _TAG_BYTES
MAX_PLAINTEXT_BYTES: Final = MAX_ENVELOPE_BYTES - _OVERHEAD


class DecryptionError(Exception):
    """An envelope was refused. One message for every cause, so that nobody learns which it was."""

    def __init__(self) -> None:
        super().__init__("the envelope cannot be opened: damaged, moved, or sealed by another key")


def seal(key: Key, key_version: int, plaintext: bytes, associated_data: bytes) -> bytes:
    """A new envelope around the plaintext, 34 bytes longer than it.

    Args:
        key: used as given; callers derive it by one of the labels in ``vault.crypto.keys``.
        key_version: which version of its key this is, 0 to 2**32 - 1; readable without the key, and authenticated.
        plaintext: at most ``MAX_PLAINTEXT_BYTES``.
        associated_data: what the envelope is bound to, from ``vault.crypto.binding``.

    Raises:
        ValueError: key_version or the plaintext's length is out of range.
    """
    if not 0 <= key_version < 2**32:
        raise ValueError("key_version must be from 0 to 2**32 - 1")
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise ValueError(f"a plaintext must be at most {MAX_PLAINTEXT_BYTES} bytes")
    header = opening_bytes(key_version)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + key.aead.encrypt(nonce, plaintext, pack(_LABEL, header, associated_data))


def unseal(key: Key, envelope: bytes, associated_data: bytes) -> bytes:
    """The plaintext of an envelope made by ``seal`` with the same key and associated data.

    Raises:
        DecryptionError: wrong key or associated data, damage, or an unknown version, algorithm or length.
    """
    key_version(envelope)
    header, nonce, body = envelope[: _HEADER.size], envelope[_HEADER.size : _BODY_AT], envelope[_BODY_AT:]
    try:
        return key.aead.decrypt(nonce, body, pack(_LABEL, header, associated_data))
    except InvalidTag:
        raise DecryptionError from None


def key_version(envelope: bytes) -> int:
    """Which version of its key sealed the envelope: what to look the key up by. Not authenticated before ``unseal``.

    Raises:
        DecryptionError: unknown version, algorithm or length.
    """
    if not _OVERHEAD <= len(envelope) <= MAX_ENVELOPE_BYTES:
        raise DecryptionError
    version, algorithm, number = _HEADER.unpack_from(envelope)
    if (version, algorithm) != (_VERSION, _AES_256_GCM):
        raise DecryptionError
    return int(number)


def opening_bytes(key_version: int) -> bytes:
    """What every envelope sealed by this version of its key begins with: 6 bytes, by which databases can tell them apart.

    Raises:
        struct.error: key_version is not from 0 to 2**32 - 1.
    """
    return _HEADER.pack(_VERSION, _AES_256_GCM, key_version)
