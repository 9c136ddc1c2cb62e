"""How much one certificate, and one tenant, may have under way before anything of it is parsed.

A principal is only known to be suspended, or without rights, once its rows are read; until then its requests cost memory and
time. So each certificate has few calls and bytes in flight, and each tenant is parsed one request at a time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.v1 import common_pb2

MAX_CALLS = 128
MAX_BYTES = 16 * 1024 * 1024


class InFlight:
    """Counts what is under way. Used on the event loop only."""

    def __init__(self) -> None:
        self._calls = Counter[bytes]()
        self._bytes = Counter[bytes]()
        self._parsing: dict[bytes, tuple[asyncio.Lock, int]] = {}

    @contextmanager
    def passing(self, caller: Caller, size: int) -> Iterator[None]:
        """Count a call of ``size`` bytes while it is under way.

        Raises:
            VaultError: OVERLOADED if this certificate has too much under way.
        """
        key = caller.certificate_sha256
        if self._calls[key] >= MAX_CALLS or (self._calls[key] and self._bytes[key] + size > MAX_BYTES):
            raise VaultError(
                common_pb2.ERROR_REASON_OVERLOADED,
                f"this certificate has {MAX_CALLS} calls or {MAX_BYTES} bytes of requests under way; wait for answers",
                retry_after_s=1.0,
            )
        self._calls[key] += 1
        self._bytes[key] += size
        try:
            yield
        finally:
            self._calls[key] -= 1
            self._bytes[key] -= size
            if not self._calls[key]:
                del self._calls[key], self._bytes[key]

    @asynccontextmanager
    async def parsing(self, caller: Caller) -> AsyncIterator[None]:
        """One request of a tenant at a time, so that another tenant's next request is not behind hundreds of them."""
        tenant = caller.tenant_uid
        lock, waiting = self._parsing.get(tenant, (asyncio.Lock(), 0))
        self._parsing[tenant] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._parsing.pop(tenant)
            if waiting > 1:
                self._parsing[tenant] = lock, waiting - 1
