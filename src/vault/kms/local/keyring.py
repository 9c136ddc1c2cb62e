"""What a local keyring holds, and its bytes (docs/formats-kms.md, "Content"). Pure: no file, no encryption."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.arguments import TENANT_UID_BYTES
from vault.kms.kek import Kek

_COUNT: Final = struct.Struct(">I")
_TENANT: Final = struct.Struct(f">{TENANT_UID_BYTES}sII?I")
_KEK: Final = struct.Struct(f">IQ{KEY_BYTES}s")
_IMPORTED_AT: Final = TENANT_UID_BYTES + 8


class KeyringFormatError(ValueError):
    """The content is not that of a keyring."""


@dataclass(frozen=True)
class KekVersion:
    """One version of a tenant's KEK.

    Attributes:
        key: the KEK.
        made_us: when it was made or imported, microseconds since 1970; 0 if that is not known.
    """

    key: Key
    made_us: int


@dataclass(frozen=True)
class TenantEntry:
    """One tenant's keys, with the version semantics of Transit.

    Attributes:
        latest_version: the KEK version that wraps.
        min_decryption_version: blobs of older versions are refused.
        keks: by version; a version that is missing has been destroyed.
        log_seed: the Ed25519 seed of the log key.
        imported: whether the KEK was brought along.
    """

    latest_version: int
    min_decryption_version: int
    keks: Mapping[int, KekVersion]
    log_seed: Key
    imported: bool = False

    def __post_init__(self) -> None:
        if not self.keks or max(self.keks) != self.latest_version or min(self.keks) < 1:
            raise KeyringFormatError("the latest KEK version must be there, and versions begin at 1")
        if not 1 <= self.min_decryption_version <= self.latest_version:
            raise KeyringFormatError("the minimum decryption version must be from 1 to the latest")

    @classmethod
    def generate(cls, now_us: int) -> "TenantEntry":
        """New keys: one KEK version and a log key."""
        return cls(1, 1, {1: KekVersion(Key.generate(), now_us)}, Key.generate())

    @classmethod
    def bring(cls, kek: Key, now_us: int) -> "TenantEntry":
        """A KEK that was brought along, and a new log key."""
        return cls(1, 1, {1: KekVersion(kek, now_us)}, Key.generate(), imported=True)

    @property
    def latest(self) -> Key:
        """The KEK that wraps."""
        return self.keks[self.latest_version].key

    def kek_for(self, version: int) -> Key | None:
        """The KEK of a version, if it still decrypts."""
        return self.keks[version].key if version >= self.min_decryption_version and version in self.keks else None

    def state(self) -> Kek:
        """What may be shown of the KEK."""
        made_us = {version: kek.made_us for version, kek in self.keks.items() if version >= self.min_decryption_version}
        return Kek(self.latest_version, min(self.keks), made_us, self.imported, may_rotate=not self.imported)

    def with_version(self, kek: Key, now_us: int) -> "TenantEntry":
        """The same with one more version, which wraps from now on."""
        latest = self.latest_version + 1
        return replace(self, latest_version=latest, keks={**self.keks, latest: KekVersion(kek, now_us)})

    def opening_from(self, version: int) -> "TenantEntry":
        """The same, of which the versions from this one on open; itself, if they do."""
        return self if version == self.min_decryption_version else replace(self, min_decryption_version=version)

    def without_before(self, version: int) -> "TenantEntry":
        """The same without the versions before this one."""
        left = {number: kek for number, kek in self.keks.items() if number >= version}
        return replace(self, min_decryption_version=max(version, self.min_decryption_version), keks=left)


@dataclass(frozen=True)
class Keyring:
    """All tenants' keys.

    Attributes:
        generation: how often the file has been written, from 1.
        tenants: by tenant uid.
    """

    generation: int
    tenants: Mapping[bytes, TenantEntry] = field(default_factory=dict)

    def with_tenant(self, tenant_uid: bytes, entry: TenantEntry) -> "Keyring":
        """The next generation, with these keys for a tenant."""
        return Keyring(self.generation + 1, {**self.tenants, tenant_uid: entry})


def encode(tenants: Mapping[bytes, TenantEntry]) -> bytes:
    """The content of a keyring."""
    parts = [_COUNT.pack(len(tenants))]
    for uid, entry in sorted(tenants.items()):
        parts.append(_TENANT.pack(uid, entry.latest_version, entry.min_decryption_version, entry.imported, len(entry.keks)))
        parts += [_KEK.pack(version, kek.made_us, kek.key.raw) for version, kek in sorted(entry.keks.items())]
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
    uid, latest_version, min_decryption_version, imported, count = _TENANT.unpack_from(content, at)
    if content[at + _IMPORTED_AT] > 1:
        raise KeyringFormatError("whether a KEK was imported must be said by 0 or 1")
    at += _TENANT.size
    keks: dict[int, KekVersion] = {}
    for _ in range(count):
        version, made_us, raw = _KEK.unpack_from(content, at)
        if keks and version <= next(reversed(keks)):
            raise KeyringFormatError("KEK versions must be in ascending order")
        keks[version] = KekVersion(Key(raw), made_us)
        at += _KEK.size
    (seed,) = struct.unpack_from(f">{KEY_BYTES}s", content, at)
    return uid, TenantEntry(latest_version, min_decryption_version, keks, Key(seed), imported), at + KEY_BYTES
