"""What is counted and timed, for Prometheus: by method and reason, never by value, subject or token."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The server's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "vault_calls", "Calls, by method and reason (OK if none)", ["method", "reason"], registry=self.registry
        )
        self.seconds = Histogram("vault_call_seconds", "Seconds from request to answer", ["method"], registry=self.registry)
        self.unauthenticated = Counter(
            "vault_unauthenticated_calls", "Calls refused because of their certificate", registry=self.registry
        )
        self.group_calls = Histogram(
            "vault_group_calls", "Calls in one transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 200), registry=self.registry
        )
        self.key_loads = Counter("vault_key_loads", "Times a tenant's keys were fetched", ["result"], registry=self.registry)
        self.without_kms = Gauge(
            "vault_tenants_without_kms", "Tenants served with keys in memory while the KMS is away", registry=self.registry
        )
        self.tenants_overdue = Gauge(
            "vault_tenants_overdue", "Tenants whose keys should have been rotated, by their schedule", registry=self.registry
        )
        self.policy_errors = Counter("vault_policy_errors", "Policies that could not be evaluated", registry=self.registry)
        self.witness_answers = Counter(
            "vault_witness_answers", "Checkpoints put to witnesses, by result", ["witness", "result"], registry=self.registry
        )
        self.witness_conflicts = Counter(
            "vault_witness_conflicts", "Answers of witnesses that have seen another log", ["witness"], registry=self.registry
        )
        self.erasures_begun = Gauge(
            "vault_erasures_begun", "Erasures that were begun and are not done: those left behind", registry=self.registry
        )
        self.erasures_unclean = Counter(
            "vault_erasures_unclean", "Erasures after which rows of the subject were still there", registry=self.registry
        )
        self.serving = Gauge("vault_serving", "1 while the server takes calls", registry=self.registry)
