"""Waiting for logs to grow: one look at all heads that anybody waits for, a few times a second, however many wait."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from vault.errors import VaultError

LOOK_EVERY_S = 0.25

Sizes = Callable[[Collection[bytes]], Awaitable[Mapping[bytes, int]]]
"""Tenants' uids → the sizes of their logs; may raise VaultError."""


class HeadWatch:
    """Used on the event loop only."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._waiting: dict[asyncio.Future[None], tuple[bytes, int]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def beyond(self, tenant_uid: bytes, size: int, patience_s: float) -> None:
        """Return once a log has more than ``size`` entries, or after ``patience_s``."""
        grown = asyncio.get_running_loop().create_future()
        self._waiting[grown] = (tenant_uid, size)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait([grown], timeout=max(0.0, patience_s))
        finally:
            del self._waiting[grown]

    async def _look(self) -> None:
        """Go on while anybody waits. What the database refuses, whoever waits finds out when it reads."""
        while self._waiting:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                sizes = await self._sizes({tenant for tenant, _ in self._waiting.values()})
            except VaultError:
                continue
            for grown, (tenant, size) in self._waiting.items():
                if sizes.get(tenant, 0) > size and not grown.done():
                    grown.set_result(None)
