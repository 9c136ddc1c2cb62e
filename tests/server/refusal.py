"""What a caller sees when it is refused: every part of the status, read by gRPC's own library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

Detail = TypeVar("Detail", bound=Message)


@dataclass(frozen=True)
class Refusal:
    """A refused call. ``reason`` and ``domain`` are empty where gRPC itself refused; ``everything`` is all that was sent."""

    code: str
    message: str
    reason: str
    domain: str
    violations: Mapping[str, str]
    retry_after_s: float | None
    everything: bytes


def refused(call: Callable[[], Any]) -> Refusal:
    """The refusal that a call must end in."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return refusal_of(caught.value)


def refusal_of(error: Any) -> Refusal:
    """The refusal in an error that a call has raised."""
    status = rpc_status.from_call(error) or status_pb2.Status(message=error.details() or "")
    trailers = b"".join(v if isinstance(v, bytes) else v.encode() for pair in error.trailing_metadata() or () for v in pair)
    everything = (error.details() or "").encode() + status.SerializeToString() + trailers
    return read(status, code=error.code().name, everything=everything)


def read(status: status_pb2.Status, *, code: str = "", everything: bytes = b"") -> Refusal:
    """A status as a refusal; also that of one item of a call."""
    info = _detail(status, error_details_pb2.ErrorInfo)
    bad = _detail(status, error_details_pb2.BadRequest)
    retry = _detail(status, error_details_pb2.RetryInfo)
    return Refusal(
        code,
        status.message,
        info.reason if info else "",
        info.domain if info else "",
        {violation.field: violation.description for violation in bad.field_violations} if bad else {},
        retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
        everything or status.SerializeToString(),
    )


def _detail(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None
