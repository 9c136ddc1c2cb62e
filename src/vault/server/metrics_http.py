"""The metrics for Prometheus over plain HTTP, in the server's own event loop and within bounds.

Whoever reaches this port could otherwise end the vault by connections that say nothing: each would hold a thread and a descriptor.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from vault.http_bounds import LIMITS, BoundedConnections, while_it_is_taken
from vault.server.config import ConfigError
from vault.server.metrics import Metrics

MAX_CONNECTIONS = 64
MAX_OF_ONE = 16
"""Connections of one address."""
PATH = "/metrics"
_METHODS = ("GET", "HEAD")
_GOODBYE_S = 1.0


@contextlib.asynccontextmanager
async def metrics_served(metrics: Metrics, address: str) -> AsyncIterator[str]:
    """Serve the metrics for the time of the block, which gets the address.

    Raises:
        ConfigError: the address can't be listened on.
    """
    host, _, port = address.rpartition(":")
    server = web.Server(_Answering(metrics), **LIMITS)
    connections = BoundedConnections(server, in_all=MAX_CONNECTIONS, of_one=MAX_OF_ONE)
    try:
        listener = await asyncio.get_running_loop().create_server(connections, host.strip("[]"), int(port))
    except OSError:
        raise ConfigError(f"server.metrics_address: can't listen on {address}; it may be in use") from None
    try:
        yield f"{host}:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        server.pre_shutdown()
        await server.shutdown(_GOODBYE_S)


class _Answering:
    """Answers one request after the other: between two, the loop serves the vault's callers."""

    def __init__(self, metrics: Metrics) -> None:
        self._render = make_aiohttp_handler(metrics.registry, disable_compression=True)
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._answer(request)
        async with while_it_is_taken(request, answer.content_length or 0):
            await answer.prepare(request)
            await answer.write_eof()
        return answer

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in _METHODS:
            return web.Response(status=405, headers={"Allow": ", ".join(_METHODS)})
        if request.path != PATH:
            return web.Response(status=404, text=f"metrics are at {PATH}\n")
        async with self._one_at_a_time:
            await asyncio.sleep(0)
            return await self._render(cast(web.Request, request))  # it needs no more than headers and query
