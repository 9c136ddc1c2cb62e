"""The embedded KeyManager: KEKs in a keyring file, used in the vault's own memory (docs/formats-kms.md, "Local").

For development and single machines. Whoever copies file and secret keeps every KEK for ever, so it proves no destruction.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.crypto import keys
from vault.crypto.encoding import pack
from vault.crypto.envelope import DecryptionError, key_version
from vault.crypto.keys import KEY_BYTES, Key
from vault.kms.arguments import check_anchor, check_contexts, check_tenant_uid
from vault.kms.kek import Kek
from vault.kms.key_manager import Anchored, KmsDeniedError, KmsIntegrityError, Wrapped
from vault.kms.local.anchors_file import AnchorsFile
from vault.kms.local.destroyed_folder import DestroyedFolder
from vault.kms.local.keyring import TenantEntry
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_secret import KeyringSecret

_LABEL: Final = "pdvault/v1/local-kek"
_log = structlog.get_logger(__name__)


class LocalKeyManager:
    """See ``vault.kms.key_manager.KeyManager``. Sees what a provisioner writes without being opened again.

    Raises:
        KmsUnavailableError, KmsDeniedError, KmsIntegrityError: keyring or anchors cannot be opened; see ``KeyringFile`` and
            ``AnchorsFile``.
    """

    proves_destruction = False

    def __init__(self, path: Path, secret: KeyringSecret) -> None:
        self._file = KeyringFile(path, secret)
        self._anchors = AnchorsFile(self._file)
        self._destroyed = DestroyedFolder(self._file)
        self.check()
        _log.warning("local_key_manager", hint="copies of the keyring cannot be ruled out: destruction of keys is not provable")

    def wrap(self, tenant_uid: bytes, items: Sequence[tuple[Key, bytes]]) -> list[Wrapped]:
        """See ``KeyManager.wrap``."""
        entry = self._tenant(tenant_uid)
        check_contexts(items)
        version = entry.latest_version
        return [Wrapped(_wrap(entry.latest, version, key, tenant_uid, context), version) for key, context in items]

    def unwrap(self, tenant_uid: bytes, items: Sequence[tuple[bytes, bytes]]) -> list[Key]:
        """See ``KeyManager.unwrap``."""
        entry = self._tenant(tenant_uid)
        check_contexts(items)
        return [_unwrap(entry, number, blob, tenant_uid, context) for number, (blob, context) in enumerate(items)]

    def sign(self, tenant_uid: bytes, message: bytes) -> bytes:
        """See ``KeyManager.sign``."""
        return _log_key(self._tenant(tenant_uid)).sign(message)

    def log_public_key(self, tenant_uid: bytes) -> bytes:
        """See ``KeyManager.log_public_key``."""
        return _log_key(self._tenant(tenant_uid)).public_key().public_bytes_raw()

    def read_anchor(self, tenant_uid: bytes) -> Anchored | None:
        """See ``KeyManager.read_anchor``."""
        check_tenant_uid(tenant_uid)
        return self._anchors.current().by_tenant.get(tenant_uid)

    def write_anchor(self, tenant_uid: bytes, text: str, version: int) -> int:
        """See ``KeyManager.write_anchor``."""
        check_tenant_uid(tenant_uid)
        check_anchor(text, version)
        return self._anchors.write(tenant_uid, text, version)

    def note_destroyed(self, tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        """See ``KeyManager.note_destroyed``."""
        self._destroyed.note(tenant_uid, erasure_uid, text)

    def destroyed_by(self, tenant_uid: bytes, erasure_uid: bytes) -> str | None:
        """See ``KeyManager.destroyed_by``."""
        return self._destroyed.one(tenant_uid, erasure_uid)

    def destroyed(self, tenant_uid: bytes) -> dict[bytes, str]:
        """See ``KeyManager.destroyed``."""
        return self._destroyed.all(tenant_uid)

    def noted(self, tenant_uid: bytes) -> frozenset[bytes]:
        """See ``KeyManager.noted``."""
        return self._destroyed.uids(tenant_uid)

    def kek(self, tenant_uid: bytes) -> Kek:
        """See ``KeyManager.kek``."""
        return self._tenant(tenant_uid).state()

    def check(self) -> None:
        """See ``KeyManager.check``."""
        self._anchors.check_keyring()

    def close(self) -> None:
        """See ``KeyManager.close``; there are no connections."""

    def _tenant(self, tenant_uid: bytes) -> TenantEntry:
        check_tenant_uid(tenant_uid)
        entry = self._file.current().tenants.get(tenant_uid)
        if entry is None:
            raise KmsDeniedError("the keyring holds no keys of this tenant: were they created?")
        return entry


def _wrap(kek: Key, version: int, key: Key, tenant_uid: bytes, context: bytes) -> bytes:
    bound = pack(_LABEL, tenant_uid, context)
    return keys.wrap(_derived(kek, bound), version, key, bound)


def _unwrap(entry: TenantEntry, number: int, blob: bytes, tenant_uid: bytes, context: bytes) -> Key:
    bound = pack(_LABEL, tenant_uid, context)
    try:
        if kek := entry.kek_for(key_version(blob)):
            return keys.unwrap(_derived(kek, bound), blob, bound)
        problem = "its KEK version is gone"
    except DecryptionError:
        problem = "damaged, or of another tenant or context"
    raise KmsIntegrityError(f"wrapped key {number} cannot be opened: {problem}")


def _derived(kek: Key, bound: bytes) -> Key:
    """HKDF-SHA256 (RFC 5869) as Transit's derived keys do it. Not ``Key.derive``, which keeps each result."""
    return Key(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=bound).derive(kek.raw))


def _log_key(entry: TenantEntry) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(entry.log_seed.raw)
