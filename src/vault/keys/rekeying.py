"""Re-keying one subject: a new store key, everything sealed under it, and the old one gone, in one transaction with its event.

What was deleted or replaced before is then under a key that only old copies of the database have, and that dies with its epoch.
"""

import time
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice

from vault.admission import ACTIVE
from vault.audit.events import Caller, Draft
from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version, seal, unseal
from vault.crypto.keys import LABEL_ITEM, LABEL_SUBJECT_ID, Key
from vault.crypto.plaintext import PlaintextError, decode
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.safe import new_uid, seal_value
from vault.store.envelopes import open_subject_key, seal_subject_key
from vault.store.reads import FIELD, STORE, Everything, Head, Reads, Rows
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow, TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import check, sealed
from vault.store.writes import Writes
from vault.v1 import audit_pb2, common_pb2

ACTION = "Rekeyed"
MAX_FIELD_KEYS = 100
"""Field keys of one subject: none goes before the subject does, since the vault does not know what is under it."""
GONE = frozenset({common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, common_pb2.ERROR_REASON_SUBJECT_RESTRICTED})
"""Why a subject is not re-keyed that needs no new keys any more."""
PATIENCE_S = 30.0
_A_LEAF = 1000
"""Tokens that one event names; more go into further events."""


class NewFieldKey(Enum):
    """Whether a subject that has field keys gets a new one as well; the old ones stay for the ciphertexts under them."""

    NEVER = "never"
    IF_ROOM = "if it has fewer than it may have"
    ALWAYS = "always: one that has as many as it may have is not re-keyed"


class Rekeying:
    """The re-keying of one subject; implements ``store.runner.Call``.

    Attributes:
        subject_uid: whose.
        is_altered: once decided: nothing was done, since rows of the subject were altered.
        lacks_room: once decided: the subject has as many field keys as it may have, so it got a new store key only.
    """

    action = ACTION
    needs_keys = True

    def __init__(self, caller: Caller, subject_uid: bytes, details: dict[str, str], new_field_key: NewFieldKey) -> None:
        """Make it.

        Args:
            caller: who re-keys.
            subject_uid: whom.
            details: what the log says besides.
            new_field_key: whether it gets one.
        """
        self.subject_uid = subject_uid
        self.is_altered = self.lacks_room = False
        self._caller = caller
        self._details = details
        self._new_field_key = new_field_key
        self.deadline = time.monotonic() + PATIENCE_S

    @property
    def head(self) -> Head:
        """The tenant; nobody in particular calls."""
        return Head(self._caller.tenant_uid, b"", "", b"")

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The subject with everything, and the tenant's keys kept from changing."""
        return Reads(everything=frozenset({self.subject_uid}), pinning=True)

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Seal everything anew."""
        if keys is None:
            raise KeysMissingError(self._caller.tenant_uid)
        self.is_altered = self.lacks_room = False
        every, tenant = rows.everything.get(self.subject_uid), rows.tenant
        try:
            if tenant is None or every is None:
                raise VaultError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the subject was erased meanwhile")
            check(keys.authority, tenant)
            _check_lasting(keys, tenant, every.subject)
            self.lacks_room = self._check_room(every)
            renewed, writes = _renewed(keys, tenant, every)
        except VaultError as error:
            self.is_altered = isinstance(error, AlteredError)
            return self.failed(error)
        if self._new_field_key != NewFieldKey.NEVER and not self.lacks_room:
            writes.inserted += renewed.field_key()
        drafts = list(self._drafts(renewed.items, every))
        return Outcome(b"", drafts[0], writes, also=drafts[1:])

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""
        draft = self._draft()
        draft.decision, draft.reason = audit_pb2.DECISION_FAILED, error.reason
        return Outcome(error, draft)

    def _check_room(self, every: Everything) -> bool:
        """Whether there is no room for another field key, where that is no reason to refuse.

        Raises:
            VaultError: WRONG_STATE, where it is.
        """
        if self._new_field_key == NewFieldKey.NEVER or sum(row.kind == FIELD for row in every.keys) < MAX_FIELD_KEYS:
            return False
        if self._new_field_key == NewFieldKey.ALWAYS:
            raise _too_many(self.subject_uid)
        return True

    def _draft(self) -> Draft:
        draft = Draft(self._caller, self.action, common_pb2.CallContext(), details=dict(self._details))
        draft.look_into(self.subject_uid)
        return draft

    def _drafts(self, items: Iterable[ItemRow], every: Everything) -> Iterator[Draft]:
        """What the log is told: each token's new envelope."""
        changed = ((item, token) for item in items for token in every.tokens.get(item.uid, []))
        draft = self._draft()
        while some := list(islice(changed, _A_LEAF)):
            for item, token in some:
                draft.touch(item.data_class, item.subject_uid, token, change=audit_pb2.CHANGE_UPDATED, envelope=item.envelope)
            yield draft
            draft = self._draft()
        if not any(every.tokens.values()):
            yield draft


