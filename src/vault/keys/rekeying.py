"""Re-keying one subject: a new store key, everything sealed under it, the old one gone; each part one transaction with its event.

What was deleted or replaced before is then under a key that only old copies of the database have, and that dies with its epoch.
"""

from collections.abc import Mapping
from enum import Enum

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying_part import RekeyingPart
from vault.keys.resealing import Resealing
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import FIELD, Reads, WholeSubject
from vault.store.rows import TenantRow
from vault.v1 import common_pb2

MAX_FIELD_KEYS = 100
"""Field keys of one subject: none goes before the subject does, since the vault does not know what is under it."""


class NewFieldKey(Enum):
    """Whether a subject that has field keys gets a new one as well; the old ones stay for the ciphertexts under them."""

    NEVER = "never"
    IF_ROOM = "if it has fewer than it may have"
    ALWAYS = "always: one that has as many as it may have is not re-keyed"


class Rekeying(RekeyingPart):
    """The first part, and of most subjects the last: a new store key.

    Attributes:
        lacks_room: once decided: the subject has as many field keys as it may have, so it got a new store key only.
    """

    def __init__(
        self,
        caller: Caller,
        subject_uid: bytes,
        details: Mapping[str, str],
        epoch: int,
        new_field_key: NewFieldKey,
        limit: int = 0,
        weight: int = 1,
    ) -> None:
        """Make it; ``new_field_key`` is whether it gets one."""
        super().__init__(caller, subject_uid, details, epoch, limit, weight)
        self.lacks_room = False
        self._new_field_key = new_field_key

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The whole subject, and the tenant's keys kept from changing."""
        return Reads(whole_subjects=frozenset({self.subject_uid}), max_items=self._limit, pinning=True)

    def _resealed(self, keys: TenantKeys, tenant: TenantRow, whole: WholeSubject) -> Resealing:
        self.lacks_room = self._check_room(whole)
        return super()._resealed(keys, tenant, whole)

    def _reseal(self, resealing: Resealing) -> None:
        resealing.begin()
        if self._new_field_key != NewFieldKey.NEVER and not self.lacks_room:
            resealing.add_field_key()

    def _check_room(self, whole: WholeSubject) -> bool:
        """Whether there is no room for another field key, where that is no reason to refuse.

        Raises:
            VaultError: WRONG_STATE, where it is.
        """
        if self._new_field_key == NewFieldKey.NEVER or sum(row.kind == FIELD for row in whole.keys) < MAX_FIELD_KEYS:
            return False
        if self._new_field_key == NewFieldKey.ALWAYS:
            raise _too_many(self.subject_uid)
        return True


class NextPart(RekeyingPart):
    """More items come under the newest store key; with the last ones the older keys go."""

    def __init__(
        self,
        caller: Caller,
        subject_uid: bytes,
        details: Mapping[str, str],
        epoch: int,
        after: bytes,
        limit: int = 0,
        weight: int = 1,
    ) -> None:
        """Make it; all up to the item of the uid ``after`` is under the newest store key, as the part before has left it."""
        super().__init__(caller, subject_uid, details, epoch, limit, weight)
        self._after = after

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The subject with the items that are under older store keys, and the tenant's keys kept from changing."""
        return Reads(rest_of_subjects=frozenset({(self.subject_uid, self._after)}), max_items=self._limit, pinning=True)

    def _reseal(self, resealing: Resealing) -> None:
        resealing.go_on()


def _too_many(subject_uid: bytes) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_WRONG_STATE,
        f"the subject {subject_uid.hex()} has {MAX_FIELD_KEYS} field keys, and ciphertexts may be under any of them, so it gets no "
        "more; re-encrypt its ciphertexts for a new subject and erase this one, then re-key again",
    )
