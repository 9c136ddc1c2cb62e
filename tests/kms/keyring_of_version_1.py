"""A writer of what a keyring of version 1 held, from docs/formats-kms.md alone: the vault only reads it."""

import struct

from vault.kms.local.keyring import TenantEntry


def content(tenants: dict[bytes, TenantEntry]) -> bytes:
    """The content, tenants in the order given."""
    parts = [struct.pack(">I", len(tenants))]
    for uid, entry in tenants.items():
        parts.append(uid + struct.pack(">III", entry.latest_version, entry.min_decryption_version, len(entry.keks)))
        parts += [struct.pack(">I", version) + kek.key.raw for version, kek in sorted(entry.keks.items())]
        parts.append(entry.log_seed.raw)
    return b"".join(parts)
