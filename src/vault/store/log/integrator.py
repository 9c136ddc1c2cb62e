"""The integrator: moves pending events into their logs' trees, for all tenants, on one node at a time.

What two integrators do at once cannot fork a log, since its head moves by compare-and-swap; the lease only keeps them from doing
the same work.

One log must not hold up the others: those that failed come last in a round and after growing pauses, locks are waited for briefly,
and what needs the KMS is done beside.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from vault.errors import VaultError
from vault.kms.key_manager import KeyManager
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS
from vault.store.log.append import GrowingLog, HeadLockedError, HeadMovedError, Step
from vault.store.log.known import MAX_TOLD, KnownLogs, Watcher, tell
from vault.store.log.lease import Lease
from vault.store.log.limits import LOCK_MS, SHORT_LOCK_MS
from vault.store.log.past import FarBackError
from vault.store.log.pending import MAX_BATCH, Waiting, waiting
from vault.store.log.publish import Publisher
from vault.store.log.takeovers import TakeOvers
from vault.store.writes import RowsSwallowedError

log = structlog.get_logger(__name__)

_PATIENCE_S = 10.0
_LOST_S = 0.5
"""How long a round may fail at logs that failed before: the others come round again."""
_NOTHING = Step(0, is_last=True)


class Round(NamedTuple):
    """What one round did: entries added, whether some log has more pending, and how long the oldest event had waited."""

    entries: int
    has_more: bool
    lag_s: float


class Integrator:
    """Used by one thread; ``distrust`` by any."""

    def __init__(
        self,
        engine: sa.Engine,
        key_manager: KeyManager,
        lease: Lease,
        watcher: Watcher,
        clock: Callable[[], float] = time.monotonic,
        max_batch: int = MAX_BATCH,
    ) -> None:
        """Begin knowing nothing; ``engine`` connects as the role that keeps the logs."""
        self.publisher = Publisher(engine, key_manager, self.distrust)
        self._engine = engine
        self._lease = lease
        self._watcher = watcher
        self._clock = clock
        self._max_batch = max_batch
        self._take_overs = TakeOvers(engine, key_manager)
        self._known = KnownLogs(self._take_overs, self.publisher, watcher, clock)
        self._setbacks = self._known.setbacks
        self._distrusted: set[bytes] = set()
        self._lock = threading.Lock()
        self._tenure = 0
        self._is_lost = False
        self._lock_ms = LOCK_MS

    def round(self) -> Round:
        """Add one batch of pending events to each log that has some, if this node holds the lease. Never raises."""
        found, steps = list[Waiting](), list[Step]()
        try:
            if self._hold():
                self._grow_all(found, steps)
        except DATABASE_ERRORS as error:
            self._lose(error)
        else:
            self._find_again()
        lag_us = max((one.waited_us for one in found), default=0)
        return Round(sum(step.entries for step in steps), not all(step.is_last for step in steps), lag_us / 1e6)

    def distrust(self, tenant_uid: bytes) -> None:
        """Have a log verified again before it grows. May be called by any thread."""
        with self._lock:
            self._distrusted.add(tenant_uid)

    def refused(self) -> dict[bytes, str]:
        """The logs that don't grow because they are not in order or can't be verified, with the reason."""
        return self._setbacks.reasons()

    def wait_for_taken_over(self, patience_s: float) -> bool:
        """Whether the next round knows a log that the last one did not, which is waited for; False if none is being taken over."""
        return self._take_overs.wait_for_next(patience_s)

    def end(self) -> None:
        """Publish what was integrated, and let another node go on; no further round is run after this."""
        self.publisher.publish(every_s=0.0)
        self._known.forget_all()
        try:
            self._lease.release()
        except DATABASE_ERRORS:
            log.warning("the lease could not be released; it ends by itself")
        self._take_overs.close()
        self.publisher.close()

    def _grow_all(self, found: list[Waiting], steps: list[Step]) -> None:
        with reading(self._engine, _PATIENCE_S) as connection:
            found += waiting(connection)
        self._drop_distrusted()
        for tenant_uid in self._in_turn({one.tenant_uid for one in found} | self._known.unsettled):
            steps.append(self._step(tenant_uid))
            if not self._hold():
                break

    def _lose(self, error: Exception) -> None:
        """Begin anew with the next round. Said once an outage: rounds come four times a second."""
        if not self._is_lost:
            log.warning("logs can't be integrated; it is tried again", error=type(error).__name__)
        self._is_lost = True
        self._known.forget_all()
        self._tenure = 0  # so that what was not published yet is taken up again, whoever has the lease

    def _find_again(self) -> None:
        if self._is_lost:
            log.info("logs are integrated again")
        self._is_lost = False

    def _hold(self) -> bool:
        tenure = self._lease.tenure if self._lease.hold() else 0
        if tenure != self._tenure:
            self._known.forget_all()
            self._tenure = tenure
            if tenure:
                self._resume()
        return bool(tenure)

    def _resume(self) -> None:
        """Take up what the last integrator committed and did not publish."""
        with reading(self._engine, _PATIENCE_S) as connection:
            unpublished = connection.scalars(
                sa.select(t.audit_log.c.tenant_uid).where(t.audit_log.c.checkpoint_size < t.audit_log.c.size)
            )
            self._known.want(unpublished)

    def _in_turn(self, tenant_uids: set[bytes]) -> Iterable[bytes]:
        """The logs that can grow now: those in order, then those that were taken over meanwhile, at last those that failed."""
        self._lock_ms = LOCK_MS
        self._known.ask_for(tenant_uids)
        in_order = [uid for uid in sorted(tenant_uids) if self._known.get(uid) and not self._setbacks.has(uid)]
        yield from in_order
        taken_over = self._known.adopt_finished()
        yield from [uid for uid in taken_over if uid in tenant_uids and not self._setbacks.has(uid)]
        failed = [uid for uid in tenant_uids if self._known.get(uid) and self._setbacks.has(uid) and self._setbacks.is_due(uid)]
        began = self._clock()
        for uid in sorted(failed, key=self._setbacks.due_at):
            if self._clock() - began >= _LOST_S:
                return
            yield uid

    def _step(self, tenant_uid: bytes) -> Step:
        """Add a batch to one log."""
        growing = self._known.get(tenant_uid)
        if growing is None:  # the lease was lost, and what was known with it
            return _NOTHING
        try:
            step = self._grow(growing)
        except HeadLockedError:
            self._lock_ms = SHORT_LOCK_MS
            if self._setbacks.note(tenant_uid):
                log.warning("a log's head is locked by somebody; it is tried again", tenant=tenant_uid.hex())
            return _NOTHING
        except Exception as error:  # noqa: BLE001  whatever it was, the other logs must go on, and this one from what is certain
            self._lock_ms = SHORT_LOCK_MS
            self._known.verify_again(tenant_uid)
            self._tell_failure(tenant_uid, error)
            return _NOTHING
        self._setbacks.clear(tenant_uid)
        tell(self._watcher, tenant_uid, step.troubles)
        for stray in step.strays[:MAX_TOLD]:
            self._watcher.broken(*stray)
        self._known.offer(growing)
        return step

    def _grow(self, growing: GrowingLog) -> Step:
        with self._engine.connect() as connection:
            try:
                return growing.grow(connection, self._max_batch, self._lock_ms)
            except HeadLockedError:
                raise
            except BaseException:
                connection.invalidate()  # see Runner: what became of its transaction is unknown
                raise

    def _tell_failure(self, tenant_uid: bytes, error: Exception) -> None:
        """A step of another integrator is no failure; the database's whims are warnings; the rest has to be looked into."""
        if isinstance(error, RowsSwallowedError | VaultError):
            self._known.refuse(tenant_uid, error.reason_name if isinstance(error, VaultError) else "INTEGRITY")
            return
        self._setbacks.note(tenant_uid)
        if isinstance(error, FarBackError):
            return
        if not isinstance(error, HeadMovedError):
            log.warning("a log could not grow; it is tried again", tenant=tenant_uid.hex(), error=type(error).__name__)
        elif self._lease.was_kept():
            self._watcher.moved(tenant_uid)

    def _drop_distrusted(self) -> None:
        with self._lock:
            distrusted, self._distrusted = self._distrusted, set()
        for tenant_uid in distrusted:
            self._known.verify_again(tenant_uid)
