"""What gRPC says went wrong, as an exception: ``google.rpc.Status`` where the vault sent one, a helpful guess where it did not."""

from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from pdvault_client.errors import FieldViolation, VaultError, error_class

DOMAIN = "vault.v1"
DETAILS_KEY = "grpc-status-details-bin"

Detail = TypeVar("Detail", bound=Message)

_Code = grpc.StatusCode
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_ADDRESS_HINT = "Is the address right, and is the server running?"
_NAME_HINT = "The server's certificate is for another name: is this address among its alternative names?"
_CLIENT_CERTIFICATE_HINT = (
    "If the server runs, it probably refused the client certificate: is certificate_file issued by the CA registered for your "
    "tenant, not expired, and sent with its intermediate certificates?"
)
_SIGNS = {
    "_ALERT_": _CLIENT_CERTIFICATE_HINT,
    "Hostname Verification": _NAME_HINT,
    "not in peer certificate": _NAME_HINT,  # older gRPC
    "WRONG_VERSION_NUMBER": "What answers there does not speak TLS: is it the vault's port?",
    "SSL_ERROR_SSL": "The server's certificate is not trusted: is it issued by a CA in ca_file, and not expired?",
    "Connection refused": _ADDRESS_HINT,
    "errors resolving": _ADDRESS_HINT,
    "DNS resolution failed": _ADDRESS_HINT,
}
"""What gRPC's text holds, in order of precedence, and what it means."""


def from_status(serialised: bytes, request_id: str) -> VaultError:
    """The error that a serialised ``google.rpc.Status`` tells of.

    Raises:
        DecodeError: it is not one.
    """
    status = status_pb2.Status.FromString(serialised)
    code = _CODES.get(status.code, _Code.UNKNOWN)
    info = _detail(status, error_details_pb2.ErrorInfo)
    bad = _detail(status, error_details_pb2.BadRequest)
    retry = _detail(status, error_details_pb2.RetryInfo)
    reason = info.reason if info and info.domain == DOMAIN else ""
    return error_class(reason, code)(
        status.message,
        reason=reason,
        code=code,
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations] if bad else (),
        retry_after_s=max(0.0, retry.retry_delay.ToNanoseconds() / 1e9) if retry else None,
        request_id=request_id,
    )


def _detail(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    """The first detail of a kind; none if it is damaged."""
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            try:
                return kind.FromString(packed.value)
            except DecodeError:
                return None
    return None


def from_call(error: grpc.RpcError, *, address: str, timeout_s: float | None, request_id: str) -> VaultError:
    """The error of a failed call, from its trailers if the vault sent details.

    Args:
        error: what the stub raised.
        address: where the call went, for hints.
        timeout_s: seconds it was given, for hints; None if it had no deadline.
        request_id: of the call.
    """
    if not isinstance(error, grpc.Call):
        return VaultError("gRPC failed without a status", request_id=request_id)
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                found = from_status(value, request_id)
            except DecodeError:
                break
            if found.code is error.code():
                return found
    code, details = error.code(), error.details() or ""
    return error_class("", code)(_explain(code, details, address, timeout_s), code=code, request_id=request_id)


def _explain(code: grpc.StatusCode, details: str, address: str, timeout_s: float | None) -> str:
    if code is _Code.UNAVAILABLE:
        return f"no connection to the vault at {address} ({details}). {_connection_hint(details)}"
    if code is _Code.DEADLINE_EXCEEDED:
        when = "in time" if timeout_s is None else f"within {timeout_s:g} s"
        return f"the vault at {address} gave no answer {when}; the call may have taken effect"
    if code is _Code.UNIMPLEMENTED:
        return f"the server at {address} has no such method ({details}). Is it a vault, and as new as this client?"
    return f"the vault at {address} refused the call: {details}"


def _connection_hint(details: str) -> str:
    """What to look at; TLS says little, and TLS 1.3 nothing at all when the server refuses a client certificate."""
    for sign, hint in _SIGNS.items():
        if sign in details:
            return hint
    return _CLIENT_CERTIFICATE_HINT
