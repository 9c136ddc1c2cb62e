"""The end of KEK versions: what must hold before, and what is looked at afterwards. A wrapped key bears witness."""

from vault.kms.kek import Kek
from vault.kms.key_manager import KeyManager, KmsIntegrityError


class Destruction:
    """One destruction of a tenant's KEK versions before ``version``; what is destroyed, the caller does in between.

    Args:
        manager: what shows the KEK, and would open the witness.
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

    def check_opens(self, kek: Kek, witness: tuple[bytes, bytes], wrapped_by: int) -> None:
        """Raise unless the witness opens, so that it says something if it doesn't any more; a version out of use can't tell.

        Raises:
            ValueError: its version stays.
            KmsIntegrityError: it does not open.
        """
        if wrapped_by >= self._version:
            raise ValueError(f"the witness was wrapped by KEK version {wrapped_by}, which stays")
        if wrapped_by in kek.versions and not self._opens(witness):
            raise KmsIntegrityError("the witness of the destruction does not open even before it")

    def check_gone(self, witness: tuple[bytes, bytes] | None) -> Kek:
        """What is left.

        Raises:
            KmsIntegrityError: an older version is still there, or may be, or the witness opens.
        """
        kek = self._manager.kek(self._tenant_uid)
        if kek.oldest < self._version or min(kek.versions, default=0) < self._version:
            raise KmsIntegrityError(f"KEK versions before {self._version} were destroyed, but the oldest read back is {kek.oldest}")
        if witness is not None and self._opens(witness):
            raise KmsIntegrityError(f"KEK versions before {self._version} were destroyed, but the witness still opens")
        return kek

    def _opens(self, witness: tuple[bytes, bytes]) -> bool:
        try:
            self._manager.unwrap(self._tenant_uid, [witness])
        except KmsIntegrityError:
            return False
        return True
