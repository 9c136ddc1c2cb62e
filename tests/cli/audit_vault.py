"""A scripted auditors' service, and the command that calls it: what the command makes of answers is decided by the test."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Result, _run
from tests.client.conftest import Authority, ScriptedVault

from vault.v1 import audit_pb2, audit_service_pb2, common_pb2

SUBJECT, OTHER, TOKEN = b"\x22" * 16, b"\x23" * 16, b"\x33" * 16
BILLING, SUPPORT = "spiffe://pdvault/acme/billing", "spiffe://pdvault/acme/support"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = "spiffe://pdvault.example/acme/principal/billing"
"""Who the client's certificate says we are."""


def event(**fields: Any) -> audit_pb2.AuditEvent:
    """An event: an e-mail revealed by billing at noon, unless fields say otherwise."""
    chosen: dict[str, Any] = {
        "format": 1,
        "time_us": int(NOON.timestamp() * 1e6),
        "tenant_uid": b"\x11" * 16,
        "principal": BILLING,
        "action": "Reveal",
        "decision": audit_pb2.DECISION_ALLOWED,
        "policy_ids": ["reader-plain-reveals"],
        "purpose": "payout",
        "request_id": bytes(range(16)),
        "touched": [
            {"data_class": "email", "form": common_pb2.FORM_KIND_PLAIN, "count": 1, "subject_uids": SUBJECT, "token_uids": TOKEN}
        ],
    }
    return audit_pb2.AuditEvent(**{**chosen, **fields})


def entries(*events: audit_pb2.AuditEvent, start: int = 0) -> list[audit_service_pb2.LogEntry]:
    """Entries of the log with these events, from an index on."""
    return [audit_service_pb2.LogEntry(index=n, leaf=e.SerializeToString()) for n, e in enumerate(events, start)]


@dataclass(frozen=True)
class Auditor:
    """Runs commands against the scripted vault."""

    vault: ScriptedVault
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that say where the vault is."""
        return {
            "PDVAULT_ADDRESS": self.vault.address,
            "PDVAULT_CACERT": str(self.folder / "ca.pem"),
            "PDVAULT_CERT": str(self.folder / "client.pem"),
            "PDVAULT_KEY": str(self.folder / "client.key"),
            "TZ": "UTC",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: object, **more: Any) -> Result:
        """Run ``pdvault audit`` with these arguments."""
        environment = {**self.environment, **more.pop("environment", {})}
        return _run("audit", *arguments, environment=environment, **more)


@pytest.fixture(scope="module")
def _scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auditor]:
    import ipaddress

    from cryptography import x509

    authority = Authority(tmp_path_factory.mktemp("pki") / "ours", "Our CA")
    authority.issue("server", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    authority.issue("client", x509.UniformResourceIdentifier(ME))
    vault = ScriptedVault(authority)
    yield Auditor(vault, authority.directory)
    vault.stop()


@pytest.fixture
def auditor(_scripted: Auditor) -> Auditor:
    """Runs commands against a vault that has no script yet."""
    _scripted.vault.reset()
    return _scripted
