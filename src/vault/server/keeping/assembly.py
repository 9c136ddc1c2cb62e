"""All that a server does for its audit logs beside serving calls, put together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vault.server.keeping.alarms import LogAlarms
from vault.server.keeping.guard import LogGuard
from vault.server.keeping.integrating import Integrating
from vault.server.keeping.kms_absence import KmsAbsence
from vault.server.keeping.metrics import LogMetrics
from vault.server.metrics import Metrics
from vault.server.node import Node


@dataclass
class LogKeeping:
    """What runs beside the calls of a server."""

    metrics: Metrics
    alarms: LogAlarms
    integrating: Integrating


@contextmanager
def keeping_logs(node: Node) -> Iterator[LogKeeping]:
    """Keep the logs of a server's node: caught up at the beginning; at the end the boot is ended, and all of it is in them.

    Raises:
        ConfigError: the role that keeps the logs lacks rights.
        VaultError: the database does not answer.
    """
    metrics = Metrics()
    log_metrics = LogMetrics(metrics.registry)
    alarms = LogAlarms(log_metrics)
    integrating = Integrating(node, log_metrics, alarms)
    integrating.catch_up()
    node.gate.expects_integration = True
    node.runner.on_settled = node.gate.committed
    node.runner.on_commit = integrating.wake
    node.gate.on_asked = KmsAbsence(node.keys, metrics.without_kms, alarms.tell).asked
    guard = LogGuard(node.gate, node.keys, log_metrics, integrating.distrust)
    integrating.start()
    guard.start()
    try:
        yield LogKeeping(metrics, alarms, integrating)
    finally:
        guard.close()
        node.end_boot()
        integrating.close()
