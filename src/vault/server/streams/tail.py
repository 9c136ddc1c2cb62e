"""Tails: streams without an end, each of which holds no thread and no connection while there is nothing to send."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from vault.auditing.tail import Range, TailEnded, begin, next_batch
from vault.call import Call
from vault.errors import VaultError
from vault.server.audit_service import AuditService
from vault.server.streams.closing import Closings
from vault.server.streams.heads import HeadWatch
from vault.server.streams.recheck import Recheck
from vault.v1 import audit_service_pb2 as v1
from vault.v1 import common_pb2

HEARTBEAT_S = 10.0
_READ_S = 30.0

Send = Callable[[bytes], Awaitable[None]]
"""Sends one message; waits for a reader that is slow."""


class Tails:
    """Runs tails. Used on the event loop only."""

    def __init__(self, audit: AuditService, heads: HeadWatch, recheck: Recheck, closings: Closings) -> None:
        self._audit = audit
        self._heads = heads
        self._recheck = recheck
        self._closings = closings
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End all tails: the server is shutting down."""
        self._ending.set()

    async def run(self, call: Call, resolved: bytes, _deadline: float, send: Send) -> None:
        """One tail, until its caller goes or it must end.

        Raises:
            VaultError: why it must end.
        """
        tail = _Tail(self._audit, call, v1.TailRequest.FromString(resolved), send)
        why = "CALLER_GONE"
        try:
            await self._follow(tail, call)
        except VaultError as error:
            why = error.reason_name
            raise
        except Exception:  # whatever it is, it goes on up; only the closing event has to know
            why = "INTERNAL"
            raise
        finally:
            self._closings.leave(TailEnded(call.caller, call.context, tail.range, why))

    async def _follow(self, tail: "_Tail", call: Call) -> None:
        await tail.begin()
        rechecks = self._recheck.of(call)
        while not self._ending.is_set():
            await rechecks.when_due()
            if not await tail.go_on():
                await self._wait(tail, call, min(rechecks.due_at, tail.heartbeat_at) - time.monotonic())
        raise VaultError(
            common_pb2.ERROR_REASON_SHUTTING_DOWN,
            "the server is shutting down; go on elsewhere, from next_index",
            retry_after_s=1.0,
        )

    async def _wait(self, tail: "_Tail", call: Call, patience_s: float) -> None:
        """Until the log has grown, the server ends, or there is something else to do."""
        grown = asyncio.ensure_future(self._heads.beyond(call.caller.tenant_uid, tail.next_index, patience_s))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait([grown, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            grown.cancel()
            ending.cancel()


class _Tail:
    """How far one tail has come. ``range`` is None until it is known where it begins."""

    def __init__(self, audit: AuditService, call: Call, request: v1.TailRequest, send: Send) -> None:
        self._read = partial(audit.read, call.caller.tenant_uid)
        self._request = request
        self._send = send
        self.range: Range | None = None
        self.heartbeat_at = 0.0

    @property
    def next_index(self) -> int:
        """Everything before has been read."""
        return self.range.next if self.range else 0

    async def begin(self) -> None:
        """Find out where to begin."""
        start = await self._read(lambda log: begin(log, self._request), time.monotonic() + _READ_S)
        self.range = Range(start, start, 0)

    async def go_on(self) -> bool:
        """Read what has come, and send what matches of it, or a sign of life; whether there was anything to read."""
        before = self.next_index
        batch = await self._read(lambda log: next_batch(log, self._request, before), time.monotonic() + _READ_S)
        if self.range:  # also if it is cut off while it is sent: it may have arrived
            self.range = Range(self.range.start, batch.next_index, self.range.sent + len(batch.entries))
        if batch.entries or time.monotonic() >= self.heartbeat_at:
            await self._send(batch.SerializeToString())
            self.heartbeat_at = time.monotonic() + HEARTBEAT_S
        return batch.next_index > before
