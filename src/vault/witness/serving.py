"""The witness over HTTP: ``POST /add-checkpoint`` and ``GET /<sha256 of origin>/checkpoint``."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

from aiohttp import web

from vault.http_bounds import LIMITS, BoundedConnections
from vault.witness.errors import OutdatedError, RefusedError, WitnessError
from vault.witness.witness import Witness

MAX_BODY = 256 * 1024
"""Bytes of a submission: 16 signatures of any kind fit."""
MAX_CONNECTIONS = 512
MAX_OF_ONE = 64
"""Connections of one address; a submission takes one, and the proxy that a witness may stand behind some."""

_READ_S = 10.0
_SHUTDOWN_S = 5.0
_HANDSHAKE_S = 5.0
_SIZE_TYPE = "text/x.tlog.size"


def application(witness: Witness, tell: Callable[[str], None]) -> web.Application:
    """The web application of one witness; ``tell`` is told what only the operator can mend."""

    async def add_checkpoint(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READ_S):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        try:
            return _text(200, await asyncio.to_thread(witness.add_checkpoint, body))
        except OutdatedError as refusal:
            return web.Response(status=refusal.status, body=str(refusal).encode(), headers={"Content-Type": _SIZE_TYPE})
        except RefusedError as refusal:
            return _text(refusal.status, str(refusal))
        except (WitnessError, OSError) as error:
            return _broken(error)

    async def checkpoint(request: web.Request) -> web.Response:
        try:
            note = await asyncio.to_thread(witness.newest_note, request.match_info["origin_hash"])
        except OSError as error:
            return _broken(error)
        return _text(200, note) if note else _text(404, "no checkpoint of this log was cosigned\n")

    def _broken(error: Exception) -> web.Response:
        tell(f"state: {error}")
        return _text(500, "the witness can't use its state, so it cosigns nothing; its operator knows more\n")

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.post("/add-checkpoint", add_checkpoint), web.get("/{origin_hash:[0-9a-f]{64}}/checkpoint", checkpoint)])
    return app


def tls_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """TLS 1.3 with this certificate.

    Raises:
        WitnessError: certificate and key do not load.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate_file, key_file)
    except (OSError, ssl.SSLError):
        raise WitnessError(f"{certificate_file} and {key_file} are no PEM certificate and its key") from None
    return context


async def serve(app: web.Application, host: str, port: int, tls: ssl.SSLContext | None, ready: Callable[[int], None]) -> None:
    """Answer until SIGTERM or SIGINT.

    Args:
        app: of ``application``.
        host: to listen at.
        port: to listen at; 0 is any.
        tls: None for plain HTTP.
        ready: told the port, once requests are taken.

    Raises:
        OSError: the address can't be used.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S, **LIMITS)
    await runner.setup()
    connections = BoundedConnections(  # after setup there is a server
        cast(web.Server, runner.server), in_all=MAX_CONNECTIONS, of_one=MAX_OF_ONE
    )
    patience = _HANDSHAKE_S if tls else None
    try:
        listener = await loop.create_server(
            connections, host, port, ssl=tls, ssl_handshake_timeout=patience, ssl_shutdown_timeout=patience
        )
        ready(listener.sockets[0].getsockname()[1])
        await stopped.wait()
        listener.close()
    finally:
        await runner.cleanup()


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/plain", charset="utf-8")
