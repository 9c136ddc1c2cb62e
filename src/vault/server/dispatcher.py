"""Between event loop and lane: hands calls in, and fetches missing keys once for all calls that wait for them.

Keys are fetched on threads of their own, so that a slow KMS holds up only the tenants whose keys are missing.
"""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import structlog

from vault.call import Call
from vault.errors import VaultError
from vault.kms.tenant_keys import KeyCache, KeysMissingError, TenantKeys
from vault.server.lane import Lane
from vault.server.metrics import Metrics
from vault.server.refusals import Refusals
from vault.server.unheard import Unheard
from vault.store.key_loader import KeyLoader
from vault.store.runner import CALLER_GONE, Answer
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

MAX_FETCHES = 3
"""How often one call may wait for keys."""


class Dispatcher:
    """Runs calls to their answer."""

    def __init__(self, lane: Lane, loader: KeyLoader, keys: KeyCache, metrics: Metrics, unheard: Unheard) -> None:
        self._lane = lane
        self._loader = loader
        self._keys = keys
        self._metrics = metrics
        self._unheard = unheard
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="keys")
        self._fetches: dict[bytes, asyncio.Task[None]] = {}
        self._refusals = Refusals()

    async def run(self, call: Call, weight: int) -> bytes:
        """The serialised response.

        Raises:
            VaultError: the refusal.
        """
        for _ in range(MAX_FETCHES):
            answer = await self._run(call, weight)
            if isinstance(answer, bytes):
                return answer
            if isinstance(answer, VaultError):
                raise answer
            with self._unheard.counting(call.caller, call.action):
                call = await self._with_keys(call, answer)
        with self._unheard.counting(call.caller, call.action):
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys kept changing; retry the call")

    async def keys_of(self, tenant_uid: bytes) -> TenantKeys:
        """A tenant's keys, fetched if they are not in memory.

        Raises:
            VaultError: they can't be had.
        """
        try:
            return self._keys.get(tenant_uid)
        except KeysMissingError:
            await asyncio.shield(self._fetch(tenant_uid))
        try:
            return self._keys.get(tenant_uid)
        except KeysMissingError:  # dropped again at once
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys kept changing; retry the call") from None

    def close(self) -> None:
        """Wait for fetches under way."""
        self._threads.shutdown()

    async def _run(self, call: Call, weight: int) -> Answer:
        running = self._lane.submit(call, weight)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:  # what is running already runs to its end, and may then wait for keys in vain
            running.add_done_callback(lambda ended: self._count_if_given_up(call, ended))
            raise

    def _count_if_given_up(self, call: Call, ended: "Future[Answer]") -> None:
        if not ended.cancelled() and isinstance(ended.result(), KeysMissingError):
            self._unheard.refused(call, CALLER_GONE)

    async def _with_keys(self, call: Call, missing: KeysMissingError) -> Call:
        """The call to hand in again: as it was, or, if its keys can't be had, as a refusal that is still audited."""
        remaining = call.deadline - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, remaining)):
                await asyncio.shield(self._fetch(missing.tenant_uid))
        except TimeoutError:
            error = VaultError(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed while the KMS was asked for keys")
            return replace(call, without_keys=error, deadline=time.monotonic() + 1.0)
        except VaultError as error:
            return replace(call, without_keys=error)
        return call

    def _fetch(self, tenant_uid: bytes) -> "asyncio.Task[None]":
        task = self._fetches.get(tenant_uid)
        if task is None:
            task = self._fetches[tenant_uid] = asyncio.create_task(self._load(tenant_uid))
            task.add_done_callback(lambda done: self._forget(tenant_uid, done))
        return task

    def _forget(self, tenant_uid: bytes, done: "asyncio.Task[None]") -> None:
        self._fetches.pop(tenant_uid, None)
        if not done.cancelled():
            done.exception()  # seen by whoever waits; asked for here too, so that nobody waiting is no warning

    async def _load(self, tenant_uid: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._refusals.check(tenant_uid)
        try:
            keys = await loop.run_in_executor(self._threads, self._loader.load, tenant_uid)
        except VaultError as error:
            self._refusals.note(tenant_uid, error)
            self._metrics.key_loads.labels(error.reason_name).inc()
            log.warning("a tenant's keys can't be had", tenant=tenant_uid.hex(), reason=error.reason_name)
            raise
        self._metrics.key_loads.labels("OK").inc()
        self._keys.put(keys)
