"""Events that are due whatever happens: seen to until they are committed, or hope is lost."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from vault.administration import PATIENCE_S, Act
from vault.errors import VaultError
from vault.store.runner import Answer, Call

log = structlog.get_logger(__name__)

_AGAIN_S = (0.2, 1.0, 5.0)


class Closings:
    """Leaves events through the lane. Used on the event loop only."""

    def __init__(self, submit: "Callable[[Call, int], Future[Answer]]") -> None:
        self._submit = submit
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def are_due(self) -> bool:
        """Whether any is still to be written."""
        return bool(self._tasks)

    def leave(self, act: Act) -> None:
        """Have an act's event written. It is in the lane when this returns, so that it is written even if the loop ends now."""
        task = asyncio.get_running_loop().create_task(self._see_to(act, self._try(act)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_to(self, act: Act, tried: "Future[Answer] | None") -> None:
        for wait_s in _AGAIN_S:
            if await _is_done(tried):
                return
            await asyncio.sleep(wait_s)
            act.deadline = time.monotonic() + PATIENCE_S
            tried = self._try(act)
        if not await _is_done(tried):
            log.error("an event could not be written", method=act.action, tenant=act.caller.tenant_uid.hex())

    def _try(self, act: Act) -> "Future[Answer] | None":
        try:
            return self._submit(act, 1)
        except VaultError:  # no place in the lane
            return None


async def _is_done(tried: "Future[Answer] | None") -> bool:
    if tried is None:
        return False
    answer: Answer = await asyncio.wrap_future(tried)
    return isinstance(answer, bytes)
