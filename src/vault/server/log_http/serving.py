"""The HTTPS endpoint of the logs for the time that a server runs: opened, kept up with certificates and CAs, and ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import structlog

from vault.access.policy import PolicyEngine
from vault.audit.note import Verifier
from vault.http_bounds import BoundedConnections
from vault.server.config import ConfigError
from vault.server.dispatcher import Dispatcher
from vault.server.log_http.auditors import Auditors
from vault.server.log_http.bounds import MAX_CONNECTIONS, MAX_OF_ONE_ADDRESS, BoundedServer
from vault.server.log_http.files import LogFiles
from vault.server.log_http.site import LogHttp
from vault.server.log_http.tls import HttpsContext
from vault.server.metrics import Metrics
from vault.server.node import Node
from vault.server.trust import REFRESH_S, Trust
from vault.server.unheard import Unheard

log = structlog.get_logger(__name__)

_HANDSHAKE_S = 5.0
_GOODBYE_S = 2.0


@contextlib.asynccontextmanager
async def logs_served(
    node: Node,
    trust: Trust,
    policy: PolicyEngine,
    dispatcher: Dispatcher,
    metrics: Metrics,
    unheard: Unheard,
    witnesses: Sequence[Verifier],
) -> AsyncIterator[None]:
    """Serve the logs at ``log.address`` for the time of the block; do nothing if there is none.

    Raises:
        ConfigError: the address can't be listened on.
    """
    settings = node.config.log
    if settings.address is None:
        yield
        return
    context = HttpsContext(trust, node.config.server)
    auditors = Auditors(trust, policy, dispatcher, metrics, unheard)
    files = LogFiles(node.engine, node.gate.public_key, witnesses)
    answering = LogHttp(auditors, files, metrics, public=settings.public)
    server = BoundedServer(answering.handle, handler_cancellation=True)
    listener, address = await _listen(server, settings.address, context)
    refreshing = asyncio.create_task(_keep_fresh(context))
    log.info("serving logs", address=address)
    try:
        yield
    finally:
        answering.end()
        refreshing.cancel()
        listener.close()
        server.pre_shutdown()
        await server.shutdown(_GOODBYE_S)
        await asyncio.to_thread(answering.close)


async def _listen(server: BoundedServer, address: str, context: HttpsContext) -> tuple[asyncio.Server, str]:
    host, _, port = address.rpartition(":")
    try:
        listener = await asyncio.get_running_loop().create_server(
            BoundedConnections(server, in_all=MAX_CONNECTIONS, of_one=MAX_OF_ONE_ADDRESS),
            host.strip("[]"),
            int(port),
            ssl=context.listening,
            ssl_handshake_timeout=_HANDSHAKE_S,
            ssl_shutdown_timeout=_GOODBYE_S,
        )
    except OSError:
        raise ConfigError(f"log.address: can't listen on {address}; it may be in use") from None
    return listener, f"{host}:{listener.sockets[0].getsockname()[1]}"


async def _keep_fresh(context: HttpsContext) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        try:
            await asyncio.to_thread(context.refresh)
        except Exception as error:  # noqa: BLE001  the last good certificate stays in use
            log.warning("the certificate for serving logs can't be loaded anew", error=type(error).__name__)
