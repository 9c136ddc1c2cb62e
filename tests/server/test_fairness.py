"""Nobody's calls hold up another tenant's: turns in the waitlist, and what one certificate may have under way."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.server.in_flight import MAX_BYTES, MAX_CALLS, InFlight
from vault.server.waitlist import MAX_GROUP, MAX_GROUP_WEIGHT, Waiting, Waitlist
from vault.store.reads import Head
from vault.v1 import common_pb2

ACME, GLOBEX = bytes(15) + b"a", bytes(15) + b"g"


@dataclass
class Asked:
    """A call as the waitlist sees it."""

    head: Head


def waiting(tenant: bytes, request: int, weight: int = 1) -> Waiting:
    head = Head(tenant, b"ca", "spiffe://pdvault/x/y", request.to_bytes(16, "big"))
    return Waiting(Asked(head), weight, Future())  # type: ignore[arg-type]


def tenants_of(group: list[Waiting]) -> list[bytes]:
    return [entry.call.head.tenant_uid for entry in group]


def test_one_call_of_a_tenant_is_in_the_next_group_however_many_another_has_waiting() -> None:
    line = Waitlist(2000)
    for number in range(900):
        line.put(waiting(ACME, number))
    line.put(waiting(GLOBEX, 1))
    group = line.take()
    assert len(group) == MAX_GROUP
    assert GLOBEX in tenants_of(group)[:2]


def test_a_group_stays_within_its_weight_except_for_one_call_alone() -> None:
    line = Waitlist(10)
    for number, weight in enumerate((MAX_GROUP_WEIGHT * 2, 1000, MAX_GROUP_WEIGHT - 1000, 1)):
        line.put(waiting(ACME, number, weight))
    assert [[entry.weight for entry in line.take()] for _ in range(3)] == [
        [MAX_GROUP_WEIGHT * 2],
        [1000, MAX_GROUP_WEIGHT - 1000],
        [1],
    ]


def test_a_request_sent_twice_at_once_goes_into_two_groups_in_order() -> None:
    line = Waitlist(10)
    for request in (1, 1, 2):
        line.put(waiting(ACME, request))
    assert [len(line.take()), len(line.take())] == [1, 2]


def test_acts_that_no_request_asked_for_share_a_group() -> None:
    line, act = Waitlist(10), Asked(Head(ACME, b"", "", b""))
    for _ in range(3):
        line.put(Waiting(act, 1, Future()))  # type: ignore[arg-type]
    assert len(line.take()) == 3


def test_one_tenant_takes_at_most_half_of_the_places_and_all_are_refused_when_none_is_left() -> None:
    line = Waitlist(4)
    for number in range(2):
        line.put(waiting(ACME, number))
    with pytest.raises(VaultError) as refused:
        line.put(waiting(ACME, 9))
    assert refused.value.reason == common_pb2.ERROR_REASON_OVERLOADED
    for number in range(2):
        line.put(waiting(GLOBEX, number))
    with pytest.raises(VaultError) as full:
        line.put(waiting(bytes(16), 1))
    assert full.value.retry_after_s


def test_after_the_end_who_waits_is_served_and_nobody_else_let_in() -> None:
    line = Waitlist(4)
    line.put(waiting(ACME, 1))
    line.end()
    with pytest.raises(VaultError) as refused:
        line.put(waiting(ACME, 2))
    assert refused.value.reason == common_pb2.ERROR_REASON_SHUTTING_DOWN
    assert [len(line.take()), len(line.take())] == [1, 0]


def test_a_certificate_has_a_bounded_number_of_calls_under_way_and_another_is_not_concerned() -> None:
    gate, one, other = InFlight(), Caller(ACME, "a", b"ca", b"1"), Caller(ACME, "b", b"ca", b"2")
    passing = [gate.passing(one, 10) for _ in range(MAX_CALLS)]
    for call in passing:
        call.__enter__()
    with pytest.raises(VaultError) as refused, gate.passing(one, 10):
        pass
    assert refused.value.reason == common_pb2.ERROR_REASON_OVERLOADED
    with gate.passing(other, 10):
        pass
    passing[0].__exit__(None, None, None)
    with gate.passing(one, 10):
        pass


def test_a_certificate_has_a_bounded_number_of_bytes_under_way_but_always_one_call() -> None:
    gate, one = InFlight(), Caller(ACME, "a", b"ca", b"1")
    with gate.passing(one, MAX_BYTES + 1), pytest.raises(VaultError), gate.passing(one, 1):
        pass
    with gate.passing(one, 1):
        pass


def test_a_tenant_is_parsed_one_request_at_a_time_beside_another_tenant() -> None:
    async def scene() -> list[str]:
        gate, seen, go = InFlight(), [], asyncio.Event()

        async def parse(caller: Caller, name: str) -> None:
            async with gate.parsing(caller):
                seen.append(name)
                await go.wait()

        tasks = [asyncio.create_task(parse(Caller(uid, "x"), name)) for uid, name in ((ACME, "a1"), (ACME, "a2"), (GLOBEX, "g1"))]
        while len(seen) < 2:
            await asyncio.sleep(0)
        early = list(seen)
        go.set()
        await asyncio.gather(*tasks)
        return early

    assert asyncio.run(scene()) == ["a1", "g1"]
