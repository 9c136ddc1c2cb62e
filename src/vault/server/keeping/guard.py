"""The guard: looks again, every few seconds, at the logs of all tenants whose keys are in memory, and takes the keys away."""

import threading
from collections.abc import Callable

import structlog

from vault.errors import VaultError
from vault.kms.tenant_keys import KeyCache
from vault.server.keeping.metrics import LogMetrics
from vault.store.log.gate import LogGate, Sizes
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)

EVERY_S = 3.0

_SERIOUS = frozenset(
    {common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR, common_pb2.ERROR_REASON_LOG_STALLED, common_pb2.ERROR_REASON_INTEGRITY}
)
"""What closes the gate. A KMS or a database that does not answer is no sign that a log is not in order."""


class LogGuard:
    """One thread of a server."""

    def __init__(self, gate: LogGate, keys: KeyCache, metrics: LogMetrics, distrust: Callable[[bytes], None]) -> None:
        """Prepare; ``distrust`` is told the tenant whose log must be verified again before it grows."""
        self._gate = gate
        self._keys = keys
        self._metrics = metrics
        self._distrust = distrust
        self._anchored: dict[bytes, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="log guard", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> None:
        """Look at all logs once, without waiting for any: what is late there is looked at again next time."""
        tenant_uids = self._keys.tenants()
        self._anchored = {uid: self._anchored[uid] for uid in tenant_uids if uid in self._anchored}
        for tenant_uid in tenant_uids:
            if self._ending.is_set():
                return
            try:
                self._compare(tenant_uid, self._gate.watch(tenant_uid))
            except VaultError as error:
                if error.reason in _SERIOUS:
                    self._close(tenant_uid, error)

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _compare(self, tenant_uid: bytes, seen: Sizes) -> None:
        """What was anchored at the last look is published by now, unless an older checkpoint was put back in its place."""
        if seen.published < self._anchored.get(tenant_uid, 0):
            log.warning("a log shows an older checkpoint than the anchored one; it is published again", tenant=tenant_uid.hex())
            self._distrust(tenant_uid)
        self._anchored[tenant_uid] = seen.anchored

    def _close(self, tenant_uid: bytes, error: VaultError) -> None:
        """Drop the keys: the next call must load them, is refused with the reason, and is audited."""
        self._keys.drop(tenant_uid)
        self._distrust(tenant_uid)
        self._metrics.closed.labels(error.reason_name).inc()
        log.error("a tenant is no longer served because of its audit log", tenant=tenant_uid.hex(), reason=error.reason_name)

    def _watch(self) -> None:
        while not self._ending.wait(EVERY_S):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  the thread must outlive whatever it meets
                log.error("the logs could not be looked at", error=type(error).__name__)
