"""What one call leaves in the log: a draft that use cases fill in and the chain turns into a leaf.

A draft never sees a value, a token's text or a subject_id; uids only.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.rpc import code_pb2

from vault.errors import code_of
from vault.v1 import audit_pb2, common_pb2

SYSTEM_TENANT = bytes(16)
"""The tenant uid of the system's own log."""


_DENIED = (code_pb2.PERMISSION_DENIED, code_pb2.UNAUTHENTICATED)


def refusing_decision(reason: int) -> "audit_pb2.Decision":
    """DENIED for reasons of authorisation, FAILED for all others."""
    return audit_pb2.DECISION_DENIED if code_of(reason) in _DENIED else audit_pb2.DECISION_FAILED


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as the edge knows: names from the certificate, or from the operating system."""

    tenant_uid: bytes
    name: str
    ca_sha256: bytes = b""
    certificate_sha256: bytes = b""


@dataclass
class Touch:
    """Items of one class, form, outcome and change. ``without_token`` counts those that have none, or of which none is known."""

    subject_uids: dict[bytes, None] = field(default_factory=dict)
    token_uids: list[bytes] = field(default_factory=list)
    envelope_hashes: list[bytes] = field(default_factory=list)
    without_token: int = 0
    mismatched: int = 0
    queries: int = 0

    @property
    def count(self) -> int:
        """How many items, with or without a token."""
        return len(self.token_uids) + self.without_token


TouchKey = tuple[str, int, str, int, int]
"""(data class, form kind, partial name, reason, change)."""


@dataclass
class Draft:
    """An event in the making."""

    caller: Caller
    action: str
    context: common_pb2.CallContext
    decision: int = audit_pb2.DECISION_ALLOWED
    reason: int = 0
    principal_uid: bytes = b""
    roles: tuple[str, ...] = ()
    policy_sha256: bytes = b""
    policy_ids: set[str] = field(default_factory=set)
    touched: dict[TouchKey, Touch] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def touch(
        self,
        data_class: str,
        subject_uid: bytes,
        token_uid: bytes,
        *,
        form: common_pb2.Form | None = None,
        reason: int = 0,
        change: int = 0,
        envelope: bytes | None = None,
        mismatched: bool = False,
    ) -> None:
        """Note that an item was used or written; ``envelope`` is its new envelope, of which the hash is noted."""
        group = self._group(data_class, form, reason, change)
        group.subject_uids[subject_uid] = None
        group.token_uids.append(token_uid)
        group.mismatched += mismatched
        if envelope is not None:
            group.envelope_hashes.append(hashlib.sha256(envelope).digest())

    def touch_unknown(self, data_class: str, reason: int, form: common_pb2.Form | None = None) -> None:
        """Note that something was asked of an item that is not there, or could not be made."""
        self._group(data_class, form, reason).without_token += 1

    def touch_subject(
        self, data_class: str, subject_uid: bytes, *, form: common_pb2.Form | None = None, reason: int = 0, items: int = 0
    ) -> None:
        """Note that a subject itself was used or changed, or so many ``items`` of it that have no token."""
        group = self._group(data_class, form, reason)
        group.subject_uids[subject_uid] = None
        group.without_token += items

    def look_into(self, subject_uid: bytes, token_uid: bytes = b"") -> None:
        """Note that somebody read what the log says about a subject, or about a token."""
        group = self._group("")
        if subject_uid:
            group.subject_uids[subject_uid] = None
        if token_uid:
            group.token_uids.append(token_uid)

    def search(self, data_class: str) -> None:
        """Note that a query asked for this class, whatever it finds."""
        self._group(data_class).queries += 1

    def decide_by_items(self) -> None:
        """Set decision and reason of a call that went through, by what became of its items."""
        refused = sorted(key[3] for key in self.touched if key[3])
        if not refused:
            return
        self.reason = refused[0]
        if any(not key[3] for key in self.touched):
            self.decision = audit_pb2.DECISION_PARTIAL
        else:
            self.decision = refusing_decision(self.reason)

    def _group(self, data_class: str, form: common_pb2.Form | None = None, reason: int = 0, change: int = 0) -> Touch:
        kind, partial = (form.kind, form.partial_name) if form else (0, "")
        return self.touched.setdefault((data_class, kind, partial, reason, change), Touch())

    def forget_what_was_not_done(self) -> None:
        """Keep only the items that were refused: the call failed, so nothing else of it happened."""
        self.touched = {key: touch for key, touch in self.touched.items() if key[3]}

    def to_event(self) -> audit_pb2.AuditEvent:
        """The event without what the chain adds: format, time, node, randomness and the boot's fields."""
        context = self.context
        # The stubs ask for enum types where protobuf itself has plain integers, which is what reads and rows give us.
        event = audit_pb2.AuditEvent(
            tenant_uid=self.caller.tenant_uid,
            principal_uid=self.principal_uid,
            principal=self.caller.name,
            roles=self.roles,
            policy_sha256=self.policy_sha256,
            certificate_sha256=self.caller.certificate_sha256,
            action=self.action,
            decision=self.decision,  # type: ignore[arg-type]
            reason=self.reason,  # type: ignore[arg-type]
            policy_ids=sorted(self.policy_ids),
            purpose=context.purpose,
            ground=context.ground,
            reference=context.reference,
            recipient=context.recipient,
            request_id=request_id_bytes(context),
            details=self.details,
        )
        event.touched.extend(_touched(self.touched.items()))
        return event


def request_id_bytes(context: common_pb2.CallContext) -> bytes:
    """The request id as 16 bytes; empty if it is not a UUID."""
    digits = context.request_id.replace("-", "")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return b""
    return raw if len(raw) == 16 else b""


def _touched(groups: Iterable[tuple[TouchKey, Touch]]) -> Iterable[audit_pb2.Touched]:
    for (data_class, form, partial, reason, change), group in groups:
        yield audit_pb2.Touched(  # integers for enums, as in Draft.to_event
            data_class=data_class,
            form=form,  # type: ignore[arg-type]
            partial_name=partial,
            count=group.count,
            mismatched=group.mismatched,
            queries=group.queries,
            subject_uids=b"".join(group.subject_uids),
            token_uids=b"".join(group.token_uids),
            reason=reason,  # type: ignore[arg-type]
            change=change,  # type: ignore[arg-type]
            envelope_hashes=b"".join(group.envelope_hashes),
        )
