"""Erasures beyond their first transaction: key ids noted in the KMS, everything removed, looked back at. And what was left behind.

Each step may be done again, by any node: what a killed node, an absent KMS or a lost database left undone, the next round of any
node does.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog

from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError
from vault.server.dispatcher import Dispatcher
from vault.server.metrics import Metrics
from vault.server.node import Node
from vault.store import erasures
from vault.store.blanking import blank_next
from vault.store.erasing import erase_part
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.rotation.turnstile import stands_still
from vault.store.rows import ErasureRow
from vault.store.runner import Answer, Call
from vault.store.sealing import check
from vault.store.states import ErasureState, TenantState
from vault.subjects.destroyed_note import note_of
from vault.subjects.erasure_statement import Promises, is_large
from vault.subjects.finish_erasure import FinishErasure
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import ErasureStatement

log = structlog.get_logger(__name__)

EVERY_S = 3.0
LEFT_BEHIND_S = 5.0
"""An erasure that is older is finished by whoever sees it: the call that began it has most likely ended."""
SQLITE_CLEAN_S = 60.0
"""What is promised of an SQLite file: it is cleaned right after each erasure, and again until nobody reads what was before."""
_AT_ONCE = 16
_BETWEEN_LOOKS = 50
"""Erasures after which it is written down how far they are."""
_THREADS = 4
_TRIES = 3

Result = TypeVar("Result")


class Eraser:
    """Finishes erasures. Used on the event loop only; what blocks is done on threads of its own."""

    def __init__(
        self,
        node: Node,
        submit: "Callable[[Call, int], Future[Answer]]",
        dispatcher: Dispatcher,
        metrics: Metrics,
    ) -> None:
        """Make it; nothing is read yet."""
        self._node = node
        self._submit = submit
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="erasing")
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._woken = asyncio.Event()
        self._is_clean = False
        clean_after_s = SQLITE_CLEAN_S if node.config.database.sqlite_file else node.config.erasure.clean_after_s
        self._promises = Promises(clean_after_s, node.config.limits.key_cache_ttl_s, node.key_manager.proves_destruction)

    @contextlib.asynccontextmanager
    async def resuming(self) -> AsyncIterator[None]:
        """Finish what is left behind, every few seconds."""
        task = asyncio.create_task(self._resume())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()

    async def finish(self, tenant_uid: bytes, erasure_uid: bytes) -> ErasureRow:
        """Do what is left to do of an erasure; the row of it, done. May be cut off anywhere and done again.

        Raises:
            VaultError: KMS or database refuse or do not answer; TENANT_SEALED, and nothing is done before the seal is lifted;
                INTEGRITY, if its row was altered or something is left.
        """
        async with self._gate:
            row = await self.row(tenant_uid, erasure_uid)
            return await self._finish(row) if row.state == ErasureState.BEGUN else row

    async def row(self, tenant_uid: bytes, erasure_uid: bytes) -> ErasureRow:
        """An erasure's row, checked.

        Raises:
            VaultError: INTEGRITY; KMS or database refuse or do not answer.
        """
        row = await self._in_thread(erasures.read, self._node.engine, tenant_uid, erasure_uid)
        if row is None:
            raise VaultError(common_pb2.ERROR_REASON_INTEGRITY, "the row of an erasure is missing; the operator must investigate")
        check((await self._dispatcher.keys_of(tenant_uid)).authority, row)
        return row

    def wake(self) -> None:
        """Look for what there is to finish at once."""
        self._woken.set()

    async def _finish(self, row: ErasureRow) -> ErasureRow:
        if not (await self._dispatcher.keys_of(row.tenant_uid)).epochs:
            raise stands_still(TenantState.SEALED)
        await self._in_thread(self._node.key_manager.note_destroyed, row.tenant_uid, row.uid, note_of(row))
        while await self._in_thread(blank_next, self._node.engine, row.tenant_uid, [row.subject_uid]):
            pass
        if is_large(ErasureStatement.FromString(row.statement)):
            while await self._in_thread(erase_part, self._node.engine, row.tenant_uid, row.subject_uid):
                pass
        kek = await self._in_thread(self._node.key_manager.kek, row.tenant_uid)
        await self._run(FinishErasure(row, self._promises, kek))
        row = await self.row(row.tenant_uid, row.uid)
        if row.state == ErasureState.BEGUN:
            raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "other calls kept changing the same rows; retry the call")
        left = await self._rows_left(row.tenant_uid, row.subject_uid)
        if left:
            self._metrics.erasures_unclean.inc()
            log.error("something is left of an erased subject", tenant=row.tenant_uid.hex(), size=sum(left.values()))
            raise VaultError(
                common_pb2.ERROR_REASON_INTEGRITY,
                f"the erasure {row.uid.hex()} is done, and yet rows are left in {', '.join(left)}; the operator must investigate",
            )
        await self._clean()
        return row

    async def _rows_left(self, tenant_uid: bytes, subject_uid: bytes) -> dict[str, int]:
        """How many rows of a subject are left, by table."""
        return await self._in_thread(erasures.read_back, self._node.engine, tenant_uid, subject_uid)

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        """What work that blocks comes to.

        Raises:
            VaultError: the database refuses or does not answer.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except DATABASE_ERRORS as error:
            raise translate(error) from None

    async def _clean(self) -> None:
        """Have the files hold nothing of it; if that can't be done now, in the next round."""
        self._is_clean = False
        with contextlib.suppress(VaultError):
            self._is_clean = await self._in_thread(erasures.clean_files, self._node.engine)

    async def _run(self, act: FinishErasure) -> None:
        for _ in range(_TRIES):
            await self._dispatcher.keys_of(act.caller.tenant_uid)
            answer = await asyncio.wrap_future(self._submit(act, 1))
            if isinstance(answer, VaultError) and answer.reason != common_pb2.ERROR_REASON_CONFLICT:
                raise answer
            if not isinstance(answer, KeysMissingError):
                return  # done, by this node or by another that was faster: the row says
        raise VaultError(common_pb2.ERROR_REASON_CONFLICT, "the tenant's keys kept changing; retry the call")

    async def _resume(self) -> None:
        while True:
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001  nothing is lost: what is begun stays begun, and is tried again
                log.warning("erasures could not be looked for; it is tried again", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), EVERY_S)
            self._woken.clear()

    async def round(self) -> None:
        """Finish what others began, in an order of this node's own, so that two nodes seldom meet."""
        if not self._is_clean:
            await self._clean()
        found = await self._in_thread(erasures.begun, self._node.engine, LEFT_BEHIND_S)
        self._metrics.erasures_begun.set(len(found))
        random.shuffle(found)
        for start in range(0, len(found), _BETWEEN_LOOKS):
            some = found[start : start + _BETWEEN_LOOKS]
            ended = await asyncio.gather(*(self.finish(*one) for one in some), return_exceptions=True)
            _tell([(one.tenant_uid, error) for one, error in zip(some, ended, strict=True) if isinstance(error, BaseException)])
            await self._note_progress()
        if not found:
            await self._note_progress()

    async def _note_progress(self) -> None:
        """Write down how far bulk erasures are; one that a killed node had finished ends here too."""
        engine, failed = self._node.engine, list[tuple[bytes, BaseException]]()
        for tenant_uid, operation_uid in await self._in_thread(erasures.bulk_under_way, engine):
            try:
                authority = (await self._dispatcher.keys_of(tenant_uid)).authority
                await self._in_thread(erasures.note_progress, engine, authority, tenant_uid, operation_uid)
            except VaultError as error:
                failed.append((tenant_uid, error))
        _tell(failed)


def _tell(failed: list[tuple[bytes, BaseException]]) -> None:
    """Log what could not be finished, once a tenant and reason."""
    reasons = [(uid, error.reason_name if isinstance(error, VaultError) else type(error).__name__) for uid, error in failed]
    for (tenant_uid, reason), count in Counter(reasons).items():
        log.warning("erasures can't be finished yet", tenant=tenant_uid.hex(), reason=reason, calls=count)
