"""Re-keying one subject: a new store key, everything sealed under it, the old one gone; each part one transaction with its event.

What was deleted or replaced before is then under a key that only old copies of the database have, and that dies with its epoch.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice

from vault.audit.actions import REKEYED
from vault.audit.events import Caller, Draft
from vault.crypto.envelope import DecryptionError
from vault.crypto.plaintext import PlaintextError
from vault.errors import VaultError
from vault.keys.resealing import Resealing
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store.reads import FIELD, Everything, Head, Reads, Rows
from vault.store.rotation.turnstile import stands_still
from vault.store.rows import ItemRow, SubjectRow, TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import check
from vault.store.states import SubjectState, TenantState
from vault.v1 import audit_pb2, common_pb2

MAX_FIELD_KEYS = 100
"""Field keys of one subject: none goes before the subject does, since the vault does not know what is under it."""
GONE = frozenset({common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, common_pb2.ERROR_REASON_SUBJECT_RESTRICTED})
"""Why a subject is not re-keyed that needs no new keys any more."""
PATIENCE_S = 30.0
TOO_SLOW = frozenset({common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE})
"""Why a part is refused that takes longer than a transaction may."""
_A_LEAF = 1000
"""Tokens that one event names; more go into further events."""


class NewFieldKey(Enum):
    """Whether a subject that has field keys gets a new one as well; the old ones stay for the ciphertexts under them."""

    NEVER = "never"
    IF_ROOM = "if it has fewer than it may have"
    ALWAYS = "always: one that has as many as it may have is not re-keyed"


class _Part:
    """One part of one subject's re-keying; implements ``store.runner.Call``.

    Attributes:
        subject_uid: whose.
        weight: how much it moves, in items, as far as that is known before.
        is_altered: once decided: nothing was done, since rows of the subject were altered.
        is_too_slow: once decided: nothing was done, since it alone took longer than a transaction may.
        is_last: once decided: all is under the newest store key, and no older one is left.
        moved: once decided: how many items it has moved.
        end: once decided: the uid of the item after which the next part begins.
    """

    action = REKEYED
    needs_keys = True

    def __init__(
        self, caller: Caller, subject_uid: bytes, details: Mapping[str, str], epoch: int, limit: int = 0, weight: int = 1
    ) -> None:
        """Make it.

        Args:
            caller: who re-keys.
            subject_uid: whom.
            details: what the log says besides.
            epoch: the one for which was asked whether the subject was erased; under no other is anything sealed.
            limit: how many items at most; 0 for as many as a transaction takes.
            weight: see the attribute.
        """
        self.subject_uid, self.weight = subject_uid, weight
        self.is_altered = self.is_too_slow = self.is_last = False
        self.moved, self.end = 0, b""
        self._caller = caller
        self._details = details
        self._epoch = epoch
        self._limit = limit

    @property
    def deadline(self) -> float:
        """Later than now, whenever it is run: nobody waits for it who would not wait longer."""
        return time.monotonic() + PATIENCE_S

    @property
    def head(self) -> Head:
        """The tenant; nobody in particular calls."""
        return Head(self._caller.tenant_uid, b"", "", b"")

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Seal anew what was read."""
        if keys is None:
            raise KeysMissingError(self._caller.tenant_uid)
        every, tenant = rows.everything.get(self.subject_uid), rows.tenant
        try:
            if tenant is None or every is None:
                raise VaultError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the subject was erased meanwhile")
            check(keys.authority, tenant)
            _check_current(tenant, self._epoch)
            _check_lasting(keys, tenant, every.subject)
            resealing = self._resealed(keys, tenant, every)
        except VaultError as error:
            self.is_altered = isinstance(error, AlteredError)
            return self.failed(error)
        self.is_altered, self.is_last = False, not every.has_more
        self.moved, self.end = len(resealing.items), every.last
        drafts = list(self._drafts(resealing.items, every))
        return Outcome(b"", drafts[0], resealing.writes, also=drafts[1:])

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""
        self.is_too_slow = error.reason in TOO_SLOW
        draft = self._draft()
        draft.decision, draft.reason = audit_pb2.DECISION_FAILED, error.reason
        return Outcome(error, draft)

    def _resealed(self, keys: TenantKeys, tenant: TenantRow, every: Everything) -> Resealing:
        """The part, done.

        Raises:
            VaultError: it can't be; INTEGRITY, as ``AlteredError``, if a row was altered.
        """
        try:
            resealing = Resealing(keys, tenant, every)
            self._reseal(resealing)
        except (DecryptionError, PlaintextError, VaultError):
            raise AlteredError(self.subject_uid) from None
        return resealing

    def _reseal(self, resealing: Resealing) -> None:
        raise NotImplementedError

    def _draft(self) -> Draft:
        draft = Draft(self._caller, self.action, common_pb2.CallContext(), details=dict(self._details))
        draft.look_into(self.subject_uid)
        return draft

    def _drafts(self, items: Iterable[ItemRow], every: Everything) -> Iterator[Draft]:
        """What the log is told: each token's new envelope."""
        changed = ((item, token) for item in items for token in every.tokens.get(item.uid, []))
        draft, is_told = self._draft(), False
        while some := list(islice(changed, _A_LEAF)):
            for item, token in some:
                draft.touch(item.data_class, item.subject_uid, token, change=audit_pb2.CHANGE_UPDATED, envelope=item.envelope)
            yield draft
            draft, is_told = self._draft(), True
        if not is_told:
            yield draft


class Rekeying(_Part):
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
        """The subject with everything, and the tenant's keys kept from changing."""
        return Reads(everything=frozenset({self.subject_uid}), part=self._limit, pinning=True)

    def _resealed(self, keys: TenantKeys, tenant: TenantRow, every: Everything) -> Resealing:
        self.lacks_room = self._check_room(every)
        return super()._resealed(keys, tenant, every)

    def _reseal(self, resealing: Resealing) -> None:
        resealing.begin()
        if self._new_field_key != NewFieldKey.NEVER and not self.lacks_room:
            resealing.add_field_key()

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


class NextPart(_Part):
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
        return Reads(behind=frozenset({(self.subject_uid, self._after)}), part=self._limit, pinning=True)

    def _reseal(self, resealing: Resealing) -> None:
        resealing.go_on()


def _check_current(tenant: TenantRow, epoch: int) -> None:
    """Refuse to seal anything under an epoch that is newer than what is known of the erased.

    Raises:
        VaultError: CONFLICT.
    """
    if tenant.epoch != epoch:
        raise VaultError(
            common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys were rotated meanwhile; who was erased has to be asked anew"
        )


def _check_lasting(keys: TenantKeys, tenant: TenantRow, subject: SubjectRow) -> None:
    """Refuse whose keys are noted already as those that go, and a tenant that nothing is to be done for.

    Raises:
        VaultError: TENANT_SEALED, SUBJECT_RESTRICTED; INTEGRITY, as ``AlteredError``.
    """
    if tenant.state != TenantState.ACTIVE:
        raise stands_still(tenant.state)
    try:
        check(keys.authority, subject)
    except VaultError:
        raise AlteredError(subject.uid) from None
    if subject.state == SubjectState.ERASING:
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
