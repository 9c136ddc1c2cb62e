"""AuditService across the network, on a server that keeps its logs: deadlines, tails and how they end."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.audit_service.wire import Wire, audit_context, error_of
from tests.harness import NewVault, Server, Vault, add_tenant, tokenize_request
from tests.use_cases.requests import new_email, new_subject

from vault import principals
from vault.access.issuing import principal_uri
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.audit_service_pb2 import (
    AggregateRequest,
    BreachReportRequest,
    EventFilter,
    ExportRequest,
    GetCheckpointRequest,
    QueryRequest,
    SubjectTimelineRequest,
    TailRequest,
    TailResponse,
)

QUICKLY = """
from vault.server import serve
from vault.server.streams import recheck, tail
serve.REFRESH_S = recheck.EVERY_S = tail.HEARTBEAT_S = 0.5
"""
"""What is looked at every few seconds is looked at more often."""


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> Vault:
    return new_vault("postgres", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(vault: Vault) -> Iterator[Server]:
    with Server(vault, QUICKLY) as served:
        yield served


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Waits for something to be true, for at most a minute; what it was."""
    tick = threading.Event()

    def wait(condition: Callable[[], Any]) -> Any:
        for _ in range(600):
            found = condition()
            if found:
                return found
            tick.wait(0.1)
        pytest.fail("the condition never held")

    return wait


@pytest.fixture
def tenant(vault: Vault) -> str:
    """A tenant of the test's own."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    with vault.node() as node:
        vault.tenants[name] = add_tenant(node, name)
    return name


def auditor(server: Server, tenant: str = "acme") -> Wire:
    return Wire(server, server.vault.tenants[tenant].clients["auditor"])


def trusted(server: Server, tenant: str, until) -> Wire:
    """An auditor of a tenant that was made while the server runs: it reads CAs anew from time to time."""

    def connects() -> Wire | None:
        wire = auditor(server, tenant)
        try:
            wire.ask(GetCheckpointRequest(context=audit_context()))
        except grpc.RpcError:
            return None
        return wire

    found: Wire = until(connects)
    return found


def store(server: Server, tenant: str = "acme", count: int = 1) -> None:
    for _ in range(count):
        server.caller("app", tenant).call(tokenize_request((new_subject(), "email", new_email())))


def tail(**fields: Any) -> TailRequest:
    return TailRequest(context=audit_context(), **fields)


def entries_until(messages: Iterator[TailResponse], is_enough: Callable[[AuditEvent], bool]) -> list[tuple[int, AuditEvent]]:
    """The entries of a tail up to one that is enough."""
    found: list[tuple[int, AuditEvent]] = []
    for message in messages:
        found += [(entry.index, AuditEvent.FromString(entry.leaf)) for entry in message.entries]
        if found and any(is_enough(event) for _, event in found):
            return found
    pytest.fail("the tail ended")


def events_of(wire: Wire, **fields: Any) -> list[AuditEvent]:
    """The newest events that match, as Query answers them."""
    answer = wire.ask(QueryRequest(context=audit_context(), filter=EventFilter(**fields), page_size=1000))
    return [AuditEvent.FromString(entry.leaf) for entry in answer.entries]


def ended(wire: Wire, request: TailRequest, until) -> AuditEvent:
    """The event of a tail's end."""

    def found() -> list[AuditEvent]:
        return events_of(wire, action="TailEnded", request_id=request.context.request_id)

    (event,) = until(found)
    return event


def test_every_method_answers(server: Server) -> None:
    wire = auditor(server)
    store(server)
    report = BreachReportRequest(context=audit_context(), node="test-1")
    report.start_time.FromSeconds(0)
    report.end_time.FromSeconds(4_000_000_000)
    assert wire.ask(QueryRequest(context=audit_context())).entries
    assert wire.ask(AggregateRequest(context=audit_context())).counts
    assert wire.ask(GetCheckpointRequest(context=audit_context())).checkpoint
    wire.ask(SubjectTimelineRequest(context=audit_context(), subject_uid=bytes(16)))
    assert wire.all(report)[-1].HasField("summary")
    assert wire.all(ExportRequest(context=audit_context()))[0].path == "manifest.json"
    with wire.stream(tail(start_index=0)) as messages:
        assert next(messages).entries


def test_it_is_healthy(server: Server) -> None:
    stub = health_pb2_grpc.HealthStub(auditor(server).channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service="vault.v1.AuditService"), timeout=60)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("request_", "timeout", "reason"),
    [
        (QueryRequest, None, "DEADLINE_REQUIRED"),
        (QueryRequest, 90.0, "DEADLINE_TOO_LONG"),
        (ExportRequest, None, "DEADLINE_REQUIRED"),
        (ExportRequest, 700.0, "DEADLINE_TOO_LONG"),
        (BreachReportRequest, None, "DEADLINE_REQUIRED"),
    ],
)
def test_deadlines_are_asked_for(server: Server, request_: Any, timeout: float | None, reason: str) -> None:
    request, wire = request_(context=audit_context()), auditor(server)
    with pytest.raises(grpc.RpcError) as caught:
        wire.ask(request, timeout=timeout) if request_ is QueryRequest else wire.all(request, timeout=timeout)
    assert error_of(caught) == ("INVALID_ARGUMENT", reason)


