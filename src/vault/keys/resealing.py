"""What a re-keying writes of a subject: its names and items under a newer store key, and the older keys gone with the last item.

A subject with many items is moved in parts, each in a transaction of its own. Until the last one it has several store keys: rows
name the version that they are under, and an older key is never moved to another epoch (store/rotation/rewrap.py).
"""

from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version, seal, unseal
from vault.crypto.keys import LABEL_ITEM, LABEL_SUBJECT_ID, Key
from vault.crypto.plaintext import decode
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.safe import new_uid, seal_value
from vault.store.envelopes import open_subject_key, seal_subject_key
from vault.store.reads import FIELD, STORE, WholeSubject
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow, TenantRow
from vault.store.sealing import check, sealed
from vault.store.writes import Writes


class Resealing:
    """One part of one subject's re-keying.

    Attributes:
        items: those that were moved, as they are written.
        writes: all that changes.
    """

    def __init__(self, keys: TenantKeys, tenant: TenantRow, whole: WholeSubject) -> None:
        """Open the subject's store keys.

        Args:
            keys: the tenant's, which can't change until the commit.
            tenant: its row.
            whole: the subject, its row checked, with as many items as one part has.

        Raises:
            DecryptionError: a key row was altered, or put back: there is a newer one than the subject's row knows of.
        """
        if any(row.kind == STORE and row.version > whole.subject.store_key_version for row in whole.keys):
            raise DecryptionError
        self._keys, self._tenant, self._whole = keys, tenant, whole
        self._old = {row.version: _opened(keys, row) for row in whole.keys if row.kind == STORE}
        self.items: list[ItemRow] = []
        self.writes = Writes()

    def begin(self) -> None:
        """Make a new store key, and move the names and the first items to it. What requests about the subject were is forgotten.

        Raises:
            VaultError: INTEGRITY, if a row was altered.
            DecryptionError, PlaintextError: what a row holds was.
        """
        whole, version, key = self._whole, self._whole.subject.store_key_version + 1, Key.generate()
        self.writes.inserted.append(self._wrapped(STORE, version, key))
        self.writes.replaced.append((whole.subject, self._subject(version, key)))
        self.writes.replaced += ((alias, self._alias(alias, version, key)) for alias in whole.aliases)
        self.writes.forgotten.append((self._tenant.uid, whole.subject.uid))
        self._move_items(version, key)

    def go_on(self) -> None:
        """Move the next items to the newest store key; errors as ``begin``."""
        version = self._whole.subject.store_key_version
        self._move_items(version, self._key(version))

    def add_field_key(self) -> None:
        """Make a new field key as well, if the subject has any."""
        versions = [row.version for row in self._whole.keys if row.kind == FIELD]
        if versions:
            self.writes.inserted.append(self._wrapped(FIELD, max(versions) + 1, Key.generate()))

    def _move_items(self, version: int, key: Key) -> None:
        self.items = [self._item(row, version, key) for row in self._whole.items]
        self.writes.replaced += zip(self._whole.items, self.items, strict=True)
        if not self._whole.has_more:
            self.writes.removed += (row for row in self._whole.keys if row.kind == STORE and row.version != version)

    def _subject(self, version: int, key: Key) -> SubjectRow:
        old = self._whole.subject
        before = key_version(old.subject_id)
        name = unseal(self._key(before).derive(LABEL_SUBJECT_ID), old.subject_id, self._bound_name(before))
        encrypted = seal(key.derive(LABEL_SUBJECT_ID), version, name, self._bound_name(version))
        return sealed(self._keys.authority, old._replace(store_key_version=version, subject_id=encrypted, rekey_due=False))

    def _alias(self, old: AliasRow, version: int, key: Key) -> AliasRow:
        check(self._keys.authority, old)
        before = key_version(old.subject_id)
        name = unseal(self._key(before).derive(LABEL_SUBJECT_ID), old.subject_id, binding.alias(*old[:3], before))
        encrypted = seal(key.derive(LABEL_SUBJECT_ID), version, name, binding.alias(*old[:3], version))
        return sealed(self._keys.authority, old._replace(subject_id=encrypted))

    def _item(self, old: ItemRow, version: int, key: Key) -> ItemRow:
        check(self._keys.authority, old)
        bound = binding.item(old.tenant_uid, old.subject_uid, old.data_class, old.uid, old.revision, old.store_key_version)
        value = decode(unseal(self._key(old.store_key_version).derive(LABEL_ITEM), old.envelope or b"", bound))
        return sealed(self._keys.authority, seal_value(key, old._replace(store_key_version=version), value))

    def _key(self, version: int) -> Key:
        if version not in self._old:
            raise DecryptionError
        return self._old[version]

    def _bound_name(self, version: int) -> bytes:
        return binding.subject_id(self._tenant.uid, self._whole.subject.uid, version)

    def _wrapped(self, kind: str, version: int, key: Key) -> SubjectKeyRow:
        row = SubjectKeyRow(self._tenant.uid, self._whole.subject.uid, kind, version, new_uid(), self._tenant.epoch, b"")
        return seal_subject_key(self._keys, row, self._tenant.epoch, key)


def _opened(keys: TenantKeys, row: SubjectKeyRow) -> Key:
    try:
        return open_subject_key(keys, row)
    except KeysMissingError:  # the keys are of the tenant's generation, so that a row which names another epoch was put back
        raise DecryptionError from None
