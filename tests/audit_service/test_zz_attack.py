import asyncio, time, threading, resource, secrets
import pytest
from tests.audit_service.desk import Desk, event_of, TestWitness
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import PRINCIPALS, UIDS, BEGIN_US, HOUR_US
from tests.harness import context
from vault.store import tables as t
from vault.store.writes import insert
from vault.store.rows import PendingRow
from vault.audit.events import Caller, Draft
from vault.audit.chain import Chain
from vault.audit.index import index
from vault.v1 import audit_pb2, common_pb2
from vault.v1.audit_service_pb2 import *
from vault.errors import VaultError


def q(**f):
    return QueryRequest(context=context("audit"), filter=EventFilter(**f), page_size=100)


def timed(name, f):
    a = time.monotonic()
    try:
        r = f()
    except Exception as e:
        r = f"{type(e).__name__} {str(e)[:200]}"
    print(f"{name}: {time.monotonic() - a:.2f}s rss={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}MB", str(r)[:150])


@pytest.mark.parametrize("n", [60_000])
def test_facets(desk, n):
    ten = desk.new_tenant()
    uid = desk.tenant(ten).uid
    fill(desk, ten, 200, seed=1)
    for at in range(0, n, 2000):
        drafts = []
        for i in range(at, at + 2000):
            d = Draft(
                Caller(uid, PRINCIPALS[0], bytes(32), bytes(32)),
                "Reveal",
                common_pb2.CallContext(purpose=f"p{i}.{secrets.token_hex(20)}", recipient=f"r{i}-{secrets.token_hex(20)}"),
            )
            d.decision = audit_pb2.DECISION_DENIED
            drafts.append(d)
        desk.write(drafts, BEGIN_US + 50 * HOUR_US + at)
    timed("integrate", lambda: desk.integrate())
    for k in range(2):
        timed("query all", lambda: len(desk.ask(q(), tenant=ten).entries))
        timed("query action Search", lambda: len(desk.ask(q(action="Search"), tenant=ten).entries))
        timed("query principal1", lambda: len(desk.ask(q(principal=PRINCIPALS[1]), tenant=ten).entries))
        timed("query DENIED", lambda: len(desk.ask(q(decision=2), tenant=ten).entries))
        timed("query purpose none", lambda: len(desk.ask(q(purpose="nobody"), tenant=ten).entries))
        timed("aggregate", lambda: len(desk.ask(AggregateRequest(context=context("audit"), dimensions=[1]), tenant=ten).counts))

    def breach():
        req = BreachReportRequest(context=context("audit"), principal=PRINCIPALS[0])
        req.start_time.FromMicroseconds(BEGIN_US - HOUR_US)
        req.end_time.FromMicroseconds(BEGIN_US + 100 * HOUR_US)
        return desk.stream(req, tenant=ten)[-1].summary.events

    timed("breach", breach)

    def export():
        req = ExportRequest(context=context("audit"))
        req.start_time.FromMicroseconds(BEGIN_US)
        return len(desk.stream(req, tenant=ten))

    timed("export by time", export)
    assert 0


EV = {
    "nul principal": dict(principal="a\0b"),
    "nul purpose": dict(purpose="\0"),
    "neg time": dict(time_us=-5),
    "huge time": dict(time_us=2**63 - 1),
    "nul node": dict(node="\0"),
    "long purpose": dict(purpose="x" * 60000),
    "decision 1000": dict(decision=2**31 - 1),
    "rid": dict(request_id=b"x" * 60000),
}


@pytest.mark.parametrize("name", list(EV))
def test_weird_pending(desk, name):
    ten = desk.new_tenant()
    uid = desk.tenant(ten).uid
    fill(desk, ten, 20, seed=1)
    try:
        ev = audit_pb2.AuditEvent(tenant_uid=uid, action="Reveal", **EV[name])
    except Exception as e:
        print(name, "cannot be", e)
        return
    size = len(desk.entries(ten))
    try:
        with desk.inside.engine.begin() as c:
            row = desk.inside.rows(t.audit_pending)
            insert(
                c,
                t.audit_pending,
                [
                    PendingRow(tenant_uid=uid, boot_id=b"\7" * 16, sequence=0, leaf=ev.SerializeToString(), created_us=BEGIN_US)
                    if "created_us" in PendingRow._fields
                    else PendingRow(*([uid, b"\7" * 16, 0, ev.SerializeToString(), BEGIN_US][: len(PendingRow._fields)]))
                ],
            )
    except Exception as e:
        print("insert", PendingRow._fields, type(e), e)
        raise
    try:
        desk.integrate()
        print(name, "integrated", size, len(desk.entries(ten)))
    except BaseException as e:
        print(name, "INTEGRATE FAILS", type(e).__name__, str(e)[:200])
    for r in (q(), q(principal=PRINCIPALS[0])):
        timed(name, lambda: len(desk.ask(r, tenant=ten).entries))
    timed("export", lambda: len(desk.stream(ExportRequest(context=context("audit")), tenant=ten)))
    with desk.inside.engine.begin() as c:
        c.execute(t.audit_pending.delete().where(t.audit_pending.c.tenant_uid == uid))
    assert 0
