"""What keys are for: the labels that separate their uses, and how one key wraps another (docs/formats.md, "Keys")."""

from typing import Final

from vault.crypto._key import KEY_BYTES, Key
from vault.crypto.envelope import DecryptionError, seal, unseal

__all__ = [
    "KEY_BYTES",
    "LABEL_DIGEST_KEY",
    "LABEL_FIELD",
    "LABEL_ITEM",
    "LABEL_OPENING",
    "LABEL_SUBJECT_ID",
    "LABEL_WRAP",
    "Key",
    "unwrap",
    "wrap",
]

LABEL_ITEM: Final = "pdvault/v1/key/item"
"""Store key: the key of item envelopes."""

LABEL_SUBJECT_ID: Final = "pdvault/v1/key/subject-id"
"""Store key: the key of the encrypted subject_id."""

LABEL_FIELD: Final = "pdvault/v1/key/field"
"""Field key: the key of field ciphertexts."""

LABEL_WRAP: Final = "pdvault/v1/key/wrap"
"""Epoch key: the key that wraps subject keys."""

LABEL_DIGEST_KEY: Final = "pdvault/v1/key/digest-key"
"""Epoch key: the key that wraps the keys of request digests."""

LABEL_OPENING: Final = "pdvault/v1/key/opening"
"""Epoch key: the key that wraps the keys of receipts' commitments."""


def wrap(kek: Key, key_version: int, key: Key, associated_data: bytes) -> bytes:
    """The key in an envelope of 66 bytes, sealed by ``kek`` as given (derived by ``LABEL_WRAP``).

    Args:
        kek: the wrapping key.
        key_version: its version, 0 to 2**32 - 1.
        key: what is wrapped.
        associated_data: what the wrapped key is bound to, from ``vault.crypto.binding``.

    Raises:
        ValueError: key_version is out of range.
    """
    return seal(kek, key_version, key.raw, associated_data)


def unwrap(kek: Key, envelope: bytes, associated_data: bytes) -> Key:
    """The key that ``wrap`` put into the envelope.

    Raises:
        DecryptionError: wrong key or associated data, damage, or the content is not 32 bytes long.
    """
    raw = unseal(kek, envelope, associated_data)
    if len(raw) != KEY_BYTES:
        raise DecryptionError
    return Key(raw)
