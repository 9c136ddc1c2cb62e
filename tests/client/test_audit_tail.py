"""A tail goes on over broken streams and restarted servers without a gap or a duplicate, and is always ended at the server."""

import threading
from itertools import islice

import grpc
import pytest
from tests.client.conftest import WAIT, ScriptedVault
from tests.client.log_of_leaves import tail

from pdvault_client import AuditClient, EventFilter, PermissionDeniedError, RetryPolicy, UnavailableError, VaultError
from vault.errors import VaultError as ServerError
from vault.v1 import audit_service_pb2, common_pb2

ENDING = ServerError(common_pb2.ERROR_REASON_SHUTTING_DOWN, "the server is shutting down")
BUSY = ServerError(common_pb2.ERROR_REASON_OVERLOADED, "too many calls")
DENIED = ServerError(common_pb2.ERROR_REASON_POLICY_DENIED, "no policy permits this")
STALLED = ServerError(common_pb2.ERROR_REASON_LOG_STALLED, "the log stands still")


def indexes(events, count: int) -> list[int]:
    return [event.index for event in islice(events, count)]


def asked_from(scripted) -> list[int | None]:
    return [request.start_index if request.HasField("start_index") else None for request in scripted.requests()]


def test_events_come_in_order_and_the_stream_is_ended_at_the_server(auditor, scripted):
    scripted.script("Tail", [tail(5, 6), tail(9), WAIT])
    with auditor.tail(EventFilter(action="Reveal"), start_index=5) as events:
        assert indexes(events, 3) == [5, 6, 9]
        (received,) = scripted.received
        assert not received.ended.is_set()
        assert received.remaining_s > 1e9  # how gRPC says that there is no deadline
    assert received.ended.wait(60)
    assert list(events) == []
    assert (received.request.start_index, received.request.filter.action) == (5, "Reveal")


@pytest.mark.parametrize(
    "broken",
    [[], [ENDING], [STALLED], [BUSY], [grpc.StatusCode.CANCELLED], [grpc.StatusCode.UNAVAILABLE], [grpc.StatusCode.INTERNAL]],
    ids=["ended", "ending", "stalled", "busy", "cancelled", "unavailable", "reset"],
)
def test_after_a_break_it_goes_on_where_it_was(auditor, scripted, broken):
    scripted.script("Tail", [tail(5, 6), *broken], broken, broken, [tail(upto=7), tail(7)], [tail(upto=12), *broken], [tail(12)])
    with auditor.tail(start_index=5) as events:
        assert indexes(events, 4) == [5, 6, 7, 12]
    assert asked_from(scripted) == [5, 7, 7, 7, 8, 12]
    assert len({request.context.request_id for request in scripted.requests()}) == 1


def test_from_now_on_becomes_a_place_with_the_first_answer(auditor, scripted):
    scripted.script("Tail", [tail(upto=40), ENDING], [tail(43), WAIT])
    with auditor.tail() as events:
        assert events.next_index is None
        assert next(events).index == 43
        assert events.next_index == 44
    assert asked_from(scripted) == [None, 40]


def test_next_index_never_skips_an_event_that_was_not_passed_on(auditor, scripted):
    scripted.script("Tail", [tail(5, 6, upto=20), WAIT])
    with auditor.tail(start_index=3) as events:
        assert events.next_index == 3
        next(events)
        assert events.next_index == 6
        next(events)
        assert events.next_index == 20


@pytest.mark.parametrize(
    "message",
    [tail(4), tail(6, 6), tail(7, 6), tail(6, upto=6), tail(upto=4)],
    ids=["before", "twice", "back", "next too small", "backwards"],
)
def test_entries_out_of_order_are_an_error_and_end_the_tail(auditor, scripted, message):
    scripted.script("Tail", [message, WAIT])
    events = auditor.tail(start_index=5)
    with pytest.raises(VaultError, match="out of order"):
        next(events)
    assert scripted.received[0].ended.wait(60)


@pytest.mark.parametrize("parts", [[DENIED], [tail(5), DENIED]], ids=["at once", "later"])
def test_a_refusal_ends_it(auditor, scripted, parts):
    scripted.script("Tail", parts)
    with auditor.tail(start_index=5) as events, pytest.raises(PermissionDeniedError):
        list(events)
    assert len(scripted.requests()) == 1