def test_a_tail_shows_what_comes_and_goes_on_where_it_was_left(server: Server) -> None:
    wire = auditor(server)
    first, second = tail(), tail()
    with wire.stream(first) as messages:
        begin = next(messages).next_index
        store(server)
        seen = entries_until(messages, lambda event: event.action == "Tokenize")
    second.start_index = seen[-1][0] + 1
    store(server)
    with wire.stream(second) as messages:
        seen += entries_until(messages, lambda event: event.action == "Tokenize")
    assert [index for index, _ in seen] == list(range(begin, begin + len(seen)))
    assert [event.action for _, event in seen if event.action in ("Tokenize", "Tail", "TailEnded")].count("Tokenize") == 2


def test_a_tail_with_a_filter_shows_only_what_matches(server: Server) -> None:
    wire = auditor(server)
    with wire.stream(tail(filter=EventFilter(action="Tokenize", principal=principal_uri("acme", "app")))) as messages:
        next(messages)
        store(server, count=3)
        seen = entries_until(messages, lambda event: event.action == "Tokenize")
    assert {event.action for _, event in seen} == {"Tokenize"}


def test_a_tail_leaves_its_range_when_its_caller_goes(server: Server, until) -> None:
    wire, request = auditor(server), tail(start_index=0)
    with wire.stream(request) as messages:
        first = next(messages)
    event = ended(wire, request, until)
    assert event.details["ended"] == "CALLER_GONE"
    assert event.details["start_index"] == "0"
    assert int(event.details["next_index"]) >= first.next_index
    assert int(event.details["sent"]) >= len(first.entries)
    assert event.principal == principal_uri("acme", "auditor")


def test_a_tail_leaves_its_range_when_its_deadline_passes(server: Server, until) -> None:
    wire, request = auditor(server), tail()
    with pytest.raises(grpc.RpcError) as caught:
        wire.all(request, timeout=5)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert ended(wire, request, until).details["ended"] == "CALLER_GONE"


@pytest.mark.parametrize("start", [10**9, 2**64 - 1])
def test_nobody_goes_on_where_nobody_has_been(server: Server, until, start: int) -> None:
    wire, request = auditor(server), tail(start_index=start)
    with pytest.raises(grpc.RpcError) as caught:
        wire.all(request)
    assert error_of(caught) == ("OUT_OF_RANGE", "LOG_RANGE")
    assert dict(ended(wire, request, until).details) == {"ended": "LOG_RANGE"}


def test_a_tail_takes_no_times(server: Server) -> None:
    request = tail()
    request.filter.start_time.FromSeconds(1)
    with pytest.raises(grpc.RpcError) as caught:
        auditor(server).all(request)
    assert error_of(caught) == ("INVALID_ARGUMENT", "INVALID_FIELD")


def test_a_tail_ends_when_its_principal_is_suspended(server: Server, vault: Vault, tenant: str, until) -> None:
    wire, request = trusted(server, tenant, until), tail()
    with wire.stream(request) as messages:
        next(messages)
        uri = principal_uri(tenant, "auditor")
        with vault.node() as node:
            node.act(principals.suspend(vault.tenants[tenant].uid, uri))
        with pytest.raises(grpc.RpcError) as caught:
            list(messages)
    assert error_of(caught) == ("PERMISSION_DENIED", "PRINCIPAL_SUSPENDED")
    with vault.node() as node:
        node.act(principals.resume(vault.tenants[tenant].uid, uri))
    assert ended(wire, request, until).details["ended"] == "PRINCIPAL_SUSPENDED"


def test_a_tenant_has_so_many_tails_and_no_more(server: Server, vault: Vault, tenant: str, until) -> None:
    wire = trusted(server, tenant, until)
    with ExitStack() as stack:
        for _ in range(16):
            next(stack.enter_context(wire.stream(tail())))
        with pytest.raises(grpc.RpcError) as caught:
            wire.all(tail())
        assert error_of(caught) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        with auditor(server).stream(tail()) as messages:  # of another tenant
            next(messages)

    def opens() -> bool:
        with wire.stream(tail()) as messages:
            try:
                next(messages)
            except grpc.RpcError:
                return False
            return True

    until(opens)
    refused = until(lambda: [e for e in events_of(wire, action="Tail") if e.reason])
    assert {event.reason for event in refused} == {61}


def test_a_reader_that_does_not_read_holds_up_nobody(server: Server) -> None:
    lazy, wire = auditor(server), auditor(server)
    store(server, count=5)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(lazy.stream(tail(start_index=0)))
        store(server)
        with wire.stream(tail(start_index=0)) as messages:
            assert entries_until(messages, lambda event: event.action == "Tokenize")


def test_tails_end_with_the_server_and_say_so(tmp_path_factory: pytest.TempPathFactory, new_vault: NewVault) -> None:
    vault = new_vault("postgres", tmp_path_factory.mktemp("ending"))
    request = tail()
    with Server(vault) as server:
        wire = auditor(server)
        with wire.stream(request) as messages:
            next(messages)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            with pytest.raises(grpc.RpcError) as caught:
                list(messages)
            assert error_of(caught) == ("UNAVAILABLE", "SHUTTING_DOWN")
            stopping.join()
    with Server(vault) as server:
        found = events_of(auditor(server), action="TailEnded")
    assert [event.details["ended"] for event in found] == ["SHUTTING_DOWN"]
    assert found[0].request_id.hex() == request.context.request_id.replace("-", "")


def test_a_tail_lives_as_long_as_the_database_answers(server: Server) -> None:
    """A sign of life comes from time to time, with how far the log has been read."""
    with auditor(server).stream(tail(filter=EventFilter(action="Nothing"))) as messages:
        first, second = next(messages), next(messages)
    assert not first.entries
    assert not second.entries
    assert second.next_index >= first.next_index
