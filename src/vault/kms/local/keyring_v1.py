"""The content of a keyring of version 1, which did not say when a KEK version was made or imported. Only read; pure."""

import struct
from typing import Final

from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.arguments import TENANT_UID_BYTES
from vault.kms.local.keyring import KekVersion, KeyringFormatError, TenantEntry

_COUNT: Final = struct.Struct(">I")
_TENANT: Final = struct.Struct(f">{TENANT_UID_BYTES}sIII")
_KEK: Final = struct.Struct(f">I{KEY_BYTES}s")
_SEED: Final = struct.Struct(f">{KEY_BYTES}s")
_UNKNOWN_US: Final = 0


def decode(content: bytes) -> dict[bytes, TenantEntry]:
    """The tenants in the content of a keyring of version 1.

    Raises:
        KeyringFormatError: truncated, too long, not in order, or versions that do not fit together.
    """
    tenants: dict[bytes, TenantEntry] = {}
    try:
        (count,), at = _COUNT.unpack_from(content), _COUNT.size
        for _ in range(count):
            uid, latest_version, min_decryption_version, versions = _TENANT.unpack_from(content, at)
            at += _TENANT.size
            keks = [_KEK.unpack_from(content, at + number * _KEK.size) for number in range(versions)]
            at += versions * _KEK.size
            (seed,) = _SEED.unpack_from(content, at)
            at += _SEED.size
            by_version = {version: KekVersion(Key(raw), _UNKNOWN_US) for version, raw in keks}
            if [version for version, _ in keks] != sorted(by_version) or uid in tenants or uid < max(tenants, default=b""):
                raise KeyringFormatError("tenants and KEK versions must be in ascending order")
            tenants[uid] = TenantEntry(latest_version, min_decryption_version, by_version, Key(seed))
    except struct.error:
        at = -1
    if at != len(content):
        raise KeyringFormatError("the content must end with its last tenant")
    return tenants
