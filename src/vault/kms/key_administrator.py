"""What only the key worker asks of a KMS: new KEK versions, the end of old ones, and of the list of destroyed keys."""

from collections.abc import Collection
from typing import Protocol

from vault.crypto.keys import Key
from vault.kms.kek import Kek


class KeyAdministrator(Protocol):
    """What the key worker may do beside ``KeyManager``: rotate, import, destroy, forget. May be shared by threads.

    Every method may be called again after it failed or was cut off in the middle, with the same arguments: what is done already
    is not done twice. But only one worker at a time may change a tenant's KEK: Transit has no check-and-set for it, and of two
    rotations at once, both would be done.

    Every method may raise KmsUnavailableError, KmsSealedError or KmsDeniedError (which includes a tenant that has no keys), and
    ValueError when the tenant uid is not 16 bytes.
    """

    def kek(self, tenant_uid: bytes) -> Kek:
        """The state of the tenant's KEK.

        Raises:
            KmsIntegrityError: it is not as the vault makes it.
        """

    def rotate(self, tenant_uid: bytes, from_version: int) -> int:
        """Make a new version, which wraps from now on; its number, one more than ``from_version``.

        Raises:
            KmsIntegrityError: the latest version is neither ``from_version`` nor the one after it.
            KmsDeniedError: the KEK was imported: import its new version.
        """

    def suspend_before(self, tenant_uid: bytes, version: int) -> Kek:
        """Let the versions from this one on open, and those before it not; the KEK then, which shows those that open.

        Nothing is destroyed: called with the oldest version, all open again. So it can be seen what a destruction would take along.

        Args:
            tenant_uid: whose.
            version: one that exists.

        Raises:
            ValueError: there is no such version.
            KmsIntegrityError: what is read back differs.
        """

    def destroy_before(self, tenant_uid: bytes, version: int) -> Kek:
        """Destroy every version before this one (crypto.md 5.2: both minimum versions, trim, read back); what is left.

        Args:
            tenant_uid: whose.
            version: the oldest version that stays.

        Raises:
            ValueError: the version is below 1 or above the latest.
            KmsIntegrityError: what is read back differs.
        """

    def import_kek(self, tenant_uid: bytes, key: Key) -> None:
        """Make this key version 1 of a new tenant's KEK, before ``KeyProvisioner.create_tenant_keys`` makes the rest.

        A key of another size is no ``Key``: it is refused with ValueError before it gets here.

        Raises:
            KmsIntegrityError: the tenant has another KEK already, or what the KMS holds then is not this key.
        """

    def import_version(self, tenant_uid: bytes, key: Key, from_version: int) -> int:
        """Make this key the new version of an imported KEK, which wraps from now on; its number, one more than ``from_version``.

        Raises:
            KmsIntegrityError: the latest version is neither ``from_version`` nor the one after it, or then is another key.
            KmsDeniedError: the KEK was made by the KMS: rotate it.
        """

    def forget_destroyed(self, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> int:
        """Remove the entries of ``KeyManager.destroyed`` of these erasures; how many were there."""

    def close(self) -> None:
        """Let go of connections. The KeyAdministrator is not used afterwards."""
