"""How much strangers may have open at a witness: it answers anybody, so nobody may use it up by holding connections."""

import asyncio
from typing import Any, Final, cast

from aiohttp import web

MAX_CONNECTIONS = 512
MAX_OF_ONE = 64
"""Connections of one address; a submission takes one, and the proxy that a witness may stand behind some."""
IDLE_S = 10.0
"""Within this time of its beginning, or of its last answer, a connection must have brought a whole request head."""

LIMITS: Final[dict[str, Any]] = {
    "keepalive_timeout": IDLE_S,
    "lingering_time": 0.0,
    "max_line_size": 1024,
    "max_field_size": 4096,
    "max_headers": 32,
    "auto_decompress": False,
}
"""Of aiohttp's connections; a body that nobody reads is not waited for."""


class BoundedConnections:
    """Makes the protocols of new connections to aiohttp's server, and hangs up on those that are too many."""

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Door(self._server)


class _Door(asyncio.Protocol):
    """Sees who comes, and gives way to aiohttp's protocol at once."""

    def __init__(self, server: web.Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        both = cast(asyncio.Transport, transport)
        address = _address(transport)
        of_one = sum(_address(other.transport) == address for other in self._server.connections)
        if of_one >= MAX_OF_ONE or len(self._server.connections) >= MAX_CONNECTIONS:
            both.abort()
            return
        protocol = self._server()
        both.set_protocol(protocol)
        protocol.connection_made(transport)


def _address(transport: asyncio.BaseTransport | None) -> object:
    peer = transport.get_extra_info("peername") if transport else None
    return peer[0] if peer else None
