"""The one exception root of the vault, and the one place that turns it into a ``google.rpc.Status``.

Every refusal has a stable reason (``ErrorReason`` in proto/vault/v1/common.proto) which fixes its status code. Messages say
what was wrong, where and what to do; they never hold a value, a key, a subject_id or a driver's text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from vault.v1 import common_pb2

DOMAIN = "vault.v1"
MAX_VIOLATIONS = 20
"""The most field violations one status lists: details travel in trailers, which are small."""

_PREFIX = "ERROR_REASON_"
_CODES: dict[int, Iterable[int]] = {
    code_pb2.INVALID_ARGUMENT: (*range(1, 11), 12, 14),
    code_pb2.OUT_OF_RANGE: (11,),
    code_pb2.FAILED_PRECONDITION: (*range(21, 25), *range(27, 32), 86, 89, 91),
    code_pb2.NOT_FOUND: (13, 15, 20),
    code_pb2.ALREADY_EXISTS: (25, 26),
    code_pb2.UNAUTHENTICATED: (40,),
    code_pb2.PERMISSION_DENIED: range(41, 60),
    code_pb2.RESOURCE_EXHAUSTED: (60, 61),
    code_pb2.ABORTED: (62,),
    code_pb2.DEADLINE_EXCEEDED: (63,),
    code_pb2.UNAVAILABLE: (*range(80, 86), 87, 88),
    code_pb2.DATA_LOSS: (90,),
    code_pb2.INTERNAL: (99,),
}
_CODE_OF: dict[int, int] = {reason: code for code, reasons in _CODES.items() for reason in reasons}


def code_of(reason: int) -> int:
    """The canonical status code (google.rpc.Code) of a reason."""
    return _CODE_OF[reason]


@dataclass(frozen=True)
class FieldViolation:
    """One broken rule: ``field`` is a path such as ``items[3].value``, ``rule`` says what must hold, never the value."""

    field: str
    rule: str


class VaultError(Exception):
    """A refusal with a stable reason.

    Args:
        reason: a value of ``common_pb2.ErrorReason``; fixes the status code.
        message: what was wrong, where, what to do. Never a value.
        violations: the fields at fault, for BadRequest.
        retry_after_s: seconds after which trying again makes sense, for RetryInfo.
        audited_as: the reason that the log is told, where the caller is told less.
    """

    def __init__(
        self,
        reason: int,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
        audited_as: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.audited_as = audited_as or reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s

    @property
    def reason_name(self) -> str:
        """The reason as ErrorInfo gives it: without its prefix."""
        return common_pb2.ErrorReason.Name(self.reason).removeprefix(_PREFIX)

    @property
    def code(self) -> int:
        """The canonical status code (google.rpc.Code)."""
        return code_of(self.reason)

    def to_status(self) -> status_pb2.Status:
        """The error as ``google.rpc.Status`` with ErrorInfo and, where they apply, BadRequest, PreconditionFailure, RetryInfo."""
        status = status_pb2.Status(code=self.code, message=self.message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=self.reason_name, domain=DOMAIN))
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for violation in self.violations[:MAX_VIOLATIONS]:
                bad.field_violations.add(field=violation.field, description=violation.rule, reason=self.reason_name)
            status.details.add().Pack(bad)
        if self.code == code_pb2.FAILED_PRECONDITION:
            failure = error_details_pb2.PreconditionFailure()
            failure.violations.add(type=self.reason_name, description=self.message)
            status.details.add().Pack(failure)
        if self.retry_after_s is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(int(self.retry_after_s * 1e9))
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        return status
