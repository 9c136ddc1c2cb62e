"""Creating a keyring, and a tenant's keys in it."""

import time
from pathlib import Path

from vault.kms.arguments import check_tenant_uid
from vault.kms.key_manager import KmsDeniedError
from vault.kms.local.anchors_file import AnchorsFile
from vault.kms.local.destroyed_folder import DestroyedFolder
from vault.kms.local.keyring import Keyring, TenantEntry
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_secret import KeyringSecret


class LocalProvisioner:
    """See ``vault.kms.key_manager.KeyProvisioner``; its errors are those of ``KeyringFile`` and ``AnchorsFile``."""

    def __init__(self, path: Path, secret: KeyringSecret) -> None:
        self._file = KeyringFile(path, secret)
        self._anchors = AnchorsFile(self._file)
        self._destroyed = DestroyedFolder(self._file)

    def create_keyring(self) -> None:
        """A new keyring file without tenants, once for each installation.

        Raises:
            KmsDeniedError: there is one already, or the anchors or notes of another.
            KmsUnavailableError: it cannot be written.
        """
        if (self._anchors.exists() or self._destroyed.exists()) and not self._file.path.exists():
            raise KmsDeniedError("the anchors or notes of an earlier keyring lie beside the new one: move them away")
        self._file.create()

    def create_tenant_keys(self, tenant_uid: bytes) -> None:
        """See ``KeyProvisioner.create_tenant_keys``."""
        check_tenant_uid(tenant_uid)

        def with_tenant(keyring: Keyring) -> Keyring:
            if tenant_uid in keyring.tenants:
                return keyring
            return keyring.with_tenant(tenant_uid, TenantEntry.generate(time.time_ns() // 1000))

        self._anchors.check_keyring()
        self._file.update(with_tenant)
        self._anchors.note_generation()

    def close(self) -> None:
        """See ``KeyProvisioner.close``; there are no connections."""
