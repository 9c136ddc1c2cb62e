"""Acts of administration from the command line, run by the runner like any call: rows, audit event, one commit.

Whoever runs them has the database and the KMS in hand, so no policy decides; what they did is in the log.
"""

import getpass
import time
from collections.abc import Callable
from dataclasses import dataclass

from vault.audit.events import Caller, Draft
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import TenantRow
from vault.store.runner import Outcome
from vault.store.sealing import sealed, tenant_of
from vault.store.writes import Writes
from vault.v1 import audit_pb2, common_pb2

PATIENCE_S = 30.0
"""How long an act of administration may take."""


def operator(tenant_uid: bytes) -> Caller:
    """The person at the command line, as the operating system names them."""
    return Caller(tenant_uid, f"local:{getpass.getuser()}")


@dataclass
class Act:
    """One act on one tenant; implements ``store.runner.Call``.

    Args:
        caller: who acts, and in which tenant's log it is noted.
        action: what the log calls it.
        principal: the name of the principal it is about, or empty.
        details: what the log says about it.
        effect: given the rows read and the tenant's keys, what is written.
    """

    caller: Caller
    action: str
    principal: str
    details: dict[str, str]
    effect: Callable[[Rows, TenantKeys], Writes]
    needs_keys: bool = True

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + PATIENCE_S

    @property
    def head(self) -> Head:
        """The tenant and the principal it is about."""
        return Head(self.caller.tenant_uid, b"", self.principal, b"")

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """Nothing more."""
        return Reads()

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """What the effect writes, and the event, of which the effect may have added to the details."""
        try:
            writes = self.effect(rows, _present(keys))
        except VaultError as error:
            return self.failed(error)
        return Outcome(b"", self._draft(), writes)

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""
        draft = self._draft()
        draft.decision, draft.reason = audit_pb2.DECISION_FAILED, error.reason
        return Outcome(error, draft)

    def _draft(self) -> Draft:
        return Draft(self.caller, self.action, common_pb2.CallContext(), details=dict(self.details))


class AuthorityAct(Act):
    """An act that changes who may do what: it owns the tenant's row, and so gets its turn however many write meanwhile."""

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The tenant, FOR UPDATE."""
        return Reads(owning=True)


def nothing(_rows: Rows, _keys: TenantKeys) -> Writes:
    """The effect of an act that only leaves its event."""
    return Writes()


class Notice(Act):
    """What the server itself says in a log. It changes nothing and needs no keys, so it is said while the KMS is away."""

    def __init__(
        self,
        tenant_uid: bytes,
        action: str,
        details: dict[str, str],
        *,
        decision: int,
        reason: int = 0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Make it, to be written within ``patience_s`` seconds or not at all."""
        super().__init__(Caller(tenant_uid, ""), action, "", details, nothing, needs_keys=False)
        self.deadline = time.monotonic() + patience_s
        self._decision, self._reason = decision, reason

    def decide(self, _rows: Rows, _keys: TenantKeys | None) -> Outcome:
        """The event."""
        draft = self._draft()
        draft.decision, draft.reason = self._decision, self._reason
        return Outcome(b"", draft)


def next_authority(rows: Rows, keys: TenantKeys) -> tuple[TenantRow, TenantRow]:
    """The tenant's row, and the one that replaces it because who may do what has changed."""
    tenant = tenant_of(rows, keys)
    new = tenant._replace(authority_version=tenant.authority_version + 1)
    return tenant, sealed(keys.authority, new)


def _present(keys: TenantKeys | None) -> TenantKeys:
    if keys is None:
        raise VaultError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "the tenant's keys are not in memory")
    return keys
