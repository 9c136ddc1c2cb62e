"""The exceptions of the client: one root, and a class for each refusal that a caller may want to catch.

What the server gives as a reason picks the class; for a reason this client does not know, the status code does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

_Code = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One broken rule: ``field`` is a path such as ``items[3].value``; ``rule`` says what must hold, never the value."""

    field: str
    rule: str


class VaultError(Exception):
    """The vault refused or could not answer.

    Attributes:
        message: what was wrong, where, what to do. Never a value.
        reason: a stable name such as "TOKEN_NOT_FOUND"; empty if the error did not come from the vault itself.
        code: the gRPC status code.
        violations: the fields at fault; at most 20.
        retry_after_s: seconds after which trying again makes sense, if the vault says so.
        request_id: what to quote to the vault's operator, and what to use again where a call may have taken effect.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: grpc.StatusCode = _Code.UNKNOWN,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    def __str__(self) -> str:
        news = [f"{v.field}: {v.rule}" for v in self.violations if v.rule not in self.message]
        return f"{'; '.join([self.message, *news])} [{self.reason or self.code.name}, request {self.request_id}]"


class InvalidRequestError(VaultError):
    """The request breaks a rule; ``violations`` name field and rule."""


class TokenNotFoundError(VaultError):
    """The tenant has no such token: unknown, foreign, deleted and erased look alike."""


class TokenExpiredError(VaultError):
    """The token's time is over."""


class TokenUsedUpError(VaultError):
    """The token has been revealed as often as it may."""


class RevealAlreadyDeliveredError(VaultError):
    """This request already took one of the token's limited reveals; it is not given twice.

    After a retry it means: the first attempt took effect, its answer was lost on the way, and the audit log counts it.
    """


class RevisionMismatchError(VaultError):
    """The item is at another revision than expected_revision. Describe it and decide again."""


class RequestIdReusedError(VaultError):
    """The request_id was used for another request within 24 hours."""


class PermissionDeniedError(VaultError):
    """The vault does not know the caller, or does not permit this; ``reason`` tells which."""


class SubjectNotFoundError(VaultError):
    """The tenant knows no such subject; erased ones are unknown."""


class LogRangeError(VaultError):
    """An index or size lies beyond the audit log, or sizes are in the wrong order."""


class CosignatureRefusedError(InvalidRequestError):
    """The note is no checkpoint of this log, or has no cosignature of a configured witness."""


class CiphertextRefusedError(InvalidRequestError):
    """A ciphertext can't be opened: it, or its associated data, is not as it was, or its key is gone. Nobody is told which."""


class ResponseTooLargeError(VaultError):
    """The answer would exceed 4 MiB; nothing was consumed. Ask for fewer items."""


class OverloadedError(VaultError):
    """More calls are waiting than the server takes. Try again after ``retry_after_s``."""


class ConflictError(VaultError):
    """Other calls kept changing the same rows. Try again."""


class DeadlineExceededError(VaultError):
    """No answer in time. The call may have taken effect: a repetition with the same request_id is safe."""


class UnavailableError(VaultError):
    """The vault, its database or its KMS cannot serve now, still so after the retries."""


class IntegrityError(VaultError):
    """A stored row was altered, moved or damaged; nothing of it is used. The operator must investigate."""


class LogBehindAnchorError(IntegrityError):
    """The audit log is behind its anchor or not consistent with it: the database was restored or edited. Nothing is served."""


class InternalError(VaultError):
    """An error nobody foresaw. Quote the request_id to the operator."""


_BY_REASON: dict[str, type[VaultError]] = {
    "TOKEN_NOT_FOUND": TokenNotFoundError,
    "TOKEN_EXPIRED": TokenExpiredError,
    "TOKEN_USED_UP": TokenUsedUpError,
    "REVEAL_ALREADY_DELIVERED": RevealAlreadyDeliveredError,
    "REVISION_MISMATCH": RevisionMismatchError,
    "REQUEST_ID_REUSED": RequestIdReusedError,
    "SUBJECT_NOT_FOUND": SubjectNotFoundError,
    "CIPHERTEXT_REFUSED": CiphertextRefusedError,
    "LOG_RANGE": LogRangeError,
    "COSIGNATURE_REFUSED": CosignatureRefusedError,
    "LOG_BEHIND_ANCHOR": LogBehindAnchorError,
    "RESPONSE_TOO_LARGE": ResponseTooLargeError,
    "OVERLOADED": OverloadedError,
    "CONFLICT": ConflictError,
}
_BY_CODE: dict[grpc.StatusCode, type[VaultError]] = {
    _Code.INVALID_ARGUMENT: InvalidRequestError,
    _Code.UNAUTHENTICATED: PermissionDeniedError,
    _Code.PERMISSION_DENIED: PermissionDeniedError,
    _Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    _Code.UNAVAILABLE: UnavailableError,
    _Code.DATA_LOSS: IntegrityError,
    _Code.INTERNAL: InternalError,
}


def error_class(reason: str, code: grpc.StatusCode) -> type[VaultError]:
    """The class for a reason and its code; ``VaultError`` itself if neither has one."""
    return _BY_REASON.get(reason) or _BY_CODE.get(code, VaultError)
