"""One vault on PostgreSQL, served to all tests that do not break it, with somebody who looks into its database meanwhile."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import pytest
from google.protobuf.message import Message
from tests.harness import Caller, NewVault, Server, Vault
from tests.server.canaries import traces
from tests.server.ledger import Ledger
from tests.server.refusal import Refusal, refused

from vault.v1 import audit_pb2, common_pb2


@dataclass
class Served:
    """A vault, its server and its database."""

    vault: Vault
    server: Server
    ledger: Ledger

    def check_refused(
        self, caller: Caller, request: Message | tuple[str, bytes], code: str, reason: str, *, audited: str = "", **options: Any
    ) -> Refusal:
        """Make a call that must be refused, and check all that holds for every refusal.

        Status, reason and domain are as said; nothing is written but one audit event that says the same, or the reason
        ``audited`` where the caller must not know it; and no canary stands in the answer, in the event or in the log.
        """
        method, raw = request if isinstance(request, tuple) else (_method(request), request.SerializeToString())
        rows, leaves, logged = self.ledger.rows(), self.ledger.leaves(), self.server.log.stat().st_size
        refusal = refused(lambda: caller.raw(method, raw, **options))
        assert (refusal.code, refusal.reason, refusal.domain) == (code, reason, "vault.v1")
        assert self.ledger.rows() == rows
        events = self.ledger.events(leaves)
        assert [event.action for event in events] == [method], events
        (event,) = events
        assert event.action == method
        assert event.reason == common_pb2.ErrorReason.Value(f"ERROR_REASON_{audited or reason}")
        denied = code == "PERMISSION_DENIED" or audited
        assert event.decision == (audit_pb2.DECISION_DENIED if denied else audit_pb2.DECISION_FAILED)
        assert not traces(refusal.everything + event.SerializeToString() + self.server.log.read_bytes()[logged:])
        return refusal

    def metrics(self) -> list[str]:
        """The lines that Prometheus gets."""
        return metrics(self.server)


def metrics(server: Server) -> list[str]:
    """The lines that Prometheus gets from a server."""
    with urlopen(f"http://{server.metrics_address()}/metrics", timeout=60) as answer:
        return str(answer.read().decode()).splitlines()


def _method(request: Message) -> str:
    return str(request.DESCRIPTOR.name).removesuffix("Request")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> Iterator[Served]:
    """A served vault for the whole run; whoever changes something of it uses a tenant of his own."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("served"))
    ledger = Ledger(vault.config)
    with Server(vault) as server:
        yield Served(vault, server, ledger)
    ledger.close()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], None]:
    """Waits for a condition, for at most a minute."""
    tick = threading.Event()

    def wait(condition: Callable[[], Any]) -> None:
        for _ in range(1200):
            if condition():
                return
            tick.wait(0.05)
        pytest.fail("the condition never held")

    return wait
