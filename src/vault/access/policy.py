"""May they: one Cedar decision for each distinct question. Denied unless permitted, and whenever evaluation goes wrong."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import cedarpy

from vault.access import policy_text
from vault.crypto.encoding import pack
from vault.errors import VaultError
from vault.v1 import common_pb2

ROLES = frozenset({"tokenizer", "reader_masked", "reader_plain", "admin", "auditor", "privacy_officer", "security_officer"})
"""The roles that the built-in schema knows."""

PURPOSE_LIMITATION = "purpose-limitation"
SUBJECT_RESTRICTED = "subject-restricted"

_REMEMBERED = 8192


@dataclass(frozen=True, slots=True)
class Question:
    """What a principal wants to do. All of it is the vault's own vocabulary, none of it personal.

    Attributes:
        action: the call, for example ``Reveal``.
        data_class: the class's name; empty with ListDataClasses and with what auditors do.
        purpose: the purpose that the call states.
        form: ``MASKED``, ``PARTIAL`` or ``PLAIN`` with Reveal and Decrypt, else empty. A combination below its floor is PLAIN.
        partial_name: the partial form's name with PARTIAL, else empty.
        subject_state: ``ACTIVE`` or ``RESTRICTED``; empty where there is no subject yet. Anything else counts as restricted.
        purpose_collected: whether the value was collected for the purpose.
    """

    action: str
    data_class: str
    purpose: str
    form: str
    partial_name: str
    subject_state: str
    purpose_collected: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        allowed: whether it may be done.
        reason: 0 if allowed, else one of POLICY_DENIED, PURPOSE_NOT_COLLECTED, SUBJECT_RESTRICTED and POLICY_ERROR.
        policy_ids: the ``@id`` of each policy that decided, sorted; empty if nothing permits it.
    """

    allowed: bool
    reason: "common_pb2.ErrorReason"
    policy_ids: tuple[str, ...]


_NOT_PERMITTED = Verdict(False, common_pb2.ERROR_REASON_POLICY_DENIED, ())


class PolicyEngine:
    """One version of the policies, ready to decide. Thread-safe. When policies change, make a new one.

    Args:
        policies: Cedar policies, each with an ``@id``.
        schema: the Cedar schema they keep to.
        on_error: told, for people, of each question that could not be evaluated; once for each distinct question.
        remembered: how many decisions to remember; 0 for none.

    Raises:
        VaultError: INVALID_FIELD, if policies or schema are not sound.
    """

    def __init__(self, policies: str, schema: str, *, on_error: Callable[[str], None], remembered: int = _REMEMBERED) -> None:
        self._loaded = policy_text.load(policies, schema)
        self.sha256 = hashlib.sha256(pack("pdvault/v1/policy", policies, schema)).digest()
        """Which policies these are (32 bytes), for the log."""
        self._on_error = on_error
        self._remembering = lru_cache(maxsize=remembered)(self._evaluate)

    @classmethod
    def built_in(cls, *, on_error: Callable[[str], None]) -> "PolicyEngine":
        """The policies that come with the vault."""
        return cls(*policy_text.built_in_text(), on_error=on_error)

    def decide(self, principal_uid: bytes, roles: frozenset[str], question: Question) -> Verdict:
        """Whether the principal (16 bytes) with these roles may do what ``question`` says."""
        return self._remembering(principal_uid, roles, question)

    def _evaluate(self, principal_uid: bytes, roles: frozenset[str], question: Question) -> Verdict:
        principal = {"type": "Principal", "id": principal_uid.hex()}
        try:
            entities = self._entities(principal, roles)
        except ValueError:
            self._on_error(f"Principal {principal_uid.hex()} has a role that the policies do not know: denied.")
            return _NOT_PERMITTED
        request = _request(principal, question)
        answer = cedarpy.is_authorized(request, self._loaded.every, entities, self._loaded.schema)
        ids = tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))
        # A policy that fails is skipped by Cedar, a forbid too; and a malformed request is not even a Deny.
        if answer.diagnostics.errors or answer.decision is cedarpy.Decision.NoDecision:
            self._on_error(f"{question.action} could not be decided: {'; '.join(answer.diagnostics.errors)}")
            return Verdict(False, common_pb2.ERROR_REASON_POLICY_ERROR, ids)
        if answer.allowed:
            return Verdict(True, common_pb2.ERROR_REASON_UNSPECIFIED, ids)
        # Who is not permitted anyway learns nothing about purposes, states or other prohibitions.
        if not cedarpy.is_authorized(request, self._loaded.permits, entities, self._loaded.schema).allowed:
            return _NOT_PERMITTED
        return Verdict(False, _reason(ids), ids)

    def _entities(self, principal: dict[str, str], roles: frozenset[str]) -> cedarpy.Entities:
        parents = [{"type": "Role", "id": role} for role in sorted(roles)]
        document = json.dumps([{"uid": principal, "attrs": {}, "parents": parents}])
        return cedarpy.Entities.from_json_str(document, self._loaded.schema)


def refusal(verdict: Verdict, question: Question) -> VaultError:
    """The error that tells the caller of a denial: what was asked, which policy decided, what to do.

    Raises:
        ValueError: if the verdict allows.
    """
    if verdict.allowed:
        raise ValueError("an allowed question has no refusal")
    return VaultError(verdict.reason, f"{_asked(question)} is denied: {_why(verdict)}")


def _request(principal: dict[str, str], question: Question) -> dict[str, Any]:
    context = asdict(question)
    return {
        "principal": principal,
        "action": {"type": "Action", "id": context.pop("action")},
        "resource": {"type": "DataClass", "id": context.pop("data_class")},
        "context": context,
    }


def _reason(forbidding: tuple[str, ...]) -> "common_pb2.ErrorReason":
    # Of the two, the purpose speaks first: who has no purpose need not know that the subject is restricted.
    if set(forbidding) - {PURPOSE_LIMITATION, SUBJECT_RESTRICTED}:
        return common_pb2.ERROR_REASON_POLICY_DENIED
    if PURPOSE_LIMITATION in forbidding:
        return common_pb2.ERROR_REASON_PURPOSE_NOT_COLLECTED
    return common_pb2.ERROR_REASON_SUBJECT_RESTRICTED


def _asked(question: Question) -> str:
    form = f" in form {question.form} {question.partial_name}".rstrip() if question.form else ""
    what = f" of class {question.data_class}" if question.data_class else ""
    return f"{question.action}{what}{form} for purpose {question.purpose}"


def _why(verdict: Verdict) -> str:
    if verdict.reason == common_pb2.ERROR_REASON_PURPOSE_NOT_COLLECTED:
        return (
            f"the value was not collected for this purpose (policy {PURPOSE_LIMITATION}). "
            "State a purpose it was collected for; Describe lists them."
        )
    if verdict.reason == common_pb2.ERROR_REASON_SUBJECT_RESTRICTED:
        return (
            f"the subject is restricted (policy {SUBJECT_RESTRICTED}): its data is stored, but not used. "
            "Wait until the restriction is lifted."
        )
    if verdict.reason == common_pb2.ERROR_REASON_POLICY_ERROR:
        return "a policy could not be evaluated. The operator has been alerted and must correct it."
    if verdict.policy_ids:
        return f"policy {', '.join(verdict.policy_ids)} forbids it. Ask your tenant's administrator about that policy."
    return "no policy permits it to this principal's roles. Ask your tenant's administrator for a role that does."
