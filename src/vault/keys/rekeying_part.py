"""One part of one subject's re-keying, as far as the first and those that follow are alike: a transaction with its events."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from vault.audit.actions import REKEYED
from vault.audit.events import Caller
from vault.crypto.envelope import DecryptionError
from vault.crypto.plaintext import PlaintextError
from vault.errors import VaultError
from vault.keys.rekeyed import all_rekeyed, rekeyed
from vault.keys.rekeying_refusals import TOO_SLOW, AlteredError, check_current, check_lasting
from vault.keys.resealing import Resealing
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store.reads import Head, Rows, WholeSubject
from vault.store.rows import TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import check
from vault.v1 import audit_pb2, common_pb2

PATIENCE_S = 30.0


class RekeyingPart(ABC):
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
        whole, tenant = rows.whole_subjects.get(self.subject_uid), rows.tenant
        try:
            if tenant is None or whole is None:
                raise VaultError(common_pb2.ERROR_REASON_SUBJECT_NOT_FOUND, "the subject was erased meanwhile")
            check(keys.authority, tenant)
            check_current(tenant, self._epoch)
            check_lasting(keys, tenant, whole.subject)
            resealing = self._resealed(keys, tenant, whole)
        except VaultError as error:
            self.is_altered = isinstance(error, AlteredError)
            return self.failed(error)
        self.is_altered, self.is_last = False, not whole.has_more
        self.moved, self.end = len(resealing.items), whole.last
        drafts = list(all_rekeyed(self._caller, self._details, resealing.items, whole))
        return Outcome(b"", drafts[0], resealing.writes, also=drafts[1:])

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""
        self.is_too_slow = error.reason in TOO_SLOW
        draft = rekeyed(self._caller, self._details, self.subject_uid)
        draft.decision, draft.reason = audit_pb2.DECISION_FAILED, error.reason
        return Outcome(error, draft)

    def _resealed(self, keys: TenantKeys, tenant: TenantRow, whole: WholeSubject) -> Resealing:
        """The part, done.

        Raises:
            VaultError: it can't be; INTEGRITY, as ``AlteredError``, if a row was altered.
        """
        try:
            resealing = Resealing(keys, tenant, whole)
            self._reseal(resealing)
        except (DecryptionError, PlaintextError, VaultError):
            raise AlteredError(self.subject_uid) from None
        return resealing

    @abstractmethod
    def _reseal(self, resealing: Resealing) -> None:
        """Seal anew what this part moves."""
