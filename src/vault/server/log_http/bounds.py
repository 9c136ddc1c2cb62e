"""How much one reader of logs, and all of them together, may have under way, and how one is refused.

The bounds on connections are those of ``vault.http_bounds``.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from aiohttp import web

from vault.errors import VaultError
from vault.http_bounds import LIMITS, break_off, while_it_is_taken
from vault.v1 import common_pb2

_Key = TypeVar("_Key")

MAX_CONNECTIONS = 512
MAX_OF_ONE_ADDRESS = 64
"""Connections; many readers may come from behind one address."""
MAX_REQUESTS = 64
"""Under way at once; of those without and of those with a certificate."""
MAX_OF_ONE = 8
"""Under way at once for one certificate or, without one, one address."""
MAX_OF_TENANT = 16
"""Under way at once for all certificates of one tenant, so that no few tenants keep all others from reading."""
MAX_UNSENT = 128 * 1024
"""Bytes of answers that wait for one connection before it is waited for."""


class Slots:
    """Counts requests under way. Used on the event loop only."""

    def __init__(self) -> None:
        self._of_readers = Counter[str | bytes]()
        self._of_tenants = Counter[bytes]()

    @contextmanager
    def taken_by(self, reader: str | bytes, tenant_uid: bytes | None = None) -> Iterator[None]:
        """Count a request of a reader, and of its tenant if it has one, while it is under way.

        Raises:
            VaultError: OVERLOADED.
        """
        full = self._of_readers[reader] >= MAX_OF_ONE or self._of_readers.total() >= MAX_REQUESTS
        if full or (tenant_uid is not None and self._of_tenants[tenant_uid] >= MAX_OF_TENANT):
            raise VaultError(common_pb2.ERROR_REASON_OVERLOADED, "too many requests are under way", retry_after_s=1.0)
        with _counted(self._of_readers, reader), nullcontext() if tenant_uid is None else _counted(self._of_tenants, tenant_uid):
            yield


@contextmanager
def _counted(counts: Counter[_Key], key: _Key) -> Iterator[None]:
    counts[key] += 1
    try:
        yield
    finally:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]


class BoundedServer(web.Server):
    """aiohttp's server of one handler, with bounds on heads, and errors that say their reason only."""

    def __call__(self) -> asyncio.BaseProtocol:  # type: ignore[override]  # aiohttp names its own protocol
        """The protocol of a new connection."""
        return _Connection(self, loop=asyncio.get_running_loop(), **LIMITS)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MAX_UNSENT)  # type: ignore[attr-defined]  # a connection that was made is writable

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, or broke the handler; the library's own would repeat parts of it."""
        if request.writer.output_size:
            raise ConnectionError("an answer was begun, so the connection can only be broken off")
        reason = common_pb2.ERROR_REASON_MALFORMED_REQUEST if status < 500 else common_pb2.ERROR_REASON_INTERNAL
        answer = refusal(VaultError(reason, ""), status)
        answer.force_close()
        return answer


async def send_refusal(request: web.BaseRequest, error: VaultError, status: int, **headers: str) -> web.StreamResponse:
    """Refuse a request, unless an answer is begun.

    Raises:
        ConnectionError: it is, or the client did not take it in time.
    """
    if request.writer.output_size:
        break_off(request)
    answer = refusal(error, status)
    answer.headers.update(headers)
    async with while_it_is_taken(request, 0):
        await answer.prepare(request)
        await answer.write_eof()
    return answer


def refusal(error: VaultError, status: int) -> web.Response:
    """The answer that refuses: the reason's name in plain text, and no more."""
    headers = {"Cache-Control": "no-store", "Server": "pdvault"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return web.Response(status=status, text=f"{error.reason_name}\n", headers=headers)