class _Renewed:
    """A subject's rows under a new store key."""

    def __init__(self, keys: TenantKeys, tenant: TenantRow, every: Everything) -> None:
        """Open and seal everything.

        Raises:
            VaultError: INTEGRITY, if a row was altered.
            DecryptionError, PlaintextError: what a row holds was.
        """
        self._keys, self._tenant, self._every = keys, tenant, every
        self._old = {row.version: self._unwrapped(row) for row in every.keys if row.kind == STORE}
        self._version = every.subject.store_key_version + 1
        self._key = Key.generate()
        self.items = [self._item(row) for row in every.items]

    def writes(self) -> Writes:
        """All that changes: nothing of a kind is inserted that was not there, but the key.

        Raises:
            VaultError, DecryptionError: as when it was made.
        """
        every = self._every
        writes = Writes(inserted=[self._wrapped(STORE, self._version, self._key)])
        writes.replaced.append((every.subject, self._subject()))
        writes.replaced += zip(every.items, self.items, strict=True)
        writes.replaced += ((alias, self._alias(alias)) for alias in every.aliases)
        writes.removed += (row for row in every.keys if row.kind == STORE)
        writes.forgotten.append((self._tenant.uid, every.subject.uid))
        return writes

    def field_key(self) -> list[SubjectKeyRow]:
        """A new field key, if the subject has any."""
        versions = [row.version for row in self._every.keys if row.kind == FIELD]
        return [self._wrapped(FIELD, max(versions) + 1, Key.generate())] if versions else []

    def _subject(self) -> SubjectRow:
        old = self._every.subject
        name = unseal(self._store(key_version(old.subject_id)), old.subject_id, self._bound_name(key_version(old.subject_id)))
        encrypted = seal(self._key.derive(LABEL_SUBJECT_ID), self._version, name, self._bound_name(self._version))
        new = old._replace(store_key_version=self._version, subject_id=encrypted, rekey_due=False)
        return sealed(self._keys.authority, new)

    def _alias(self, old: AliasRow) -> AliasRow:
        check(self._keys.authority, old)
        version = key_version(old.subject_id)
        name = unseal(self._store(version), old.subject_id, binding.alias(*old[:3], version))
        encrypted = seal(self._key.derive(LABEL_SUBJECT_ID), self._version, name, binding.alias(*old[:3], self._version))
        return sealed(self._keys.authority, old._replace(subject_id=encrypted))

    def _item(self, old: ItemRow) -> ItemRow:
        check(self._keys.authority, old)
        bound = binding.item(old.tenant_uid, old.subject_uid, old.data_class, old.uid, old.revision, old.store_key_version)
        if old.store_key_version not in self._old:
            raise DecryptionError
        value = decode(unseal(self._old[old.store_key_version].derive(LABEL_ITEM), old.envelope or b"", bound))
        new = seal_value(self._key, old._replace(store_key_version=self._version), value)
        return sealed(self._keys.authority, new)

    def _store(self, version: int) -> Key:
        if version not in self._old:
            raise DecryptionError
        return self._old[version].derive(LABEL_SUBJECT_ID)

    def _bound_name(self, version: int) -> bytes:
        return binding.subject_id(self._tenant.uid, self._every.subject.uid, version)

    def _unwrapped(self, row: SubjectKeyRow) -> Key:
        try:
            return open_subject_key(self._keys, row)
        except KeysMissingError:  # they are of the tenant's generation, so that a row which names another was put back
            raise DecryptionError from None

    def _wrapped(self, kind: str, version: int, key: Key) -> SubjectKeyRow:
        row = SubjectKeyRow(self._tenant.uid, self._every.subject.uid, kind, version, new_uid(), self._tenant.epoch, b"")
        return seal_subject_key(self._keys, row, self._tenant.epoch, key)


def _renewed(keys: TenantKeys, tenant: TenantRow, every: Everything) -> tuple[_Renewed, Writes]:
    """The subject's rows under a new store key, and what is written of them.

    Raises:
        AlteredError: one of them was altered.
    """
    try:
        renewed = _Renewed(keys, tenant, every)
        return renewed, renewed.writes()
    except (DecryptionError, PlaintextError, VaultError):
        raise AlteredError(every.subject.uid) from None


def _check_lasting(keys: TenantKeys, tenant: TenantRow, subject: SubjectRow) -> None:
    """Refuse whose keys are noted already as those that go, and a tenant that nothing is to be done for.

    Raises:
        VaultError: TENANT_SEALED, SUBJECT_RESTRICTED; INTEGRITY, as ``AlteredError``.
    """
    if tenant.state != ACTIVE:
        raise VaultError(
            common_pb2.ERROR_REASON_TENANT_SEALED, f"the tenant is {tenant.state.lower()}: work on its keys stands still"
        )
    try:
        check(keys.authority, subject)
    except VaultError:
        raise AlteredError(subject.uid) from None
    if subject.state == "ERASING":
        raise VaultError(common_pb2.ERROR_REASON_SUBJECT_RESTRICTED, "the subject is being erased: it gets no new keys")


def _too_many(subject_uid: bytes) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_WRONG_STATE,
        f"the subject {subject_uid.hex()} has {MAX_FIELD_KEYS} field keys, and ciphertexts may be under any of them, so it gets no "
        "more; re-encrypt its ciphertexts for a new subject and erase this one, then re-key again",
    )


class AlteredError(VaultError):
    """A row of the subject was altered: INTEGRITY."""

    def __init__(self, subject_uid: bytes) -> None:
        """Name the subject by its uid (16 bytes)."""
        super().__init__(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"a stored row of the subject {subject_uid.hex()} was altered or moved; the subject keeps its keys; the operator must "
            "investigate",
        )
