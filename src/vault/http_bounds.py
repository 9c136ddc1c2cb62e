"""How much strangers may have open at an HTTP server, so that nobody uses it up by holding connections.

Connections are few, heads are small and must come quickly, bodies that nobody reads are not waited for, and answers must be taken.
What the servers of the vault and of the witness have in common; how many connections each of them takes is its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, cast

from aiohttp import web

IDLE_S = 10.0
"""Within this time of its beginning, or of its last answer, a connection must have brought a whole request head."""
MAX_LINE = 1024
"""Bytes of a request line. The longest path of a log has some 80."""
MAX_HEADER = 4096
"""Bytes of one header."""
MAX_HEADERS = 32
SENDING_S = 10.0
MIN_BYTES_PER_S = 32 * 1024
"""A client that takes an answer more slowly, beyond ``SENDING_S``, is dropped."""

LIMITS: Final[dict[str, Any]] = {
    "keepalive_timeout": IDLE_S,
    "lingering_time": 0.0,
    "max_line_size": MAX_LINE,
    "max_field_size": MAX_HEADER,
    "max_headers": MAX_HEADERS,
    "auto_decompress": False,
    "access_log": None,
}
"""Of aiohttp's connections."""


class BoundedConnections:
    """Makes the protocols of new connections to aiohttp's server, and hangs up on those that are too many."""

    def __init__(self, server: web.Server, *, in_all: int, of_one: int) -> None:
        """Take at most ``in_all`` connections at once, and at most ``of_one`` from the same address."""
        self._server = server
        self._in_all = in_all
        self._of_one = of_one

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Door(self)

    def has_room(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a connection may be taken beside those that are there."""
        address, connections = _address(transport), self._server.connections
        of_one = sum(_address(other.transport) == address for other in connections)
        return of_one < self._of_one and len(connections) < self._in_all

    def protocol(self) -> asyncio.Protocol:
        """The protocol of aiohttp, for a connection that is taken."""
        return self._server()


class _Door(asyncio.Protocol):
    """Sees who comes, and gives way to aiohttp's protocol at once."""

    def __init__(self, connections: BoundedConnections) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        both = cast(asyncio.Transport, transport)
        if not self._connections.has_room(both):
            both.abort()
            return
        protocol = self._connections.protocol()
        both.set_protocol(protocol)
        protocol.connection_made(transport)


def _address(transport: asyncio.BaseTransport | None) -> object:
    peer = transport.get_extra_info("peername") if transport else None
    return peer[0] if peer else None


@asynccontextmanager
async def while_it_is_taken(request: web.BaseRequest, length: int) -> AsyncIterator[None]:
    """For the block that sends an answer of so many bytes: it ends when the client has taken most of it, or is dropped.

    Only whoever drains is held up by a client that does not read; without that, answers pile up in memory.

    Raises:
        ConnectionError: the client did not take it in time.
    """
    try:
        async with asyncio.timeout(SENDING_S + length / MIN_BYTES_PER_S):
            yield
            await request.writer.drain()
    except TimeoutError:
        break_off(request)


def break_off(request: web.BaseRequest) -> NoReturn:
    """Hang up in the middle of an answer, so that the client notices.

    Raises:
        ConnectionError: always.
    """
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError("the answer could not be ended")
