"""The key worker at a local keyring: new KEK versions, the end of old ones. Not a proof: the file may have been copied."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from vault.crypto.keys import Key
from vault.kms.arguments import check_tenant_uid
from vault.kms.destruction import Destruction
from vault.kms.kek import Kek
from vault.kms.kek_changes import check_imports, check_rotates, check_there, has_left
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.local.anchors_file import AnchorsFile
from vault.kms.local.destroyed_folder import DestroyedFolder
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring import Keyring, TenantEntry
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_secret import KeyringSecret

_Change = Callable[[TenantEntry], TenantEntry]


class LocalAdministrator:
    """See ``vault.kms.key_administrator.KeyAdministrator``; its errors are also those of ``KeyringFile`` and ``AnchorsFile``."""

    def __init__(self, path: Path, secret: KeyringSecret) -> None:
        self._manager = LocalKeyManager(path, secret)
        self._file = KeyringFile(path, secret)
        self._anchors = AnchorsFile(self._file)
        self._destroyed = DestroyedFolder(self._file)

    def kek(self, tenant_uid: bytes) -> Kek:
        """See ``KeyAdministrator.kek``."""
        return self._manager.kek(tenant_uid)

    def rotate(self, tenant_uid: bytes, from_version: int) -> int:
        """See ``KeyAdministrator.rotate``."""

        def rotated(entry: TenantEntry) -> TenantEntry:
            check_rotates(entry.state())
            return entry if has_left(entry.state(), from_version) else entry.with_version(Key.generate(), _now_us())

        self._change(tenant_uid, rotated)
        return from_version + 1

    def suspend_before(self, tenant_uid: bytes, version: int) -> Kek:
        """See ``KeyAdministrator.suspend_before``."""
        destruction = Destruction(self._manager, tenant_uid, version)
        check_there(destruction.check_possible(), version)
        self._change(tenant_uid, lambda entry: entry.opening_from(version))
        return destruction.check_suspended()

    def destroy_before(self, tenant_uid: bytes, version: int) -> Kek:
        """See ``KeyAdministrator.destroy_before``."""
        destruction = Destruction(self._manager, tenant_uid, version)
        destruction.check_possible()
        self._change(tenant_uid, lambda entry: entry.without_before(version) if min(entry.keks) < version else entry)
        return destruction.check_gone()

    def import_kek(self, tenant_uid: bytes, key: Key) -> None:
        """See ``KeyAdministrator.import_kek``."""
        check_tenant_uid(tenant_uid)

        def with_kek(keyring: Keyring) -> Keyring:
            entry = keyring.tenants.get(tenant_uid)
            if entry is None:
                return keyring.with_tenant(tenant_uid, TenantEntry.bring(key, _now_us()))
            if not entry.imported or entry.latest_version != 1 or entry.latest != key:
                raise KmsIntegrityError("this tenant has another KEK in the keyring than the one to be imported")
            return keyring

        self._update(with_kek)

    def import_version(self, tenant_uid: bytes, key: Key, from_version: int) -> int:
        """See ``KeyAdministrator.import_version``."""

        def with_version(entry: TenantEntry) -> TenantEntry:
            check_imports(entry.state())
            if has_left(entry.state(), from_version):
                if entry.latest != key:
                    raise KmsIntegrityError(f"version {entry.latest_version} of the KEK is not the key that was to be imported")
                return entry
            if key in [kek.key for kek in entry.keks.values()]:
                raise ValueError("this key is an older version of the KEK already: import another one")
            return entry.with_version(key, _now_us())

        self._change(tenant_uid, with_version)
        return from_version + 1

    def forget_destroyed(self, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> int:
        """See ``KeyAdministrator.forget_destroyed``."""
        return self._destroyed.forget(tenant_uid, erasure_uids)

    def close(self) -> None:
        """See ``KeyAdministrator.close``; there are no connections."""

    def _change(self, tenant_uid: bytes, change: _Change) -> None:
        """Replace a tenant's keys by changed ones; nothing is written if ``change`` returns the same."""
        check_tenant_uid(tenant_uid)

        def changed(keyring: Keyring) -> Keyring:
            entry = keyring.tenants.get(tenant_uid)
            if entry is None:
                raise KmsDeniedError("the keyring holds no keys of this tenant: were they created?")
            after = change(entry)
            return keyring if after is entry else keyring.with_tenant(tenant_uid, after)

        self._update(changed)

    def _update(self, change: Callable[[Keyring], Keyring]) -> None:
        self._anchors.check_keyring()
        self._file.update(change)
        self._anchors.note_generation()


def _now_us() -> int:
    return time.time_ns() // 1000
