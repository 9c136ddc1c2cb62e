"""The bytes of a local note of what an erasure destroys (docs/formats-kms.md, "Local notes of destroyed keys"). Pure: no file."""

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from vault.crypto.encoding import pack
from vault.crypto.keys import Key
from vault.kms.arguments import MAX_DESTROYED_BYTES, check_destroyed
from vault.kms.key_manager import KmsIntegrityError

KEY_LABEL: Final = "pdvault/v1/key/destroyed"
"""The keyring's root key: the key of the tag."""

_LABEL: Final = "pdvault/v1/destroyed"
_MAGIC: Final = b"pdvdstry\1"
_TAG_BYTES: Final = 32
_TIME: Final = struct.Struct(">Q")
_CONTENT_AT: Final = len(_MAGIC) + _TAG_BYTES
_TEXT_AT: Final = _CONTENT_AT + _TIME.size
MAX_NOTE_BYTES: Final = _TEXT_AT + MAX_DESTROYED_BYTES


@dataclass(frozen=True)
class StoredNote:
    """What an erasure destroys.

    Attributes:
        text: as the caller gave it.
        time_us: when it was written, microseconds since 1970.
    """

    text: str
    time_us: int


def encode(note: StoredNote, tenant_uid: bytes, erasure_uid: bytes, key: Key) -> bytes:
    """The bytes of a note."""
    content = _TIME.pack(note.time_us) + note.text.encode()
    return _MAGIC + _tag(key, tenant_uid, erasure_uid, content) + content


def decode(data: bytes, tenant_uid: bytes, erasure_uid: bytes, key: Key) -> StoredNote:
    """What a note of this erasure says.

    Raises:
        KmsIntegrityError: damaged, truncated, of an unknown version, of another erasure or tenant, or of another keyring.
    """
    magic, tag, content = data[: len(_MAGIC)], data[len(_MAGIC) : _CONTENT_AT], data[_CONTENT_AT:]
    if magic != _MAGIC:
        raise KmsIntegrityError("a note of destroyed keys is none, or of a version this release does not know")
    if not hmac.compare_digest(tag, _tag(key, tenant_uid, erasure_uid, content)):
        raise KmsIntegrityError("a note of destroyed keys was changed or moved, or belongs to another keyring")
    try:
        (time_us,) = _TIME.unpack_from(content)
        text = content[_TIME.size :].decode()
        check_destroyed(erasure_uid, text)
    except (struct.error, ValueError):
        raise KmsIntegrityError("a note of destroyed keys does not hold what one holds") from None
    return StoredNote(text, time_us)


def _tag(key: Key, tenant_uid: bytes, erasure_uid: bytes, content: bytes) -> bytes:
    return hmac.digest(key.raw, pack(_LABEL, _MAGIC, tenant_uid, erasure_uid, content), "sha256")
