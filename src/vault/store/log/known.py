"""The logs that an integrator knows, each from a verified state on.

A log is verified against its anchor before it grows, and again after every error but a lock, whatever it was: memory is never
trusted over the database, and the database never over the anchor. What was seen of a log is kept to be compared with what is there.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from vault.errors import VaultError
from vault.store.faults import DATABASE_ERRORS
from vault.store.log.append import GrowingLog
from vault.store.log.chains import Trouble
from vault.store.log.publish import Publisher
from vault.store.log.setbacks import Setbacks
from vault.store.log.takeover import Seen, TakenOver
from vault.store.log.takeovers import TakeOvers

log = structlog.get_logger(__name__)

MAX_TOLD = 20
"""Troubles of one transaction that are told one by one."""


class Watcher(Protocol):
    """Who is told what an operator must know."""

    def broken(self, tenant_uid: bytes, trouble: Trouble) -> None:
        """A boot's chain was touched; the leaf is in the tree nevertheless."""

    def refused(self, tenant_uid: bytes, reason: str) -> None:
        """A log is not in order, so it does not grow; ``reason`` is that of an error."""

    def moved(self, tenant_uid: bytes) -> None:
        """A log's head was moved by nobody who keeps the logs, or what this node had added to it is gone."""


def tell(watcher: Watcher, tenant_uid: bytes, troubles: Iterable[Trouble]) -> None:
    """Tell what is wrong in a log, as far as it helps anybody."""
    for trouble in list(troubles)[:MAX_TOLD]:
        watcher.broken(tenant_uid, trouble)


class KnownLogs:
    """Used by one thread.

    Attributes:
        setbacks: which logs failed, and when they are to be tried again.
        unsettled: logs in which a chain does not end signed yet. They must go on even if nothing is pending, and are not published.
    """

    def __init__(self, take_overs: TakeOvers, publisher: Publisher, watcher: Watcher, clock: Callable[[], float]) -> None:
        """Begin knowing nothing."""
        self.setbacks = Setbacks(clock)
        self.unsettled: set[bytes] = set()
        self._take_overs = take_overs
        self._publisher = publisher
        self._watcher = watcher
        self._logs: dict[bytes, GrowingLog] = {}
        self._seen: dict[bytes, Seen] = {}
        self._wanted: set[bytes] = set()

    def get(self, tenant_uid: bytes) -> GrowingLog | None:
        """A log that may grow."""
        return self._logs.get(tenant_uid)

    def want(self, tenant_uids: Iterable[bytes]) -> None:
        """Have logs taken over even if nothing is pending for them, so that what they have is published."""
        self._wanted.update(tenant_uids)

    def verify_again(self, tenant_uid: bytes) -> None:
        """Trust nothing that is known of a log."""
        self._forget(tenant_uid)
        self._wanted.add(tenant_uid)

    def forget_all(self) -> None:
        """As if there had been no logs: others may keep them from now on."""
        self._take_overs.outdate_all()
        for tenant_uid in list(self._logs):
            self._forget(tenant_uid)

    def ask_for(self, tenant_uids: Iterable[bytes]) -> None:
        """Have these logs taken over, and those that are wanted, unless they are known; first those that did not fail."""
        unknown = [uid for uid in self._wanted.union(tenant_uids) if uid not in self._logs and self.setbacks.is_due(uid)]
        for uid in sorted(unknown, key=self.setbacks.due_at):
            self._take_overs.ask(uid, self._seen.get(uid))

    def adopt_finished(self) -> list[bytes]:
        """Know the logs that were taken over meanwhile."""
        adopted = []
        for tenant_uid, future in self._take_overs.finished():
            try:
                self._adopt(tenant_uid, future.result())
                adopted.append(tenant_uid)
            except VaultError as error:
                self.refuse(tenant_uid, error.reason_name)
            except DATABASE_ERRORS:
                self.refuse(tenant_uid, "DATABASE_UNAVAILABLE")
            except Exception as error:  # noqa: BLE001  the other logs must go on
                log.error("a log could not be verified", tenant=tenant_uid.hex(), error=type(error).__name__)
                self.refuse(tenant_uid, "INTEGRITY")
        return adopted

    def refuse(self, tenant_uid: bytes, reason: str) -> None:
        """Don't let a log grow for now; ``reason`` is that of an error."""
        if self.setbacks.note(tenant_uid, reason):
            self._watcher.refused(tenant_uid, reason)

    def offer(self, growing: GrowingLog) -> None:
        """Have what is in a log published, unless nobody may sign for it yet."""
        if growing.is_settled:
            self.unsettled.discard(growing.tenant_uid)
            self._publisher.offer(growing.tenant_uid, growing.size, growing.root)
        else:
            self.unsettled.add(growing.tenant_uid)

    def _adopt(self, tenant_uid: bytes, taken_over: TakenOver) -> None:
        self._publisher.adopt(taken_over.verified)
        growing = self._logs[tenant_uid] = GrowingLog(taken_over.verified, taken_over.boots)
        self._seen.pop(tenant_uid, None)
        self._wanted.discard(tenant_uid)
        self.setbacks.excuse(tenant_uid)
        if taken_over.is_rewritten:
            self._watcher.moved(tenant_uid)
        tell(self._watcher, tenant_uid, taken_over.troubles)
        self.offer(growing)

    def _forget(self, tenant_uid: bytes) -> None:
        growing = self._logs.pop(tenant_uid, None)
        if growing is not None:
            self._seen[tenant_uid] = growing.seen
        self.unsettled.discard(tenant_uid)
        self._take_overs.outdate(tenant_uid)
        self._publisher.forget(tenant_uid)
