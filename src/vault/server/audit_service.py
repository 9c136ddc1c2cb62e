"""Reading logs for auditors whose calls were admitted: outside of the lane, on threads and connections of its own.

So whatever an auditor asks holds up no call. Each piece of work sees one snapshot of the database, and a tenant has a few pieces
under way at once, however many it asks for.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import sqlalchemy as sa

from vault.audit.note import Verifier
from vault.auditing import cosign
from vault.auditing.log import AuditLog
from vault.call import check_size
from vault.errors import VaultError
from vault.server.audit_methods import ANSWERS, METHODS
from vault.store import engine as engines
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log import cosignatures
from vault.store.log.queries import LogQueries, sizes
from vault.store.log.rows import CosignatureRow
from vault.store.reading.group import fetch
from vault.store.reads import Head, Reads, Rows
from vault.v1 import audit_service_pb2 as v1
from vault.v1 import common_pb2

THREADS = 4
_LOOK_S = 5.0
"""For what is read of few rows. That has a thread of its own: all tails depend on it, whatever others read meanwhile."""
EACH_TENANT = 2
"""Pieces of work of one tenant at once."""

Result = TypeVar("Result")

_REQUESTS = {method.name: method.request for method in METHODS}


class AuditService:
    """Reads logs. Close it when done."""

    def __init__(
        self, engine: sa.Engine, keeping: sa.Engine, public_key: Callable[[bytes], bytes], witnesses: Sequence[Verifier]
    ) -> None:
        """Make it.

        Args:
            engine: of the role by which calls are served.
            keeping: of the role that keeps the logs, for cosignatures.
            public_key: of a tenant's log, 32 bytes, as the KMS has it.
            witnesses: the configured witnesses' keys.
        """
        self._engine = engines.apart(engine)
        self._keeping = keeping
        self._public_key = public_key
        self._witnesses = witnesses
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="audit")
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="audit-look")
        self._turns = _Turns()

    async def answer(self, action: str, tenant_uid: bytes, resolved: bytes, deadline: float) -> bytes:
        """The serialised response to a request that was admitted.

        Args:
            action: the method's name.
            tenant_uid: whose log.
            resolved: the request as the lane answered it.
            deadline: monotonic seconds.

        Raises:
            VaultError: the refusal.
        """
        request = _REQUESTS[action].FromString(resolved)
        if isinstance(request, v1.AddCosignatureRequest):
            return (await self._add_cosignature(tenant_uid, request, deadline)).SerializeToString()
        answer = (await self.read(tenant_uid, lambda log: ANSWERS[action](log, request), deadline)).SerializeToString()
        check_size(answer)
        return answer

    async def read(self, tenant_uid: bytes, work: Callable[[AuditLog], Result], deadline: float) -> Result:
        """What ``work`` makes of a tenant's log, in one snapshot.

        Raises:
            VaultError: the refusal.
        """

        def read(connection: sa.Connection) -> Result:
            return work(AuditLog(LogQueries(connection, tenant_uid), self._public_key, self._witnesses, deadline))

        async with self._turns.of(tenant_uid):
            return await self._done(self._threads.submit(self._read, read, deadline))

    async def admission_rows(self, head: Head) -> Rows:
        """The rows by which a call would be admitted now.

        Raises:
            VaultError: the database does not answer.
        """

        def read(connection: sa.Connection) -> Rows:
            (rows,) = fetch(connection, [(head, Reads())])
            return rows

        return await self._look(read)

    async def sizes(self, tenant_uids: Collection[bytes]) -> dict[bytes, int]:
        """How many entries these logs have.

        Raises:
            VaultError: the database does not answer.
        """
        return await self._look(lambda connection: sizes(connection, tenant_uids))

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()
        self._looking.shutdown()
        self._engine.dispose()

    async def _add_cosignature(
        self, tenant_uid: bytes, request: v1.AddCosignatureRequest, deadline: float
    ) -> v1.AddCosignatureResponse:
        """Verified by one who may only read, stored by one who may not read anybody's data."""
        rows = await self.read(tenant_uid, lambda log: cosign.verified(log, request), deadline)
        stored = await asyncio.get_running_loop().run_in_executor(self._threads, self._record, rows)
        return v1.AddCosignatureResponse(witnesses=stored)

    def _record(self, rows: Sequence[CosignatureRow]) -> list[str]:
        """Store what is not older than what is there; the names of those witnesses."""
        try:
            return [row.witness for row in rows if cosignatures.record(self._keeping, row)]
        except DATABASE_ERRORS as error:
            raise translate(error) from None

    async def _look(self, read: Callable[[sa.Connection], Result]) -> Result:
        deadline = time.monotonic() + _LOOK_S
        return await asyncio.get_running_loop().run_in_executor(self._looking, self._read, read, deadline)

    @staticmethod
    async def _done(work: "Future[Result]") -> Result:
        """What work in a thread comes to.

        Who goes away meanwhile has gone once it has ended: nobody stops a thread, and its tenant would have more of them by calling
        and hanging up than by waiting.
        """
        ended = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            work.cancel()  # if no thread has begun with it
            while not ended.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([ended])
            raise

    def _read(self, read: Callable[[sa.Connection], Result], deadline: float) -> Result:
        left = deadline - time.monotonic()
        if left <= 0:
            raise VaultError(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed before the log was read")
        try:
            with engines.reading(self._engine, left) as connection:
                return read(connection)
        except DATABASE_ERRORS as error:
            raise translate(error) from None


class _Turns:
    """Each tenant's turns, for as long as it wants any. Used on the event loop only."""

    def __init__(self) -> None:
        self._gates = defaultdict[bytes, asyncio.Semaphore](lambda: asyncio.Semaphore(EACH_TENANT))
        self._wanted = defaultdict[bytes, int](int)

    @asynccontextmanager
    async def of(self, tenant_uid: bytes) -> AsyncIterator[None]:
        """One turn of a tenant."""
        self._wanted[tenant_uid] += 1
        try:
            async with self._gates[tenant_uid]:
                yield
        finally:
            self._wanted[tenant_uid] -= 1
            if not self._wanted[tenant_uid]:
                del self._wanted[tenant_uid], self._gates[tenant_uid]
