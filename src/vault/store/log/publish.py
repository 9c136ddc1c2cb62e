"""Publishing a log's head: signed by the log's key, anchored, and only then shown to anybody.

The anchor moves by compare-and-swap from the version that was verified, so a checkpoint that does not extend it is never written,
whoever signs it. Works beside the integrator, since a KMS that does not answer must not keep events out of the logs; and on some
logs at once, since what holds up one must not keep the others from being anchored.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from vault.audit.checkpoint import Checkpoint
from vault.audit.note import Verifier, sign_note
from vault.errors import VaultError
from vault.kms.key_manager import AnchorMovedError, KeyManager
from vault.store import tables as t
from vault.store.log.check import Verified
from vault.store.log.limits import SHORT_LOCK_MS, limit

log = structlog.get_logger(__name__)

EVERY_S = 1.0
"""How often a log's checkpoint is signed while it grows."""
_MAX_FACTOR = 5
"""After failures a log is tried less and less often, down to every so many times as long."""
_WORKERS = 4
_WORKERS_AGAIN = 2
"""For logs that failed: whatever holds those up, they keep no worker from the others."""
_PATIENCE_S = 2.0
"""How long those that are slow to be published are waited for before the others' next turn, or before the database is let go."""
_LOCK_MS = 500
"""How long a head is waited for: the integrator locks it while it adds a batch. Once that was in vain, less."""


@dataclass
class _Edition:
    """How far a log's publication has come."""

    key: Verifier
    version: int
    anchored: str
    anchored_size: int
    published_size: int
    head: tuple[int, bytes]
    since: float
    """When there was first something to publish."""
    tried: float = -_MAX_FACTOR * EVERY_S
    failures: int = 0
    """Since it was last published."""
    attempted: str = ""
    """A note that was sent to the anchor, and nobody knows whether it arrived."""


