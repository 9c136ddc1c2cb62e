"""What integrator and witnesses find wrong: told to the operator's log and metrics, and to the auditors in the tenant's own log."""

import threading
from collections import deque
from collections.abc import Callable

import structlog

from vault.administration import Notice
from vault.audit.actions import CHAIN_BROKEN, HEAD_MOVED, WITNESS_CONFLICT
from vault.errors import VaultError
from vault.server.keeping.metrics import LogMetrics
from vault.store.log.chains import Trouble
from vault.store.runner import Call
from vault.v1 import audit_pb2, common_pb2

log = structlog.get_logger(__name__)

_MAX_WAITING = 1000
_UID = 16


class LogAlarms:
    """Implements ``store.log.known.Watcher``. Told by the integrator's thread, before there is a lane too."""

    def __init__(self, metrics: LogMetrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._submit: Callable[[Call, int], object] | None = None
        self._waiting: deque[Notice] = deque(maxlen=_MAX_WAITING)

    def open(self, submit: Callable[[Call, int], object]) -> None:
        """Write alarms as events through the lane from now on, those of before first."""
        with self._lock:
            self._submit = submit
        self._write()

    def close(self) -> None:
        """The lane is ending: the operator's log still gets what is told."""
        with self._lock:
            self._submit = None

    def broken(self, tenant_uid: bytes, trouble: Trouble) -> None:
        """See ``Watcher.broken``."""
        boot, sequence = trouble.boot_id[:_UID].hex(), str(trouble.boot_sequence)  # what was edited can be of any length
        hint = f"leaf {sequence}: {trouble.problem}"
        log.error("a chain of audit events was touched in the database", tenant=tenant_uid.hex(), boot_id=boot, hint=hint)
        self._metrics.broken.inc()
        details = {"boot_id": boot, "boot_sequence": sequence, "problem": trouble.problem}
        if trouble.leaf_index is not None:
            details["index"] = str(trouble.leaf_index)
        self._tell(tenant_uid, CHAIN_BROKEN, details)

    def moved(self, tenant_uid: bytes) -> None:
        """See ``Watcher.moved``."""
        log.error("a log was changed in the database by nobody who keeps the logs", tenant=tenant_uid.hex())
        self._metrics.moved.inc()
        self._tell(tenant_uid, HEAD_MOVED, {})

    def refused(self, tenant_uid: bytes, reason: str) -> None:
        """See ``Watcher.refused``; the log itself takes no events."""
        log.error("a log does not grow: it is not in order or can't be verified", tenant=tenant_uid.hex(), reason=reason)

    def conflict(self, tenant_uid: bytes, details: dict[str, str]) -> None:
        """A witness has seen another log than ours; whoever found out has logged and counted it. May be called by any thread."""
        self._tell(tenant_uid, WITNESS_CONFLICT, details)

    def tell(self, notice: Notice) -> None:
        """Write an event as soon as that can be. May be called by any thread."""
        self._waiting.append(notice)
        self._write()

    def _tell(self, tenant_uid: bytes, action: str, details: dict[str, str]) -> None:
        failed, reason = audit_pb2.DECISION_FAILED, common_pb2.ERROR_REASON_INTEGRITY
        self.tell(Notice(tenant_uid, action, details, decision=failed, reason=reason))

    def _write(self) -> None:
        with self._lock:
            while self._submit and self._waiting:
                try:
                    self._submit(self._waiting[0], 0)
                except VaultError:  # no place among the calls that wait: with the next alarm
                    return
                self._waiting.popleft()
