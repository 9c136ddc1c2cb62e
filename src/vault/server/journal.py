"""What a server itself says in the logs: that it starts and stops, and once a minute which calls have no event of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from importlib.metadata import PackageNotFoundError, version

import structlog

from vault.administration import Notice
from vault.audit.actions import NODE_STARTED, NODE_STOPPING, UNAUTHENTICATED_CALLS
from vault.audit.events import SYSTEM_TENANT
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError
from vault.server.node import Node
from vault.server.unheard import Unheard
from vault.store.runner import Answer, Call
from vault.v1 import audit_pb2

log = structlog.get_logger(__name__)

EVERY_S = 60.0
_PATIENCE_S = 10.0
_LAST_PATIENCE_S = 2.0
"""For each of the last words: a database that does not answer must not keep the server from ending."""


class Journal:
    """Writes through the lane, like calls. Used on the event loop only."""

    def __init__(self, node: Node, unheard: Unheard, submit: "Callable[[Call, int], Future[Answer]]") -> None:
        self._node = node
        self._unheard = unheard
        self._submit = submit
        self._details = {"version": _version()}
        self._announced = b""
        self._ending = asyncio.Event()

    @contextlib.asynccontextmanager
    async def kept(self, address: str) -> AsyncIterator[None]:
        """Keep it while the server answers at ``address``."""
        self._details["address"] = address
        await self.announce()
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._ending.set()
            await task  # not cancelled: what it is just writing would be told twice
            await self._close()

    async def announce(self) -> None:
        """Say which boot writes this node's events from now on, unless that is said: one began with an uncertain commit, too."""
        boot_id, _ = self._node.boot()
        if boot_id != self._announced and await self._say(SYSTEM_TENANT, NODE_STARTED, self._details):
            self._announced = boot_id

    async def tell(self) -> None:
        """Tell of the calls without events, in each log of its own; what can't be told now is told later."""
        for tally in self._unheard.tallies():
            denied = tally.action == UNAUTHENTICATED_CALLS
            decision = audit_pb2.DECISION_DENIED if denied else audit_pb2.DECISION_FAILED
            details = {name: str(count) for name, count in tally.counts.items()}
            if await self._say(tally.tenant_uid, tally.action, details, decision):
                self._unheard.told(tally)

    async def _close(self) -> None:
        """The last words."""
        await self.tell()
        await self._say(SYSTEM_TENANT, NODE_STOPPING, {})
        for tally in self._unheard.tallies():
            log.error("refused calls are in no log", tenant=tally.tenant_uid.hex(), calls=sum(tally.counts.values()))

    async def _keep(self) -> None:
        while not await self._ends_within(EVERY_S):
            try:
                await self.announce()
                await self.tell()
            except Exception as error:  # noqa: BLE001  nothing is lost: it is still counted, and tried again
                log.warning("the server's own events could not be written", error=type(error).__name__)

    async def _ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self._ending.wait(), seconds)
        return False

    async def _say(
        self, tenant_uid: bytes, action: str, details: dict[str, str], decision: int = audit_pb2.DECISION_ALLOWED
    ) -> bool:
        """Write one event; whether it is committed."""
        await self._load_keys(tenant_uid)
        patience_s = _LAST_PATIENCE_S if self._ending.is_set() else _PATIENCE_S
        try:
            notice = Notice(tenant_uid, action, details, decision=decision, patience_s=patience_s)
            answer = await asyncio.wrap_future(self._submit(notice, 0))
        except VaultError as error:
            answer = error
        if isinstance(answer, VaultError):
            log.warning("the server's own events could not be written", tenant=tenant_uid.hex(), reason=answer.reason_name)
        return answer == b""

    async def _load_keys(self, tenant_uid: bytes) -> None:
        """Have the boot endorsed by the log's key, if that is to be had: not at the end, when there is no time to wait for it."""
        try:
            self._node.keys.get(tenant_uid)
        except KeysMissingError:
            if not self._ending.is_set():
                with contextlib.suppress(VaultError):
                    self._node.keys.put(await asyncio.to_thread(self._node.loader.load, tenant_uid))


def _version() -> str:
    try:
        return version("pdvault")
    except PackageNotFoundError:  # run from its sources
        return "unknown"
