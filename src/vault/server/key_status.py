"""What Status tells of a tenant's keys beyond its call: counted outside of the lane, on a thread and in a snapshot of its own."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from vault.call import Call
from vault.errors import VaultError
from vault.keys import status
from vault.kms.key_manager import KeyManager
from vault.server.edge import Flow
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.key_usage import usage
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

_THREADS = 2


class KeyStatus:
    """Counts what hangs on tenants' keys. Close it when done."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager) -> None:
        """Make it.

        Args:
            engine: of the role by which calls are served.
            key_manager: the KMS, which knows the KEK's versions.
        """
        self._engine = engine
        self._key_manager = key_manager
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="key-status")

    @property
    def flows(self) -> Mapping[str, Flow]:
        """What follows the first transaction, by method."""
        return {status.ACTION: self._tell}

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()

    async def _tell(self, call: Call, answer: bytes) -> bytes:
        response = v1.StatusResponse.FromString(answer)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(max(0.0, call.deadline - time.monotonic())):
                return await loop.run_in_executor(self._threads, self._told, call.caller.tenant_uid, response, call.deadline)
        except TimeoutError:
            raise _too_late() from None

    def _told(self, tenant_uid: bytes, response: v1.StatusResponse, deadline: float) -> bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise _too_late()
        try:
            counted = usage(self._engine, tenant_uid, left_s)
        except DATABASE_ERRORS as error:
            raise translate(error) from None
        status.tell(response, counted, self._key_manager.kek(tenant_uid))
        response.proves_destruction = self._key_manager.proves_destruction
        return response.SerializeToString()


def _too_late() -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed while keys were counted; set a later one")