def test_a_server_that_was_never_there_is_given_up_as_with_other_calls(connect, scripted):
    scripted.script("Tail", [STALLED])
    auditor = connect(AuditClient, retry=RetryPolicy(attempts=3, base_s=0.0))
    with auditor.tail() as events, pytest.raises(UnavailableError):
        next(events)
    assert len(scripted.requests()) == 3


@pytest.mark.parametrize("parts", [[], [STALLED]], ids=["ended", "stalled"])
def test_a_server_that_stays_away_is_given_up_after_the_patience(auditor, scripted, parts):
    scripted.script("Tail", [tail(5)], parts)
    with auditor.tail(start_index=5, patience_s=1.0) as events:
        next(events)
        with pytest.raises(UnavailableError):
            next(events)
    assert len(scripted.requests()) > 2


def test_a_wait_between_streams_is_what_the_server_asks_for(connect, scripted):
    soon = ServerError(common_pb2.ERROR_REASON_LOG_STALLED, "the log stands still", retry_after_s=1000.0)
    scripted.script("Tail", [tail(5), soon])
    with connect(AuditClient).tail(start_index=5, patience_s=500.0) as events:
        next(events)
        with pytest.raises(UnavailableError):  # it would be too late then
            next(events)
    assert len(scripted.requests()) == 1


class Listener(threading.Thread):
    """Somebody who iterates a tail until it ends."""

    def __init__(self, events):
        super().__init__()
        self.events = events
        self.seen: list[int] = []
        self.heard = threading.Event()
        self.start()

    def run(self):
        """Iterate."""
        for event in self.events:
            self.seen.append(event.index)
            self.heard.set()


@pytest.mark.parametrize("ended_by", ["tail", "client"])
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "nothing has come"])
def test_another_thread_can_end_a_tail_that_waits_for_events(connect, scripted, ended_by, begun):
    auditor = connect(AuditClient)
    called = threading.Event()
    scripted.script("Tail", lambda _request: called.set() or ([tail(5), WAIT] if begun else [WAIT]))
    events = auditor.tail(start_index=5)
    listener = Listener(events)
    assert called.wait(60)
    assert not begun or listener.heard.wait(60)
    (events if ended_by == "tail" else auditor).close()
    listener.join(60)
    assert not listener.is_alive()
    assert listener.seen == ([5] if begun else [])
    assert scripted.received[0].ended.wait(60)


@pytest.mark.parametrize("ended_by", ["tail", "client"])
def test_another_thread_can_end_a_tail_that_waits_to_connect_again(connect, scripted, ended_by):
    auditor = connect(AuditClient, retry=RetryPolicy(base_s=0.05, cap_s=0.05))
    again = threading.Event()
    scripted.script("Tail", [tail(5)], lambda _request: again.set() or [STALLED])
    events = auditor.tail(start_index=5)
    listener = Listener(events)
    assert again.wait(60)
    (events if ended_by == "tail" else auditor).close()
    listener.join(60)
    assert not listener.is_alive()
    assert listener.seen == [5]


def test_a_tail_of_a_closed_client_has_no_events(auditor):
    events = auditor.tail(start_index=5)
    auditor.close()
    assert list(events) == []


def test_it_survives_the_restart_of_its_server(connect, authority):
    first = ScriptedVault(authority)
    first.script("Tail", [tail(5), WAIT])
    auditor = connect(AuditClient, address=first.address, retry=RetryPolicy(base_s=0.01, cap_s=0.05))
    with auditor.tail(start_index=5) as events:
        assert next(events).index == 5
        first.stop()
        second = ScriptedVault(authority, first.port)
        second.script("Tail", [tail(6), WAIT])
        assert next(events).index == 6
    assert asked_from(second) == [6]
    assert second.received[0].ended.wait(60)
    second.stop()


def test_a_tail_that_is_dropped_is_ended_at_the_server(auditor, scripted):
    scripted.script("Tail", [tail(5), WAIT])
    next(auditor.tail(start_index=5))
    assert scripted.received[0].ended.wait(60)


def test_a_leaf_that_is_no_event_ends_it(auditor, scripted):
    bad = audit_service_pb2.TailResponse(entries=[{"index": 5, "leaf": b"\xff\xff"}], next_index=6)
    scripted.script("Tail", [bad, WAIT])
    with auditor.tail(start_index=5) as events, pytest.raises(VaultError, match="entry 5 is no audit event"):
        next(events)
