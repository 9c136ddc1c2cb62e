"""Whoever runs the vault hears once that the logs stand still with the database, and once that they grow again."""

from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from tests.log.kept import Kept, Writer

from vault.store import tables as t
from vault.store.log import integrator as module


def test_an_outage_is_told_once_however_often_it_is_tried_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant_uid = kept.new_tenant()
    Writer(kept).commit([tenant_uid])
    working = kept.integrator()

    def gone(_connection: Any) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            with monkeypatch.context() as patched:
                patched.setattr(module, "waiting", gone)
                for _ in range(5):
                    working.round()
            kept.run(working)
    outage = ["logs can't be integrated; it is tried again", "logs are integrated again"]
    assert [event["event"] for event in told if event["event"] in outage] == outage * 2
    assert not kept.rows(t.audit_pending, tenant_uid)
    kept.check(tenant_uid)
