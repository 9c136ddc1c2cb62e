"""An HTTPS proxy before a real OpenBao that fails on purpose: gone, sealed, slow, denying, rate-limiting, changed at any time.

It sees every key that OpenBao gives the vault. For tests only.
"""

import asyncio
import ssl
import threading
from collections.abc import Set
from pathlib import Path
from types import TracebackType
from typing import Final

from aiohttp import ClientSession, web

from vault.server.faults.catalogue import SLOW_KMS_S, Fault

RETRY_AFTER_S: Final = 2
_REFUSALS: Final = {
    Fault.KMS_SEALED: (503, {}, b'{"errors":["Vault is sealed"]}\n'),
    Fault.KMS_DENIED: (403, {}, b'{"errors":["permission denied"]}\n'),
    Fault.KMS_RATE_LIMITED: (429, {"Retry-After": str(RETRY_AFTER_S)}, b'{"errors":["rate limit quota exceeded"]}\n'),
}
"""Status, headers and body: OpenBao's own, but for ``Retry-After``, which its listeners send only if told to."""
_HOP_BY_HOP: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "content-encoding"})


class KmsProxy:
    """Serves inside the ``with`` block.

    Args:
        target: OpenBao's address.
        tls: the folder with ``ca.pem``, ``server.pem`` and ``server.key``: those of OpenBao, whose place it takes.
    """

    def __init__(self, target: str, tls: Path) -> None:
        self.faults: Set[Fault] = frozenset()
        """What goes wrong from now on, for requests under way too."""
        self.requests: list[str] = []
        """Method and path of each, as it came."""
        self.address = ""
        self._target = target
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="KMS proxy", daemon=True)

    def __enter__(self) -> "KmsProxy":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._client = ClientSession(auto_decompress=False)
        self._trust = ssl.create_default_context(cafile=self._tls / "ca.pem")
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(self._tls / "server.pem", self._tls / "server.key")
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=served)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"https://{host}:{port}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if Fault.KMS_SLOW in self.faults:
            await asyncio.sleep(SLOW_KMS_S)
        if Fault.KMS_DOWN in self.faults and request.transport:
            request.transport.abort()
            return web.Response()
        for fault, (status, headers, body) in _REFUSALS.items():
            if fault in self.faults:
                return web.Response(status=status, headers=headers, body=body, content_type="application/json")
        return await self._pass_on(request)

    async def _pass_on(self, request: web.BaseRequest) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        sent = self._client.request(
            request.method,
            self._target + request.path_qs,
            headers=headers,
            data=await request.read(),
            ssl=self._trust,
            allow_redirects=False,
        )
        async with sent as answer:
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, headers=passed, body=await answer.read())
