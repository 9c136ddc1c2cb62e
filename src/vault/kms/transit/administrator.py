"""The key worker at Transit: new KEK versions, the end of old ones.

A request that makes a version is sent once: the line must not repeat it, since a second one would make another version. What is
done, the next look shows, and so each method may be called again.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from vault.crypto.keys import Key
from vault.kms.destruction import Destruction
from vault.kms.kek import Kek
from vault.kms.kek_changes import check_imports, check_rotates, check_there, has_left
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.transit.config import TransitConfig
from vault.kms.transit.destroyed import TransitDestroyed
from vault.kms.transit.http import Payload, Reply
from vault.kms.transit.importing import HASH, is_made_by, probe, sealed_for_import
from vault.kms.transit.kek import KEK_TYPE
from vault.kms.transit.key_manager import TransitKeyManager, kek_name
from vault.kms.transit.session import TransitSession

_PATIENCE_S: Final = 60.0
"""Transit's wrapping key is made when it is first asked for: an RSA key of 4,096 bits takes seconds."""


class TransitAdministrator:
    """See ``vault.kms.key_administrator.KeyAdministrator``; the time budget is one for each request."""

    def __init__(self, config: TransitConfig) -> None:
        self._mount = config.mount
        self._manager = TransitKeyManager(config)
        self._session = TransitSession(config)
        once = replace(config, retries=0, timeout_s=(config.timeout_s[0], _PATIENCE_S), budget_s=2 * _PATIENCE_S)
        self._once = TransitSession(once)
        self._destroyed = TransitDestroyed(self._session, config.anchor_mount)

    def kek(self, tenant_uid: bytes) -> Kek:
        """See ``KeyAdministrator.kek``."""
        return self._manager.kek(tenant_uid)

    def rotate(self, tenant_uid: bytes, from_version: int) -> int:
        """See ``KeyAdministrator.rotate``."""
        kek = self.kek(tenant_uid)
        check_rotates(kek)
        if not has_left(kek, from_version):
            _done(self._once.post(f"{self._path(tenant_uid)}/rotate", Payload()))
        return self._next(tenant_uid, from_version)

    def suspend_before(self, tenant_uid: bytes, version: int) -> Kek:
        """See ``KeyAdministrator.suspend_before``."""
        destruction = Destruction(self._manager, tenant_uid, version)
        check_there(destruction.check_possible(), version)
        self._open_from(tenant_uid, version)
        return destruction.check_suspended()

    def destroy_before(self, tenant_uid: bytes, version: int) -> Kek:
        """See ``KeyAdministrator.destroy_before``."""
        destruction = Destruction(self._manager, tenant_uid, version)
        kek = destruction.check_possible()
        if kek.oldest < version or min(kek.versions, default=0) < version:
            self._open_from(tenant_uid, version)
            _done(self._session.post(f"{self._path(tenant_uid)}/trim", Payload(min_available_version=version)))
        return destruction.check_gone()

    def import_kek(self, tenant_uid: bytes, key: Key) -> None:
        """See ``KeyAdministrator.import_kek``."""
        path = self._path(tenant_uid)
        if self._session.get(path).status == 404:
            _done(self._once.post(f"{path}/import", Payload(KEK_TYPE, **self._sealed(key))))
        kek = self.kek(tenant_uid)
        if not kek.imported or kek.latest != 1 or not self._holding(tenant_uid, key, [1]):
            raise KmsIntegrityError("this tenant has another KEK in the KMS than the one to be imported")

    def import_version(self, tenant_uid: bytes, key: Key, from_version: int) -> int:
        """See ``KeyAdministrator.import_version``."""
        kek = self.kek(tenant_uid)
        check_imports(kek)
        if not has_left(kek, from_version):
            if self._holding(tenant_uid, key, kek.versions):
                raise ValueError("this key is an older version of the KEK already: import another one")
            _done(self._once.post(f"{self._path(tenant_uid)}/import_version", Payload(self._sealed(key))))
        version = self._next(tenant_uid, from_version)
        if self._holding(tenant_uid, key, {*kek.versions, version}) != [version]:
            raise KmsIntegrityError(f"version {version} of the KEK in the KMS is not the key that was to be imported")
        return version

    def forget_destroyed(self, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> int:
        """See ``KeyAdministrator.forget_destroyed``."""
        return self._destroyed.forget(tenant_uid, erasure_uids)

    def close(self) -> None:
        """See ``KeyAdministrator.close``."""
        for each in (self._manager, self._session, self._once):
            each.close()

    def _open_from(self, tenant_uid: bytes, version: int) -> None:
        wanted = Payload(min_decryption_version=version, min_encryption_version=version)
        _done(self._session.post(f"{self._path(tenant_uid)}/config", wanted))

    def _path(self, tenant_uid: bytes) -> str:
        return f"{self._mount}/keys/{kek_name(tenant_uid)}"

    def _next(self, tenant_uid: bytes, from_version: int) -> int:
        """The version after ``from_version``, which is the latest now."""
        if not has_left(self.kek(tenant_uid), from_version):
            raise KmsIntegrityError(f"the KMS said that it made a new version of the KEK, but the latest is still {from_version}")
        return from_version + 1

    def _sealed(self, key: Key) -> dict[str, Any]:
        reply = self._once.get(f"{self._mount}/wrapping_key")
        _done(reply)
        return {"ciphertext": sealed_for_import(key, str(reply.data.get("public_key"))), "hash_function": HASH}

    def _holding(self, tenant_uid: bytes, key: Key, versions: Collection[int]) -> list[int]:
        """Which of these versions of the KEK are this key."""
        kdf = str(self._session.get(self._path(tenant_uid)).data.get("kdf"))
        batch_input = [probe(version) for version in versions]
        reply = self._session.post(f"{self._mount}/encrypt/{kek_name(tenant_uid)}", Payload(batch_input=batch_input))
        _done(reply)
        made = [str(result.get("ciphertext")) for result in reply.data.get("batch_results", [])]
        return [version for version, each in zip(versions, made, strict=True) if is_made_by(key, kdf, each)]


def _done(reply: Reply) -> None:
    if reply.status not in (200, 204):
        raise KmsDeniedError(f"the KMS refuses the key worker's request (status {reply.status}): were this tenant's keys created?")
