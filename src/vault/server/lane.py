"""The lane: one thread that runs calls in groups. Those that arrive while a transaction commits share the next one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from vault.errors import VaultError
from vault.server.waitlist import Waiting, Waitlist
from vault.store.runner import CALLER_GONE, Answer, Call, Runner
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)


class Lane:
    """Feeds the runner. ``submit`` from any thread; answers come as futures."""

    def __init__(self, runner: Runner, max_waiting: int, on_group: Callable[[int], None]) -> None:
        """Start the thread; ``on_group`` is told the size of each group."""
        self._runner = runner
        self._on_group = on_group
        self._waitlist = Waitlist(max_waiting)
        self._thread = threading.Thread(target=self._work, name="lane", daemon=True)
        self._thread.start()

    def submit(self, call: Call, weight: int) -> "Future[Answer]":
        """Queue a call of ``weight`` items.

        Raises:
            VaultError: OVERLOADED if too many calls wait, SHUTTING_DOWN if the lane is ending.
        """
        future: Future[Answer] = Future()
        try:
            self._waitlist.put(Waiting(call, weight, future))
        except VaultError as refusal:
            self._runner.on_unheard(call, refusal.reason_name)
            raise
        return future

    def close(self) -> None:
        """Run what waits, then end."""
        self._waitlist.end()
        self._thread.join()

    def _work(self) -> None:
        while group := self._waitlist.take():
            wanted = self._wanted(group)
            self._on_group(len(wanted))
            try:
                answers = self._runner.run([entry.call for entry in wanted])
            except Exception as error:  # noqa: BLE001  the lane must outlive whatever it runs, or every later call would hang
                log.error("a group could not be run", error=type(error).__name__, calls=len(wanted))
                internal = VaultError(common_pb2.ERROR_REASON_INTERNAL, "an error nobody foresaw; the operator's log names it")
                answers = [internal] * len(wanted)
                for entry in wanted:
                    self._runner.on_unheard(entry.call, internal.reason_name)
            for entry, answer in zip(wanted, answers, strict=True):
                entry.future.set_result(answer)

    def _wanted(self, group: list[Waiting]) -> list[Waiting]:
        """Those of the group that somebody still waits for."""
        wanted = []
        for entry in group:
            if entry.future.set_running_or_notify_cancel():
                wanted.append(entry)
            else:
                self._runner.on_unheard(entry.call, CALLER_GONE)
        return wanted
