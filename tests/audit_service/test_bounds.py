"""What one tenant's calls can't take from others, and what streams leave and lose when something comes between."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest
from tests.audit_service.desk import Desk
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import PRINCIPALS
from tests.harness import context

from vault import principals
from vault.auditing.log import AuditLog
from vault.errors import VaultError
from vault.server.audit_service import EACH_TENANT, THREADS
from vault.server.dispatcher import Dispatcher
from vault.server.streams import recheck
from vault.server.streams.running import REPORTS, REPORTS_EACH, Streams
from vault.v1.audit_service_pb2 import BreachReportRequest, ExportRequest, TailRequest, TailResponse


def on_the_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs on the desk's event loop."""

    @wraps(story)
    def run(desk: Desk, **given: Any) -> None:
        desk.run(story(desk=desk, **given))

    return run


@pytest.fixture
def streams(desk: Desk) -> Streams:
    return Streams(desk.audit, desk.dispatcher, desk.inside.node.keys, desk.lane.submit)


def export() -> ExportRequest:
    return ExportRequest(context=context("audit"))


def breach() -> BreachReportRequest:
    request = BreachReportRequest(context=context("audit"), principal=PRINCIPALS[0])
    request.start_time.FromSeconds(0)
    request.end_time.FromSeconds(2**32)
    return request


@asynccontextmanager
async def opened(desk: Desk, streams: Streams, who: str, tenant: str) -> AsyncIterator[bytes]:
    """A report, as the edge opens it: admitted, and under way until the end of the block."""
    call = desk.call(export(), who, tenant)
    with streams.by_method["Export"].slots.kept_for(call):
        yield await desk.dispatcher.run(call, 1)


@on_the_loop
async def test_calls_that_are_refused_take_no_places_from_anybody(desk: Desk, streams: Streams) -> None:
    slots = streams.by_method["Export"].slots
    calls = [desk.call(export(), who, "acme") for who in ("app", "admin") * REPORTS]
    for call in calls:
        with slots.kept_for(call), pytest.raises(VaultError, match="no policy permits"):
            await desk.dispatcher.run(call, 1)
    refused = [opened(desk, streams, "app", "acme") for _ in range(REPORTS)]
    tasks = [asyncio.create_task(each.__aenter__()) for each in refused]
    async with opened(desk, streams, "auditor", "acme"), opened(desk, streams, "auditor", "globex"):
        await asyncio.wait(tasks)


@on_the_loop
async def test_one_stream_too_many_is_refused_with_an_event_and_ended_ones_make_room(desk: Desk, streams: Streams) -> None:
    tenants = [desk.new_tenant() for _ in range(REPORTS // REPORTS_EACH + 1)]
    first, *others, last = tenants
    for _ in range(2):
        places = [opened(desk, streams, "auditor", tenant) for tenant in (first, *others) for _ in range(REPORTS_EACH)]
        for place in places:
            await place.__aenter__()
        for tenant in (first, last):
            with pytest.raises(VaultError) as refusal:
                await opened(desk, streams, "auditor", tenant).__aenter__()
            assert refusal.value.reason_name == "OVERLOADED"
            assert desk.last_event(tenant).reason == refusal.value.reason
        for place in places:
            await place.__aexit__(None, None, None)


@on_the_loop
async def test_a_caller_who_has_gone_before_its_turn_holds_no_place(desk: Desk, streams: Streams) -> None:
    tenant, slots = desk.new_tenant(), streams.by_method["Export"].slots
    for _ in range(REPORTS_EACH):
        call = desk.call(export(), "auditor", tenant)
        with slots.kept_for(call):
            pass
        await desk.dispatcher.run(call, 1)
    async with opened(desk, streams, "auditor", tenant):
        pass


@on_the_loop
async def test_whoever_calls_and_hangs_up_has_no_more_threads_than_who_waits(desk: Desk) -> None:
    uid, other = desk.tenant("acme").uid, desk.tenant("globex").uid
    begun, let_go = threading.Semaphore(0), threading.Event()

    def long(_log: AuditLog) -> int:
        begun.release()
        let_go.wait(60)
        return 0

    async def ask() -> int:
        return await desk.audit.read(uid, long, time.monotonic() + 60)

    asked = [asyncio.create_task(ask()) for _ in range(EACH_TENANT)]
    for _ in asked:
        await asyncio.to_thread(begun.acquire)
    for task in asked:
        task.cancel()
    asked += [asyncio.create_task(ask()) for _ in range(THREADS)]
    assert await desk.audit.read(other, lambda log: log.head.size, time.monotonic() + 60)
    assert not begun.acquire(blocking=False)
    let_go.set()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in ended] == [True] * EACH_TENANT + [False] * THREADS


@on_the_loop
async def test_tails_are_looked_after_whatever_is_read_meanwhile(desk: Desk) -> None:
    """Else two tenants' long queries would end everybody's tails."""
    let_go = threading.Event()
    tenants = [desk.tenant(name).uid for name in ("acme", "globex")]
    begun = threading.Semaphore(0)

    def long(_log: AuditLog) -> None:
        begun.release()
        let_go.wait(60)

    asked = [asyncio.create_task(desk.audit.read(uid, long, time.monotonic() + 60)) for uid in tenants for _ in range(EACH_TENANT)]
    assert len(asked) == THREADS
    for _ in asked:
        await asyncio.to_thread(begun.acquire)
    assert set(await desk.audit.sizes(tenants)) == set(tenants)
    assert (await desk.audit.admission_rows(desk.call(export(), "auditor", "acme").head)).principal
    let_go.set()
    await asyncio.gather(*asked)


@pytest.mark.parametrize("request_of", [export, breach])
def test_who_loses_the_right_to_a_report_gets_no_more_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, request_of: Callable[[], ExportRequest | BreachReportRequest]
) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 30, seed=3)
    assert desk.stream(request_of(), tenant=tenant)
    monkeypatch.setattr(recheck, "EVERY_S", 0.0)
    real = Dispatcher.run

    async def run(dispatcher: Dispatcher, call, weight: int) -> bytes:
        answer = await real(dispatcher, call, weight)
        uri = desk.inside.caller("auditor", tenant).name
        desk.inside.node.act(principals.suspend(desk.tenant(tenant).uid, uri))
        return answer

    monkeypatch.setattr(Dispatcher, "run", run)
    assert desk.refused(request_of(), tenant=tenant).reason_name == "PRINCIPAL_SUSPENDED"


@on_the_loop
async def test_a_tails_event_names_also_what_it_was_cut_off_from_sending(desk: Desk, streams: Streams) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 30, seed=4)
    request = TailRequest(context=context("audit"), start_index=0)
    call = desk.call(request, "auditor", tenant)
    resolved = await desk.dispatcher.run(call, 1)
    arrived: list[TailResponse] = []

    async def send(raw: bytes) -> None:
        arrived.append(TailResponse.FromString(raw))
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await streams.by_method["Tail"].run(call, resolved, 0.0, send)
    while streams.are_closing:
        await asyncio.sleep(0.01)
    event = desk.last_event(tenant)
    assert event.action == "TailEnded"
    assert (event.details["start_index"], event.details["next_index"]) == ("0", str(arrived[0].next_index))
    assert event.details["sent"] == str(len(arrived[0].entries))
