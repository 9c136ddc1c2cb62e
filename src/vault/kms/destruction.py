"""The end of KEK versions: what must hold before, and what is looked at afterwards."""

from vault.kms.kek import Kek
from vault.kms.key_manager import KeyManager, KmsIntegrityError


class Destruction:
    """One destruction of a tenant's KEK versions before ``version``; what is destroyed, the caller does in between.

    Args:
        manager: what shows the KEK.
        tenant_uid: whose.
        version: the oldest version that stays.
    """

    def __init__(self, manager: KeyManager, tenant_uid: bytes, version: int) -> None:
        self._manager = manager
        self._tenant_uid = tenant_uid
        self._version = version

    def check_possible(self) -> Kek:
        """The KEK as it is.

        Raises:
            ValueError: the version is below 1, or above the latest.
        """
        kek = self._manager.kek(self._tenant_uid)
        if not 1 <= self._version <= kek.latest:
            raise ValueError(f"only versions before the KEK's latest, {kek.latest}, can be destroyed: not before {self._version}")
        return kek

    def check_suspended(self) -> Kek:
        """The KEK, of which exactly the versions from this one on open.

        Raises:
            KmsIntegrityError: it is not so.
        """
        kek = self._manager.kek(self._tenant_uid)
        if sorted(kek.versions) != list(range(self._version, kek.latest + 1)):
            raise KmsIntegrityError(
                f"KEK versions before {self._version} alone were to open nothing, and what is read back differs"
            )
        return kek

    def check_gone(self) -> Kek:
        """What is left.

        Raises:
            KmsIntegrityError: an older version is still there, or may be.
        """
        kek = self._manager.kek(self._tenant_uid)
        if kek.oldest < self._version or min(kek.versions, default=0) < self._version:
            raise KmsIntegrityError(f"KEK versions before {self._version} were destroyed, but the oldest read back is {kek.oldest}")
        return kek
