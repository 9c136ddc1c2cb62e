"""A server's share in keeping the logs: one thread integrates, another publishes, and both end before the database is let go."""

import secrets
import threading
import time

import structlog

from vault.server.config import ConfigError
from vault.server.keeping.metrics import LogMetrics
from vault.server.node import Node
from vault.store import schema
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log.integrator import Integrator
from vault.store.log.known import Watcher
from vault.store.log.lease import Lease
from vault.store.log.pending import entries_of_all, waiting

log = structlog.get_logger(__name__)

_LOOK_S = 0.25
"""How often is looked for events, also of other nodes, that nobody woke this one for."""
_BREATH_S = 0.25
"""Between the beginnings of two rounds, so that calls of that time share one; none while there is more to do than one takes."""
_RECENT_S = 1.0
_HOPE_S = 10.0
"""How long a starting server waits for a log that does not grow."""
_LAST_S = 5.0
"""How long a stopping server waits for logs that are being taken over."""
_PATIENCE_S = 10.0


class Integrating:
    """The threads of one server."""

    def __init__(self, node: Node, metrics: LogMetrics, watcher: Watcher) -> None:
        """Prepare; nothing is read yet."""
        self._node = node
        self._metrics = metrics
        lease = Lease(node.log_engine, node.config.node, secrets.token_hex(8))
        self._integrator = Integrator(node.log_engine, node.key_manager, lease, watcher)
        self._woken, self._ending = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._integrate, name="integrator", daemon=True),
            threading.Thread(target=self._publish, name="publisher", daemon=True),
        ]

    def catch_up(self) -> None:
        """Integrate, or wait for the node that does, until no event has waited for more than a second.

        A log that does not grow is not waited for: its tenant's calls are refused, with the reason. What was integrated is
        published, so that no log looks as if it could not be anchored when the first calls come.

        Raises:
            ConfigError: the role that keeps the logs lacks rights.
            VaultError: the database does not answer.
        """
        _check_rights(self._node)
        hope_until, before = 0.0, (-1, -1)
        while True:
            round_ = self._integrator.round()
            late, sizes = self._late()
            if not late - self._integrator.refused().keys():
                break
            if (len(late), sizes) != before:
                hope_until, before = time.monotonic() + _HOPE_S, (len(late), sizes)
            elif time.monotonic() > hope_until:
                log.warning("logs do not grow; calls of their tenants will be refused", tenants=len(late))
                break
            if not round_.has_more:
                self._ending.wait(_LOOK_S)
        self._integrator.publisher.publish(every_s=0.0)

    def start(self) -> None:
        """Begin to integrate and to publish."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that events were committed. May be called by any thread."""
        self._woken.set()

    def distrust(self, tenant_uid: bytes) -> None:
        """Have a log verified again before it grows. May be called by any thread."""
        self._integrator.distrust(tenant_uid)
        self._woken.set()

    def close(self) -> None:
        """Integrate and publish what was committed last; called when nothing more will be. May be called if never started.

        Logs that are still being taken over are waited for, but not for long: what waits in them is found by the next start.
        """
        self._ending.set()
        self._woken.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        until = time.monotonic() + _LAST_S
        while self._integrator.round().has_more or self._integrator.wait_for_taken_over(until - time.monotonic()):
            pass
        self._integrator.end()

    def _integrate(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                round_ = self._integrator.round()
            except Exception as error:  # noqa: BLE001  the thread must outlive whatever it meets, or every log would stall
                log.error("a round of the integrator failed", error=type(error).__name__)
                self._ending.wait(_LOOK_S)
                continue
            self._metrics.entries.inc(round_.entries)
            self._metrics.lag.set(round_.lag_s)
            self._metrics.unpublished.set(self._integrator.publisher.age_s())
            self._metrics.refused.set(len(self._integrator.refused()))
            if not round_.has_more:
                self._woken.wait(_LOOK_S)
                self._woken.clear()
                self._ending.wait(max(0.0, began + _BREATH_S - time.monotonic()))

    def _publish(self) -> None:
        while not self._ending.wait(_LOOK_S):
            self._integrator.publisher.publish()

    def _late(self) -> tuple[set[bytes], int]:
        """The logs with events older than a second, and how many entries all logs have together."""
        try:
            with reading(self._node.log_engine, _PATIENCE_S) as connection:
                found = waiting(connection)
                return {one.tenant_uid for one in found if one.waited_us > _RECENT_S * 1e6}, entries_of_all(connection)
        except DATABASE_ERRORS as error:
            raise translate(error) from None


def _check_rights(node: Node) -> None:
    missing = schema.missing_rights(node.log_engine, schema.INTEGRATOR_MAY)
    if missing:
        raise ConfigError(
            f"database.log_url: its role lacks {', '.join(missing)}; give it what it needs with "
            "`pdvault db upgrade --grant-log-to ROLE` (docs/cli.md, Running a vault)"
        )
