"""One call from request to outcome: admitted, decided by its use case, and turned into an answer and an audit event.

A denied or failed call writes nothing but its audit event; an answer over the size limit is refused before anything is consumed.
"""

from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from vault.access.policy import PolicyEngine
from vault.admission import Admitted, admit
from vault.audit.events import Caller, Draft, refusing_decision, request_id_bytes
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store.reads import Head, Reads, Rows
from vault.store.runner import Outcome
from vault.v1 import common_pb2

MAX_RESPONSE = 4 * 1024 * 1024
"""Bytes."""


class UseCase(Protocol):
    """What the service does with one request: first what it needs, then what follows, both without SQL."""

    def reads(self, keys: TenantKeys) -> Reads:
        """What to read; may raise VaultError."""

    def decide(self, admitted: Admitted) -> Message:
        """The response; what it writes goes to ``admitted.writes``, what it touches to ``admitted.draft``.

        Raises:
            VaultError: the call is refused.
            MoreRowsError: more is to be read.
            KeysMissingError: a key is not in memory.
        """


class Refused:
    """The use case of a request that was refused before it could be read: admitted and audited like any other."""

    def __init__(self, error: VaultError) -> None:
        self._error = error

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, _admitted: Admitted) -> Message:
        """Refuse."""
        raise self._error


@dataclass
class Call:
    """One call; implements ``store.runner.Call``.

    Args:
        caller: who calls.
        action: the method's name.
        context: the request's context.
        use_case: what to do.
        policy: who may.
        deadline: monotonic seconds.
        without_keys: the refusal to answer because the tenant's keys can't be had.
    """

    caller: Caller
    action: str
    context: common_pb2.CallContext
    use_case: UseCase
    policy: PolicyEngine
    deadline: float
    without_keys: VaultError | None = None
    _lacked_at: int = 0

    @property
    def needs_keys(self) -> bool:
        """Whether the call can't be decided without the tenant's keys."""
        return self.without_keys is None

    @property
    def head(self) -> Head:
        """What is read for every call."""
        return Head(self.caller.tenant_uid, self.caller.ca_sha256, self.caller.name, request_id_bytes(self.context))

    def reads(self, keys: TenantKeys | None) -> Reads:
        """What the use case needs; if it refuses already, the caller hears of it only once admitted."""
        if keys is None or not self.needs_keys:
            return Reads()
        try:
            return self.use_case.reads(keys)
        except VaultError as error:
            self.use_case = Refused(error)
            return Reads()

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Admit, then let the use case decide."""
        draft = self._draft()
        if self.without_keys:
            draft.principal_uid = rows.principal.uid if rows.principal else b""
            return _refuse(draft, self.without_keys)
        if keys is None:
            raise KeysMissingError(self.caller.tenant_uid)
        try:
            admitted = admit(self.caller, rows, keys, draft, self.policy)
            answer = self.use_case.decide(admitted).SerializeToString()
            check_size(answer)
            draft.decide_by_items()
        except VaultError as error:
            return _refuse(draft, error)
        except KeysMissingError:
            if self._lacked_at == keys.generation:
                return _refuse(draft, _no_such_key())
            self._lacked_at = keys.generation
            raise
        return Outcome(answer, draft, admitted.writes)

    def failed(self, error: VaultError) -> Outcome:
        """The outcome that only refuses."""
        return _refuse(self._draft(), error)

    def _draft(self) -> Draft:
        return Draft(self.caller, self.action, self.context)


def _refuse(draft: Draft, error: VaultError) -> Outcome:
    draft.decision, draft.reason = refusing_decision(error.audited_as), error.audited_as
    draft.forget_what_was_not_done()
    return Outcome(error, draft)


def _no_such_key() -> VaultError:
    """Keys fetched anew, of the generation that the tenant's row has, lack it too: an altered row names a key that never was."""
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        "a stored row names a key that the tenant does not have; nothing of it is used; the operator must investigate",
    )


def check_size(answer: bytes) -> None:
    """Refuse an answer that is too large.

    Raises:
        VaultError: RESPONSE_TOO_LARGE.
    """
    if len(answer) > MAX_RESPONSE:
        raise VaultError(
            common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE,
            f"the answer would have {len(answer)} bytes, more than {MAX_RESPONSE}; nothing was consumed; ask for fewer items",
        )
