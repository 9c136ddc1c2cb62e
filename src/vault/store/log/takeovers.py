"""Logs that are being taken over, each beside the others: a KMS that is slow to answer for one log holds up no other."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import sqlalchemy as sa

from vault.kms.key_manager import KeyManager
from vault.store.log.takeover import Seen, TakenOver, take_over

GRACE_S = 0.5
"""How long a log is waited for that was asked for: mostly, it takes milliseconds."""
_WORKERS = 4


class _Asked(NamedTuple):
    future: "Future[TakenOver]"
    since: float


class TakeOvers:
    """Used by one thread, and has others do the work."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager) -> None:
        """Begin with none under way."""
        self._engine = engine
        self._key_manager = key_manager
        self._workers = ThreadPoolExecutor(_WORKERS, "log-takeover")
        self._under_way: dict[bytes, _Asked] = {}
        self._outdated: set[bytes] = set()

    def ask(self, tenant_uid: bytes, seen: Seen | None) -> None:
        """Begin to take over a log, unless that is under way."""
        if tenant_uid not in self._under_way:
            future = self._workers.submit(take_over, self._engine, self._key_manager, tenant_uid, seen)
            self._under_way[tenant_uid] = _Asked(future, time.monotonic())

    def outdate(self, tenant_uid: bytes) -> None:
        """What is under way for this log must not count any more."""
        if tenant_uid in self._under_way:
            self._outdated.add(tenant_uid)

    def outdate_all(self) -> None:
        """The same for all."""
        self._outdated.update(self._under_way)

    def finished(self) -> "list[tuple[bytes, Future[TakenOver]]]":
        """Those that are done; the newest are waited for."""
        now = time.monotonic()
        patience_s = {asked.future: asked.since + GRACE_S - now for asked in self._under_way.values()}
        fresh = {future: left_s for future, left_s in patience_s.items() if left_s > 0}
        if fresh:
            wait(fresh, timeout=max(fresh.values()))
        done = [(tenant_uid, asked.future) for tenant_uid, asked in self._under_way.items() if asked.future.done()]
        for tenant_uid, _ in done:
            del self._under_way[tenant_uid]
        counting = [one for one in done if one[0] not in self._outdated]
        self._outdated &= self._under_way.keys()
        return counting

    def wait_for_next(self, patience_s: float) -> bool:
        """Whether one that counts is done, or is within this time; False if none is under way."""
        counting = [asked.future for tenant_uid, asked in self._under_way.items() if tenant_uid not in self._outdated]
        return bool(counting and wait(counting, max(0.0, patience_s), FIRST_COMPLETED).done)

    def close(self) -> None:
        """Begin nothing any more; what is under way is waited for, but not for long. Nothing is asked for after this."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        wait([asked.future for asked in self._under_way.values() if not asked.future.done()], timeout=GRACE_S)
