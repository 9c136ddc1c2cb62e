"""The integrator: moves pending events into their logs' trees, for all tenants, on one node at a time.

A log is verified against its anchor before it grows, and again after every error, whatever it was: memory is never trusted over
the database, and the database never over the anchor. What two integrators do at once cannot fork a log, since its head moves by
compare-and-swap; the lease only keeps them from doing the same work.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import sqlalchemy as sa
import structlog

from vault.errors import VaultError
from vault.kms.key_manager import KeyManager
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS
from vault.store.log_append import GrowingLog, HeadMovedError, Step
from vault.store.log_chains import Trouble
from vault.store.log_check import check_log
from vault.store.log_lease import Lease
from vault.store.log_pending import MAX_BATCH, waiting
from vault.store.log_publish import Publisher
from vault.store.writes import RowsSwallowedError

log = structlog.get_logger(__name__)

RETRY_S = 2.0
"""After which a log that could not be verified is looked at again."""
_PATIENCE_S = 10.0
_MAX_TOLD = 20
"""Troubles of one transaction that are told one by one."""
_NOTHING = Step(0, is_last=True)


class Round(NamedTuple):
    """What one round did: entries added, whether some log has more pending, and how long the oldest event had waited."""

    entries: int
    has_more: bool
    lag_s: float


IDLE = Round(0, has_more=False, lag_s=0.0)


class Watcher(Protocol):
    """Who is told what an operator must know."""

    def broken(self, tenant_uid: bytes, trouble: Trouble) -> None:
        """A boot's chain was touched; the leaf is in the tree nevertheless."""

    def refused(self, tenant_uid: bytes, reason: str) -> None:
        """A log is not in order, so it does not grow; ``reason`` is that of an error."""


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
        self._key_manager = key_manager
        self._lease = lease
        self._watcher = watcher
        self._clock = clock
        self._max_batch = max_batch
        self._logs: dict[bytes, GrowingLog] = {}
        self._refused: dict[bytes, tuple[float, str]] = {}
        self._distrusted: set[bytes] = set()
        self._lock = threading.Lock()
        self._is_holder = False

    def round(self) -> Round:
        """Add one batch of pending events to each log that has some, if this node holds the lease. Never raises."""
        entries, has_more, lag_us = 0, False, 0
        try:
            if not self._hold():
                return IDLE
            with reading(self._engine, _PATIENCE_S) as connection:
                found = waiting(connection)
            lag_us = max((one.oldest_us for one in found), default=0)
            self._drop_distrusted()
            for one in found:
                step = self._step(one.tenant_uid)
                entries, has_more = entries + step.entries, has_more or not step.is_last
                if not self._hold():
                    break
        except DATABASE_ERRORS as error:
            log.warning("logs can't be integrated; it is tried again", error=type(error).__name__)
            self._forget_all()
        return Round(entries, has_more, lag_us / 1e6)

    def distrust(self, tenant_uid: bytes) -> None:
        """Have a log verified again before it grows. May be called by any thread."""
        with self._lock:
            self._distrusted.add(tenant_uid)

    def refused(self) -> dict[bytes, str]:
        """The logs that don't grow because they are not in order or can't be verified, with the reason."""
        return {tenant_uid: reason for tenant_uid, (_, reason) in self._refused.items()}

    def end(self) -> None:
        """Publish what was integrated, and let another node go on."""
        self.publisher.publish(every_s=0.0)
        self._forget_all()
        try:
            self._lease.release()
        except DATABASE_ERRORS:
            log.warning("the lease could not be released; it ends by itself")

    def _hold(self) -> bool:
        held = self._lease.hold()
        if held != self._is_holder:
            self._forget_all()
            self._is_holder = held
            if held:
                self._resume()
        return held

    def _resume(self) -> None:
        """Take up what the last integrator committed and did not publish."""
        with reading(self._engine, _PATIENCE_S) as connection:
            unpublished = connection.scalars(
                sa.select(t.audit_log.c.tenant_uid).where(t.audit_log.c.checkpoint_size < t.audit_log.c.size)
            )
            tenant_uids = list(unpublished)
        for tenant_uid in tenant_uids:
            self._log(tenant_uid)

    def _step(self, tenant_uid: bytes) -> Step:
        """Add a batch to one log."""
        growing = self._log(tenant_uid)
        if growing is None:
            return _NOTHING
        try:
            step = self._grow(growing)
        except Exception as error:  # noqa: BLE001  whatever it was, the other logs must go on, and this one from what is certain
            self._forget(tenant_uid)
            self._tell_failure(tenant_uid, error)
            return _NOTHING
        if step.entries:
            self.publisher.offer(tenant_uid, growing.size, growing.root)
        for trouble in step.troubles[:_MAX_TOLD]:
            self._watcher.broken(tenant_uid, trouble)
        for stray in step.strays[:_MAX_TOLD]:
            self._watcher.broken(*stray)
        return step

    def _grow(self, growing: GrowingLog) -> Step:
        with self._engine.connect() as connection:
            try:
                return growing.grow(connection, self._max_batch)
            except BaseException:
                connection.invalidate()  # see Runner: what became of its transaction is unknown
                raise

    def _log(self, tenant_uid: bytes) -> GrowingLog | None:
        """The log as remembered, or verified now; None if it must not grow."""
        growing = self._logs.get(tenant_uid)
        if growing is None and self._clock() >= self._refused.get(tenant_uid, (0.0, ""))[0]:
            try:
                growing = self._logs[tenant_uid] = self._verify(tenant_uid)
                self._refused.pop(tenant_uid, None)
            except VaultError as error:
                self._refuse(tenant_uid, error.reason_name)
            except DATABASE_ERRORS:
                self._refuse(tenant_uid, "DATABASE_UNAVAILABLE")
        return growing

    def _verify(self, tenant_uid: bytes) -> GrowingLog:
        public_key = self._key_manager.log_public_key(tenant_uid)
        anchor = self._key_manager.read_anchor(tenant_uid)  # before the database: the log may grow meanwhile, never shrink
        with reading(self._engine, _PATIENCE_S) as connection:
            verified = check_log(connection, tenant_uid, anchor, public_key)
        self.publisher.adopt(verified)
        return GrowingLog(verified)

    def _refuse(self, tenant_uid: bytes, reason: str) -> None:
        known = self._refused.get(tenant_uid, (0.0, ""))[1]
        self._refused[tenant_uid] = (self._clock() + RETRY_S, reason)
        if reason != known:
            log.error("a log does not grow: it is not in order or can't be verified", tenant=tenant_uid.hex(), reason=reason)
            self._watcher.refused(tenant_uid, reason)

    def _tell_failure(self, tenant_uid: bytes, error: Exception) -> None:
        """Somebody else's step is no failure; the database's whims are warnings; the rest has to be looked into."""
        if isinstance(error, RowsSwallowedError):
            self._refuse(tenant_uid, "INTEGRITY")
        elif not isinstance(error, HeadMovedError):
            log.warning("a log could not grow; it is tried again", tenant=tenant_uid.hex(), error=type(error).__name__)

    def _drop_distrusted(self) -> None:
        with self._lock:
            distrusted, self._distrusted = self._distrusted, set()
        for tenant_uid in distrusted:
            self._forget(tenant_uid)
            self._log(tenant_uid)

    def _forget(self, tenant_uid: bytes) -> None:
        self._logs.pop(tenant_uid, None)
        self.publisher.forget(tenant_uid)

    def _forget_all(self) -> None:
        for tenant_uid in list(self._logs):
            self._forget(tenant_uid)
