"""Creating a tenant's keys in Transit, by an identity that can neither use, change nor destroy them."""

from collections.abc import Mapping
from typing import Any, Final

from vault.kms.key_manager import KmsDeniedError
from vault.kms.transit.config import TransitConfig
from vault.kms.transit.http import Payload
from vault.kms.transit.kek import KEK_TYPE, PRIVATE, check_attributes
from vault.kms.transit.key_manager import kek_name, log_key_name
from vault.kms.transit.session import TransitSession

_LOG_KEY: Final = {"type": "ed25519"}


class TransitProvisioner:
    """See ``vault.kms.key_manager.KeyProvisioner``."""

    def __init__(self, config: TransitConfig) -> None:
        self._mount = config.mount
        self._session = TransitSession(config)

    def create_tenant_keys(self, tenant_uid: bytes) -> None:
        """See ``KeyProvisioner.create_tenant_keys``."""
        self._create(kek_name(tenant_uid), KEK_TYPE)
        self._create(log_key_name(tenant_uid), _LOG_KEY)

    def close(self) -> None:
        """See ``KeyProvisioner.close``."""
        self._session.close()

    def _create(self, name: str, kind: Mapping[str, Any]) -> None:
        """Create and read back: Transit answers 200 to the creation of a key that exists with other attributes."""
        path = f"{self._mount}/keys/{name}"
        created = self._session.post(path, Payload(kind))
        if created.status not in (200, 204):
            raise KmsDeniedError(f"the KMS refuses to create a key (status {created.status}): is Transit mounted there?")
        found = self._session.get(path)
        check_attributes(path, found, {"derived": False, **PRIVATE, **kind})
