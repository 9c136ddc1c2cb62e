"""What is counted and timed of the audit logs, for Prometheus. No label names a tenant."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class LogMetrics:
    """The logs' metrics in the server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Counter("vault_log_entries", "Events that this node added to logs", registry=registry)
        self.lag = Gauge("vault_log_lag_seconds", "How long the oldest event has waited to be added to its log", registry=registry)
        self.unpublished = Gauge(
            "vault_log_unpublished_seconds", "How long the oldest change of a log has waited to be anchored", registry=registry
        )
        self.refused = Gauge(
            "vault_log_refused", "Logs that don't grow because they are not in order or can't be verified", registry=registry
        )
        self.broken = Counter("vault_log_broken_chains", "Places where a boot's chain of events was touched", registry=registry)
        self.moved = Counter("vault_log_heads_moved", "Times a log was changed by nobody who keeps the logs", registry=registry)
        self.closed = Counter(
            "vault_log_gate_closed", "Times a tenant's keys were dropped because of its log", ["reason"], registry=registry
        )
