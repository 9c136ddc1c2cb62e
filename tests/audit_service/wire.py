"""An auditor across the network: AuditService by gRPC, with the server's own generated messages."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from tests.harness import Server

from vault.access.issuing import Issued
from vault.v1 import audit_service_pb2, common_pb2


class Wire:
    """One client of a server."""

    def __init__(self, server: Server, client: Issued) -> None:
        self.channel = server.channel(client)

    def ask(self, request: Message, *, timeout: float | None = 60.0) -> Any:
        """The response to a request."""
        name = _name(request)
        raw = self.channel.unary_unary(f"/vault.v1.AuditService/{name}")(request.SerializeToString(), timeout=timeout)
        return _response(name).FromString(raw)

    @contextmanager
    def stream(self, request: Message, *, timeout: float | None = None) -> Iterator[Iterator[Any]]:
        """The messages of a stream, which is cancelled at the end of the block if it has not ended."""
        name = _name(request)
        call = self.channel.unary_stream(f"/vault.v1.AuditService/{name}")(request.SerializeToString(), timeout=timeout)
        try:
            yield (_response(name).FromString(raw) for raw in call)
        finally:
            call.cancel()

    def all(self, request: Message, *, timeout: float | None = 60.0) -> list[Any]:
        """All messages of a stream that ends by itself."""
        with self.stream(request, timeout=timeout) as messages:
            return list(messages)


def audit_context(**fields: str) -> common_pb2.CallContext:
    """Why an auditor calls."""
    return common_pb2.CallContext(purpose="audit", request_id=str(uuid.uuid4()), **fields)


def error_of(caught: Any) -> tuple[str, str]:
    """Status and reason of a stream's or a call's end."""
    from tests.server.refusal import refusal_of

    error: grpc.RpcError = caught.value
    refusal = refusal_of(error)
    return refusal.code, refusal.reason


def _name(request: Message) -> str:
    return str(request.DESCRIPTOR.name).removesuffix("Request")


def _response(name: str) -> Any:
    return getattr(audit_service_pb2, f"{name}Response")
