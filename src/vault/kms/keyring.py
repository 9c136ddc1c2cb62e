"""What a local keyring holds, and its bytes (docs/formats-kms.md, "Content"). Pure: no file, no encryption."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.key_manager import TENANT_UID_BYTES

_COUNT: Final = struct.Struct(">I")
_TENANT: Final = struct.Struct(f">{TENANT_UID_BYTES}sIII")
_KEK: Final = struct.Struct(f">I{KEY_BYTES}s")


class KeyringFormatError(ValueError):
    """The content is not that of a keyring."""


@dataclass(frozen=True)
class TenantEntry:
    """One tenant's keys, with the version semantics of Transit.

    Attributes:
        latest_version: the KEK version that wraps.
        min_decryption_version: blobs of older versions are refused.
        keks: by version; a version that is missing has been destroyed.
        log_seed: the Ed25519 seed of the log key.
    """

    latest_version: int
    min_decryption_version: int
    keks: Mapping[int, Key]
    log_seed: Key

    def __post_init__(self) -> None:
        if not self.keks or max(self.keks) != self.latest_version or min(self.keks) < 1:
            raise KeyringFormatError("the latest KEK version must be there, and versions begin at 1")
        if not 1 <= self.min_decryption_version <= self.latest_version:
            raise KeyringFormatError("the minimum decryption version must be from 1 to the latest")

    @classmethod
    def generate(cls) -> "TenantEntry":
        """New keys: one KEK version and a log key."""
        return cls(latest_version=1, min_decryption_version=1, keks={1: Key.generate()}, log_seed=Key.generate())

    def kek_for(self, version: int) -> Key | None:
        """The KEK of a version, if it still decrypts."""
        return self.keks.get(version) if version >= self.min_decryption_version else None


@dataclass(frozen=True)
class Keyring:
    """All tenants' keys.

    Attributes:
        generation: how often the file has been written, from 1.
        tenants: by tenant uid.
    """

    generation: int
    tenants: Mapping[bytes, TenantEntry] = field(default_factory=dict)

    def with_tenant(self, tenant_uid: bytes) -> "Keyring":
        """The next generation, with new keys for one more tenant."""
        return Keyring(self.generation + 1, {**self.tenants, tenant_uid: TenantEntry.generate()})


def encode(tenants: Mapping[bytes, TenantEntry]) -> bytes:
    """The content of a keyring."""
    parts = [_COUNT.pack(len(tenants))]
    for uid, entry in sorted(tenants.items()):
        parts.append(_TENANT.pack(uid, entry.latest_version, entry.min_decryption_version, len(entry.keks)))
        parts += [_KEK.pack(version, kek.raw) for version, kek in sorted(entry.keks.items())]
        parts.append(entry.log_seed.raw)
    return b"".join(parts)


def decode(content: bytes) -> dict[bytes, TenantEntry]:
    """The tenants in the content of a keyring.

    Raises:
        KeyringFormatError: truncated, too long, not in order, or versions that do not fit together.
    """
    tenants: dict[bytes, TenantEntry] = {}
    try:
        (count,) = _COUNT.unpack_from(content)
        at = _COUNT.size
        for _ in range(count):
            uid, entry, at = _decode_tenant(content, at)
            if tenants and uid <= next(reversed(tenants)):
                raise KeyringFormatError("tenants must be in ascending order")
            tenants[uid] = entry
    except struct.error:
        at = -1
    if at != len(content):
        raise KeyringFormatError("the content must end with its last tenant")
    return tenants


def _decode_tenant(content: bytes, at: int) -> tuple[bytes, TenantEntry, int]:
    """One tenant's uid and entry, and where the next one begins."""
    uid, latest_version, min_decryption_version, count = _TENANT.unpack_from(content, at)
    at += _TENANT.size
    keks: dict[int, Key] = {}
    for _ in range(count):
        version, raw = _KEK.unpack_from(content, at)
        if keks and version <= next(reversed(keks)):
            raise KeyringFormatError("KEK versions must be in ascending order")
        keks[version] = Key(raw)
        at += _KEK.size
    (seed,) = struct.unpack_from(f">{KEY_BYTES}s", content, at)
    return uid, TenantEntry(latest_version, min_decryption_version, keks, Key(seed)), at + KEY_BYTES
