"""The audit logs over HTTPS, in the layout of C2SP tlog-tiles: /<tenant uid in hex>/checkpoint, …/tile/… (docs/formats-log.md).

Bundles of entries are for auditors of the log's own tenant. So is everything else, unless the operator has made it public: then
checkpoints and tiles, which hold only hashes, are for everybody. Whoever must be an auditor calls through the lane like any
caller, and the event of it is committed before the file is read.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import structlog
from aiohttp import web
from google.rpc import code_pb2

from vault.audit.actions import READ_ENTRIES, READ_HASHES
from vault.auditing.log import Published
from vault.errors import VaultError
from vault.http_bounds import break_off, while_it_is_taken
from vault.read_log_file import ReadLogFile, beyond_the_log
from vault.server.log_http.auditors import Auditors
from vault.server.log_http.bounds import Slots, send_refusal
from vault.server.log_http.files import Content, LogFiles, Wanted, parse_url_path
from vault.server.metrics import Metrics
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

T = TypeVar("T")

READING_THREADS = 2
"""Reads at once: they share the database's connections with calls."""
_METHODS = ("GET", "HEAD")
_STATUS = {
    code_pb2.INVALID_ARGUMENT: 404,
    code_pb2.OUT_OF_RANGE: 404,
    code_pb2.NOT_FOUND: 404,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.INTERNAL: 500,
}
"""HTTP status by canonical code; 503 for all others."""


class LogHttp:
    """Answers requests for logs' files."""

    def __init__(self, auditors: Auditors, files: LogFiles, metrics: Metrics, *, public: bool) -> None:
        """With ``public``, checkpoints and tiles are for everybody."""
        self._auditors = auditors
        self._files = files
        self._metrics = metrics
        self._public = public
        self._public_slots, self._auditors_slots = Slots(), Slots()
        self._threads = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="log-http")
        self._ending = False

    def end(self) -> None:
        """From now on refuse every request."""
        self._ending = True

    def close(self) -> None:
        """Wait for reads under way."""
        self._threads.shutdown()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        begin, action, outcome = time.monotonic(), READ_HASHES, "CALLER_GONE"
        try:
            try:
                wanted = _wanted(request)
                action = READ_ENTRIES if wanted.is_bundle else READ_HASHES
                answer, result = await self._answer(request, wanted, action), "OK"
            except VaultError as error:
                answer, result = await _refuse(request, error), error.reason_name
            except ConnectionError:
                raise
            except Exception as unforeseen:  # noqa: BLE001  its text could hold anything: only its type is logged
                log.error("unforeseen error while a log was served", method=action, error=type(unforeseen).__name__)
                internal = VaultError(common_pb2.ERROR_REASON_INTERNAL, "an error nobody foresaw; the operator's log names it")
                answer, result = await _refuse(request, internal), internal.reason_name
            outcome = result
            return answer
        finally:
            self._metrics.calls.labels(action, outcome).inc()
            self._metrics.seconds.labels(action).observe(time.monotonic() - begin)

    async def _answer(self, request: web.BaseRequest, wanted: Wanted, action: str) -> web.StreamResponse:
        if self._public and not wanted.is_bundle:
            self._check_not_ending()
            with self._public_slots.taken_by(str(request.remote)):
                return await self._send(request, wanted, await self._published(wanted))
        caller = self._auditors.caller(request, action)
        with ExitStack() as under_way:
            with self._auditors.unheard.counting(caller, action):
                self._check_not_ending()
                under_way.enter_context(self._auditors_slots.taken_by(caller.certificate_sha256, caller.tenant_uid))
                published = await self._published(wanted) if caller.tenant_uid == wanted.log_uid else None
            await self._auditors.admit(caller, ReadLogFile(action, wanted.log_uid, wanted.path, published is not None))
            return await self._send(request, wanted, published)

    def _check_not_ending(self) -> None:
        if self._ending:
            raise VaultError(common_pb2.ERROR_REASON_SHUTTING_DOWN, "the server is shutting down", retry_after_s=1.0)

    async def _published(self, wanted: Wanted) -> Published | None:
        """The log's newest published checkpoint, if it covers what is wanted."""
        published = await self._in_thread(lambda: self._files.published(wanted.log_uid))
        return published if published and (wanted.tile is None or wanted.tile.is_within(published.size)) else None

    async def _send(self, request: web.BaseRequest, wanted: Wanted, published: Published | None) -> web.StreamResponse:
        if published is None:
            raise beyond_the_log()
        content = await self._in_thread(lambda: self._content(wanted, published))
        if content is None:
            raise beyond_the_log()
        answer = web.StreamResponse(headers=self._headers(wanted))
        answer.content_length = content.length
        async with while_it_is_taken(request, content.length):
            await answer.prepare(request)
            for piece in content.pieces if request.method == "GET" else ():
                await answer.write(await self._piece(request, piece))
            await answer.write_eof()
        return answer

    async def _piece(self, request: web.BaseRequest, read: Callable[[], bytes]) -> bytes:
        """The next piece of an answer that is begun, so that it can't be refused any more."""
        try:
            return await self._in_thread(read)
        except VaultError as error:
            log.error("a log's file could not be read to its end", reason=error.reason_name)
            break_off(request)

    def _content(self, wanted: Wanted, published: Published) -> Content | None:
        if wanted.tile:
            return self._files.tile(wanted.log_uid, wanted.tile)
        if wanted.cosigned:
            return self._files.cosigned_checkpoint(wanted.log_uid)
        return self._files.checkpoint(wanted.log_uid, published)

    def _headers(self, wanted: Wanted) -> dict[str, str]:
        """Tiles never change. Whatever only auditors may read is kept in no cache that others share, and entries in none at all."""
        if wanted.tile is None:
            kind, caching = "text/plain; charset=utf-8", "no-cache"
        elif wanted.is_bundle:
            kind, caching = "application/octet-stream", "no-store"
        else:
            kind, caching = "application/octet-stream", f"{'public' if self._public else 'private'}, max-age=31536000, immutable"
        return {"Content-Type": kind, "Cache-Control": caching, "X-Content-Type-Options": "nosniff", "Server": "pdvault"}

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _wanted(request: web.BaseRequest) -> Wanted:
    if request.method not in _METHODS:
        raise VaultError(common_pb2.ERROR_REASON_MALFORMED_REQUEST, "only GET and HEAD are answered")
    return parse_url_path(request.raw_path)


async def _refuse(request: web.BaseRequest, error: VaultError) -> web.StreamResponse:
    if request.method not in _METHODS:
        return await send_refusal(request, error, 405, Allow=", ".join(_METHODS))
    return await send_refusal(request, error, _STATUS.get(error.code, 503))