class Publisher:
    """Publishes logs whose integrator hands it heads. Safe to share between the integrator's thread and the one that publishes."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager, on_moved: Callable[[bytes], None]) -> None:
        """Begin with no logs.

        Args:
            engine: connects as the role that keeps the logs.
            key_manager: signs and anchors.
            on_moved: told the tenant's uid when somebody else moved a log's anchor: it must be verified again.
        """
        self._engine = engine
        self._key_manager = key_manager
        self._on_moved = on_moved
        self._lock = threading.Lock()
        self._editions: dict[bytes, _Edition] = {}
        self._is_failing = False
        self._under_way: dict[bytes, Future[None]] = {}
        self._workers = ThreadPoolExecutor(_WORKERS, "log-publish")
        self._workers_again = ThreadPoolExecutor(_WORKERS_AGAIN, "log-publish-again")

    def adopt(self, verified: Verified) -> None:
        """Go on from a log that was just verified; what of it was anchored and is not shown yet, will be. The rest must be offered.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the log shows a forged checkpoint, and the database does not let it be replaced.
        """
        head = verified.head
        if verified.forged:
            self._mend(verified)
        edition = _Edition(
            verified.key,
            verified.anchor.version,
            verified.anchor.text,
            verified.anchored.size,
            verified.anchored.size if verified.forged else head.checkpoint_size,
            (verified.anchored.size, verified.anchored.root),
            time.monotonic(),
        )
        with self._lock:
            self._editions[head.tenant_uid] = edition

    def offer(self, tenant_uid: bytes, size: int, root: bytes) -> None:
        """Note a log's new head, certainly committed."""
        with self._lock:
            edition = self._editions.get(tenant_uid)
            if edition:
                if edition.published_size >= edition.head[0]:
                    edition.since = time.monotonic()
                edition.head = (size, root)

    def forget(self, tenant_uid: bytes) -> None:
        """Drop a log that is not this node's any more, or has to be verified again."""
        with self._lock:
            self._editions.pop(tenant_uid, None)

    def publish(self, *, every_s: float = EVERY_S) -> None:
        """Publish what there is to publish and was not tried within the last ``every_s`` seconds, or longer after failures.

        Never raises. What is not done within two seconds goes on beside.
        """
        now = time.monotonic()
        with self._lock:
            waiting = [(uid, e) for uid, e in self._editions.items() if e.published_size < e.head[0]]
        due = [(uid, e) for uid, e in waiting if now - e.tried >= every_s * min(2**e.failures, _MAX_FACTOR)]
        begun = [self._begin(*one) for one in sorted(due, key=lambda one: one[1].failures)]
        wait([future for future in begun if future], timeout=_PATIENCE_S)

    def close(self) -> None:
        """Begin nothing any more; what is under way is waited for, but not for long. Nothing is published after this."""
        for workers in (self._workers, self._workers_again):
            workers.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            running = [future for future in self._under_way.values() if not future.done()]
        wait(running, timeout=_PATIENCE_S)

    def _begin(self, tenant_uid: bytes, edition: _Edition) -> "Future[None] | None":
        """Have somebody publish a log, unless somebody is still at it."""
        with self._lock:
            if tenant_uid in self._under_way:
                return None
            workers = self._workers_again if edition.failures else self._workers
            future = self._under_way[tenant_uid] = workers.submit(self._try, tenant_uid, edition)
        return future

    def _try(self, tenant_uid: bytes, edition: _Edition) -> None:
        edition.tried = now = time.monotonic()
        try:
            self._attempt(tenant_uid, edition, now)
        finally:
            with self._lock:
                del self._under_way[tenant_uid]

    def _attempt(self, tenant_uid: bytes, edition: _Edition, now: float) -> None:
        try:
            self._publish(tenant_uid, edition)
            self._is_failing, edition.failures, edition.since = False, 0, now
        except AnchorMovedError:
            self.forget(tenant_uid)
            self._on_moved(tenant_uid)
        except Exception as error:  # noqa: BLE001  whatever it was, nobody waits for the future that would hold it
            edition.failures = min(edition.failures + 1, _MAX_FACTOR)
            if not self._is_failing:  # once an outage, not once a second
                reason = error.reason_name if isinstance(error, VaultError) else type(error).__name__
                log.warning("a log can't be published; it is tried again", tenant=tenant_uid.hex(), reason=reason)
            self._is_failing = True

    def age_s(self) -> float:
        """How long the oldest head has waited to be published, in seconds."""
        with self._lock:
            waiting = [e.since for e in self._editions.values() if e.published_size < e.head[0]]
        return max(0.0, time.monotonic() - min(waiting)) if waiting else 0.0

    def _publish(self, tenant_uid: bytes, edition: _Edition) -> None:
        if edition.attempted:
            self._find_out(tenant_uid, edition)
        size, root = edition.head
        if edition.anchored_size < size:
            checkpoint = Checkpoint(edition.key.name, size, root)
            note = sign_note(checkpoint.text(), edition.key, lambda text: self._key_manager.sign(tenant_uid, text)).encode()
            edition.attempted = note
            edition.version = self._key_manager.write_anchor(tenant_uid, note, edition.version)
            edition.anchored, edition.anchored_size, edition.attempted = note, size, ""
        self._show(tenant_uid, edition)

    def _find_out(self, tenant_uid: bytes, edition: _Edition) -> None:
        """Whether the last write, of which no answer came, moved the anchor."""
        anchor = self._key_manager.read_anchor(tenant_uid)
        if anchor is None or (anchor.version, anchor.text) != (edition.version, edition.anchored):
            raise AnchorMovedError  # by ourselves, perhaps: verifying again tells
        edition.attempted = ""

    def _show(self, tenant_uid: bytes, edition: _Edition) -> None:
        c = t.audit_log.c
        older = (c.tenant_uid == tenant_uid) & (c.checkpoint_size < edition.anchored_size)
        shown = t.audit_log.update().where(older).values(checkpoint=edition.anchored, checkpoint_size=edition.anchored_size)
        with self._engine.begin() as connection:
            limit(connection, SHORT_LOCK_MS if edition.failures else _LOCK_MS)
            connection.execute(shown)
        edition.published_size = edition.anchored_size

    def _mend(self, verified: Verified) -> None:
        """Put the anchored checkpoint in the place of one that the log never signed."""
        c, head = t.audit_log.c, verified.head
        log.error("a log showed a checkpoint that it never signed; the anchored one takes its place", tenant=head.tenant_uid.hex())
        as_found = (c.tenant_uid == head.tenant_uid) & (c.checkpoint_size == head.checkpoint_size)
        with self._engine.begin() as connection:
            limit(connection)
            mended = t.audit_log.update().where(as_found & (c.checkpoint == head.checkpoint))
            connection.execute(mended.values(checkpoint=verified.anchor.text, checkpoint_size=verified.anchored.size))
