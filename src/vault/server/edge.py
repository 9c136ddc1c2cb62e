"""The gRPC edge: who calls, the raw bytes of what, and the one place where errors become a status.

Handlers take and give raw bytes: undecodable input is refused by us (INVALID_ARGUMENT) and not by gRPC (UNKNOWN, with the text of
a Python exception).
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import grpc
import structlog
from grpc_status import rpc_status

from vault.access.identity import read_leaf
from vault.audit.events import Caller
from vault.call import Call
from vault.errors import VaultError
from vault.server import audit_methods
from vault.server.audit_service import AuditService
from vault.server.dispatcher import Dispatcher
from vault.server.in_flight import InFlight
from vault.server.intake import Intake
from vault.server.methods import SERVICES, Method
from vault.server.metrics import Metrics
from vault.server.streams.running import Streams
from vault.server.streams.slots import StreamSlots
from vault.server.trust import Trust
from vault.server.unheard import Unheard
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

_GONE = "CALLER_GONE"
"""What is counted where nobody waited for the answer any more: the deadline passed, or the caller cancelled."""

_QUIET_S = 0.2
"""A server that ends has said so to its callers once none of them has called for so long. gRPC itself would answer calls that come
while it ends with CANCELLED, which nobody retries."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Handler = Callable[[bytes, Any], Awaitable[bytes]]
Handlers = dict[str, "grpc.RpcMethodHandler[bytes, bytes]"]
Work = Callable[[Method, bytes, Any], Awaitable[bytes]]
"""(method, request, context) → response."""
Flow = Callable[[Call, bytes], Awaitable[bytes]]
"""What is left to do of a call after its first transaction: (call, what the lane answered) → response. May raise VaultError."""


class Edge:
    """Answers the methods of all services."""

    def __init__(
        self,
        trust: Trust,
        intake: Intake,
        dispatcher: Dispatcher,
        audit: AuditService,
        streams: Streams,
        flows: Mapping[str, Flow],
        metrics: Metrics,
        unheard: Unheard,
    ) -> None:
        """Put together what handlers need; ``flows`` are by the method's name."""
        self._trust = trust
        self._audit = audit
        self._streams = streams
        self._flows = flows
        self._intake = intake
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._unheard = unheard
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="intake")
        self._in_flight = InFlight()
        self._under_way = 0
        self._last_arrival = 0.0
        self._ending = False

    def register(self, server: grpc.aio.Server) -> None:
        """Add every method to a server."""
        unary = grpc.unary_unary_rpc_method_handler
        vault: dict[str, Handlers] = {
            service: {method.name: unary(self._handler(method, self._answer)) for method in methods}
            for service, methods in SERVICES.items()
        }
        stream = grpc.unary_stream_rpc_method_handler
        streams: Handlers = {method.name: stream(self._handler(method, self._stream)) for method in audit_methods.STREAMS}
        audit: Handlers = streams | {method.name: unary(self._handler(method, self._read)) for method in audit_methods.METHODS}
        every = vault | {audit_methods.SERVICE: audit}
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers) for service, handlers in every.items()]
        )

    async def drain(self, patience_s: float) -> None:
        """From now on refuse calls that come; return when those under way are answered and no more come, or patience is over."""
        self._ending = True
        self._streams.end()
        end = time.monotonic() + patience_s
        while time.monotonic() < end and (
            self._under_way or self._streams.are_closing or time.monotonic() < self._last_arrival + _QUIET_S
        ):
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Wait for requests being parsed."""
        self._threads.shutdown()

    def _handler(self, method: Method, work: Work) -> Handler:
        async def handle(raw: bytes, context: Context) -> bytes:
            begin = self._last_arrival = time.monotonic()
            outcome = _GONE
            self._under_way += 1
            try:
                answer = await work(method, raw, context)
                outcome = "OK"
                return answer
            except VaultError as refusal:
                error = refusal
                outcome = error.reason_name
            except Exception as unforeseen:  # noqa: BLE001  its text could hold a value: only its type is logged
                log.error("unforeseen error at the edge", method=method.name, error=type(unforeseen).__name__)
                error = VaultError(common_pb2.ERROR_REASON_INTERNAL, "an error nobody foresaw; the operator's log names it")
                outcome = error.reason_name
            finally:
                self._under_way -= 1
                self._metrics.calls.labels(method.name, outcome).inc()
                self._metrics.seconds.labels(method.name).observe(time.monotonic() - begin)
            await context.abort_with_status(rpc_status.to_status(error.to_status()))
            raise AssertionError("abort_with_status always raises")

        return handle

    async def _answer(self, method: Method, raw: bytes, context: Context) -> bytes:
        async with self._admitted(method, raw, context) as (call, answer):
            flow = self._flows.get(method.name)
            return await flow(call, answer) if flow else answer

    async def _read(self, method: Method, raw: bytes, context: Context) -> bytes:
        async with self._admitted(method, raw, context) as (call, resolved):
            return await self._audit.answer(method.name, call.caller.tenant_uid, resolved, call.deadline)

    async def _stream(self, method: Method, raw: bytes, context: Context) -> bytes:
        """Send all messages of a stream; there is no answer besides."""
        remaining_s = context.time_remaining()
        deadline = math.inf if remaining_s is None else time.monotonic() + remaining_s
        stream = self._streams.by_method[method.name]
        async with self._admitted(method, raw, context, stream.slots) as (call, resolved):
            await stream.run(call, resolved, deadline, context.write)
        return b""

    @asynccontextmanager
    async def _admitted(
        self, method: Method, raw: bytes, context: Context, slots: StreamSlots | None = None
    ) -> AsyncIterator[tuple[Call, bytes]]:
        """The call and what the lane answers to it; it counts as under way until the end of the block."""
        caller = self._caller(method, context)
        with ExitStack() as under_way:
            with self._unheard.counting(caller, method.name):
                if self._ending:
                    raise VaultError(
                        common_pb2.ERROR_REASON_SHUTTING_DOWN, "the server is shutting down; retry elsewhere", retry_after_s=1.0
                    )
                under_way.enter_context(self._in_flight.passing(caller, len(raw)))
                async with self._in_flight.parsing(caller):
                    loop = asyncio.get_running_loop()
                    call, weight = await loop.run_in_executor(
                        self._threads, self._intake.call, caller, method, raw, context.time_remaining(), time.monotonic()
                    )
            if slots:
                under_way.enter_context(slots.kept_for(call))
            yield call, await self._dispatcher.run(call, weight)

    def _caller(self, method: Method, context: Context) -> Caller:
        """The caller by its certificate, verified against the one CA that issued it.

        Raises:
            VaultError: CERTIFICATE_REFUSED; told in the system's log with others, since no tenant is known.
        """
        try:
            (pem,) = context.auth_context().get("x509_pem_cert", (b"",))
            leaf = read_leaf(pem)
            issuer = self._trust.bundle.identify(leaf, datetime.now(UTC))
        except VaultError as error:
            self._metrics.unauthenticated.inc()
            self._unheard.stranger(method.name, error.reason_name)
            log.warning("a certificate was refused", reason=error.reason_name)
            raise
        return Caller(issuer.tenant_uid, leaf.name, issuer.sha256, leaf.sha256)
