"""What the KMS remembers of a tenant's erasures, for as long as one operation runs."""

from collections.abc import Mapping

from vault.kms.key_manager import KeyManager


class Remembered:
    """The notes of destroyed keys. Which there are is asked each time; what one says only once, since none is written twice."""

    def __init__(self, manager: KeyManager, tenant_uid: bytes) -> None:
        """Begin with none."""
        self._manager, self._tenant_uid = manager, tenant_uid
        self._texts: dict[bytes, str] = {}

    def notes(self) -> Mapping[bytes, str]:
        """As ``KeyManager.destroyed``: by erasure uid, with all that there are now.

        Raises:
            VaultError: of the KMS.
        """
        noted = self._manager.noted(self._tenant_uid)
        self._texts = {uid: text for uid, text in self._texts.items() if uid in noted}
        for uid in noted - self._texts.keys():
            text = self._manager.destroyed_by(self._tenant_uid, uid)
            if text is not None:  # else it was forgotten since it was listed
                self._texts[uid] = text
        return self._texts
