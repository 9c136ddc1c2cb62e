"""A server that stops leaves no event to the next start, however long a log took to be taken over, unless it takes too long."""

import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.log.kept import Kept, Writer

from vault.server.keeping import integrating as keeping
from vault.server.keeping.integrating import Integrating
from vault.server.keeping.metrics import LogMetrics
from vault.store import tables as t
from vault.store.log import takeovers
from vault.store.log.integrator import Integrator, Round

PATIENCE_S = 60.0


@pytest.fixture
def gone_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is not set no log is taken over; no round waits for that."""
    monkeypatch.setattr(takeovers, "GRACE_S", 0.0)
    gone_on, real = threading.Event(), takeovers.take_over

    def take_over(*of: Any) -> Any:
        assert gone_on.wait(PATIENCE_S)
        return real(*of)

    gone_on.set()
    monkeypatch.setattr(takeovers, "take_over", take_over)
    return gone_on


def stopping(kept: Kept, gone_on: threading.Event) -> tuple[bytes, Integrating]:
    """A tenant with an event that waits, and what a server keeps its logs with; none is taken over from now on."""
    tenant_uid = kept.new_tenant()
    Writer(kept).commit([tenant_uid])
    gone_on.clear()
    return tenant_uid, Integrating(kept.node, LogMetrics(CollectorRegistry()), kept.watcher)


def test_a_log_that_is_being_taken_over_is_waited_for(
    kept: Kept, gone_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_LAST_S", PATIENCE_S)
    tenant_uid, integrating = stopping(kept, gone_on)
    rounds, real = list[Round](), Integrator.round

    def round_(self: Integrator) -> Round:
        rounds.append(real(self))
        gone_on.set()
        return rounds[-1]

    monkeypatch.setattr(Integrator, "round", round_)
    integrating.close()
    assert rounds[0].entries == 0
    assert kept.rows(t.audit_pending, tenant_uid) == []
    kept.check(tenant_uid)


def test_one_that_takes_too_long_is_left_to_the_next_start(
    kept: Kept, gone_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_LAST_S", 0.1)
    tenant_uid, integrating = stopping(kept, gone_on)
    integrating.close()
    assert kept.rows(t.audit_pending, tenant_uid)
    gone_on.set()
    following = Integrating(kept.node, LogMetrics(CollectorRegistry()), kept.watcher)
    monkeypatch.setattr(keeping, "_LAST_S", PATIENCE_S)
    following.close()
    assert kept.rows(t.audit_pending, tenant_uid) == []
    kept.check(tenant_uid)
