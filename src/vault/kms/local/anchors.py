"""The bytes of a local anchors file (docs/formats-kms.md, "Local anchors file"). Pure: no file."""

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from vault.crypto.encoding import pack
from vault.crypto.keys import Key
from vault.kms.arguments import TENANT_UID_BYTES, check_anchor
from vault.kms.key_manager import Anchored, KmsIntegrityError

KEY_LABEL: Final = "pdvault/v1/key/anchors"
"""The keyring's root key: the key of the tag."""

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
_LABEL: Final = "pdvault/v1/anchors"
_MAGIC: Final = b"pdvanchr\1"
_TAG_BYTES: Final = 32
_COUNTS: Final = struct.Struct(">QQI")
_ANCHOR: Final = struct.Struct(f">{TENANT_UID_BYTES}sQI")
HEAD_BYTES: Final = len(_MAGIC) + _TAG_BYTES
"""Magic and tag: equal heads, equal files."""


@dataclass(frozen=True)
class Anchors:
    """All logs' anchors.

    Attributes:
        sequence: how often the file has been written, from 1; 0 if there is none.
        generation: the newest generation of the keyring that a writer has seen.
        by_tenant: by tenant uid.
    """

    sequence: int = 0
    generation: int = 0
    by_tenant: Mapping[bytes, Anchored] = field(default_factory=dict)

    def next(self, generation: int) -> "Anchors":
        """The next one to write, by a writer that has seen this generation of the keyring."""
        return replace(self, sequence=self.sequence + 1, generation=generation)

    def with_anchor(self, tenant_uid: bytes, anchored: Anchored) -> "Anchors":
        """The same with one tenant's anchor replaced."""
        return replace(self, by_tenant={**self.by_tenant, tenant_uid: anchored})


def encode(anchors: Anchors, key: Key) -> bytes:
    """The bytes of an anchors file.

    Raises:
        ValueError: there are too many anchors for one file.
    """
    parts = [_COUNTS.pack(anchors.sequence, anchors.generation, len(anchors.by_tenant))]
    for uid, anchored in sorted(anchors.by_tenant.items()):
        text = anchored.text.encode()
        parts += [_ANCHOR.pack(uid, anchored.version, len(text)), text]
    content = b"".join(parts)
    if HEAD_BYTES + len(content) > MAX_FILE_BYTES:
        raise ValueError("there are too many anchors for one file")
    return _MAGIC + _tag(key, content) + content


def decode(data: bytes, key: Key) -> Anchors:
    """What an anchors file holds.

    Raises:
        KmsIntegrityError: damaged, truncated, of an unknown version, or of another keyring.
    """
    magic, tag, content = data[: len(_MAGIC)], data[len(_MAGIC) : HEAD_BYTES], data[HEAD_BYTES:]
    if magic != _MAGIC:
        raise KmsIntegrityError("the anchors file is none, or of a version this release does not know")
    if not hmac.compare_digest(tag, _tag(key, content)):
        raise KmsIntegrityError("the anchors file was changed, or belongs to another keyring")
    try:
        return _decode(content)
    except (struct.error, ValueError):
        raise KmsIntegrityError("the anchors file's content is not that of one") from None


def _tag(key: Key, content: bytes) -> bytes:
    return hmac.digest(key.raw, pack(_LABEL, _MAGIC, content), "sha256")


def _decode(content: bytes) -> Anchors:
    sequence, generation, count = _COUNTS.unpack_from(content)
    by_tenant: dict[bytes, Anchored] = {}
    at = _COUNTS.size
    for _ in range(count):
        uid, version, size = _ANCHOR.unpack_from(content, at)
        at += _ANCHOR.size
        text = content[at : at + size].decode()
        check_anchor(text, version)
        if not version or len(text.encode()) != size or (by_tenant and uid <= next(reversed(by_tenant))):
            raise ValueError("an anchor is truncated, without version or out of order")
        by_tenant[uid] = Anchored(text, version)
        at += size
    if at != len(content) or not sequence or not generation:
        raise ValueError("the content must end with its last anchor, and numbers begin at 1")
    return Anchors(sequence, generation, by_tenant)
