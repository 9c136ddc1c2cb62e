"""The lane: one thread that runs calls in groups. Those that arrive while a transaction commits share the next one."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from vault.errors import VaultError
from vault.store.runner import Answer, Call, Runner
from vault.v1 import common_pb2

MAX_GROUP = 200
"""Calls in one transaction."""
MAX_GROUP_WEIGHT = 4000
"""Items in one transaction, where a call of more goes alone."""

_Waiting = tuple[Call, int, "Future[Answer]"]


class Lane:
    """Feeds the runner. ``submit`` from any thread; answers come as futures."""

    def __init__(self, runner: Runner, max_waiting: int, on_group: Callable[[int], None]) -> None:
        """Start the thread; ``on_group`` is told the size of each group."""
        self._runner = runner
        self._on_group = on_group
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(max_waiting)
        self._held_back: _Waiting | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="lane", daemon=True)
        self._thread.start()

    def submit(self, call: Call, weight: int) -> "Future[Answer]":
        """Queue a call of ``weight`` items.

        Raises:
            VaultError: OVERLOADED if too many calls wait, SHUTTING_DOWN if the lane is ending.
        """
        if self._ending:
            raise VaultError(
                common_pb2.ERROR_REASON_SHUTTING_DOWN, "the server is shutting down; retry elsewhere", retry_after_s=1.0
            )
        future: Future[Answer] = Future()
        try:
            self._waiting.put_nowait((call, weight, future))
        except queue.Full:
            raise VaultError(
                common_pb2.ERROR_REASON_OVERLOADED, "more calls are waiting than the server takes", retry_after_s=1.0
            ) from None
        return future

    def close(self) -> None:
        """Run what waits, then end."""
        self._ending = True
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            group = self._next_group()
            if group is None:
                return
            wanted = [entry for entry in group if entry[2].set_running_or_notify_cancel()]
            self._on_group(len(wanted))
            answers = self._runner.run([call for call, _, _ in wanted])
            for (_, _, future), answer in zip(wanted, answers, strict=True):
                future.set_result(answer)

    def _next_group(self) -> list[_Waiting] | None:
        """Wait for a call, then take all that wait with it, up to the limits; None when the lane ends."""
        first = self._held_back or self._waiting.get()
        self._held_back = None
        if first is None:
            return None
        group, weight = [first], first[1]
        while len(group) < MAX_GROUP:
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                self._waiting.put(None)
                break
            if weight + entry[1] > MAX_GROUP_WEIGHT:
                self._held_back = entry
                break
            group.append(entry)
            weight += entry[1]
        return group
