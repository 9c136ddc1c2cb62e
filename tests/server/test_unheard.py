"""Calls without an event of their own: counted within bounds by whoever refuses them, and told in the logs as soon as possible."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.audit.verifier import verify_log
from tests.harness import Vault
from tests.server.ledger import all_leaves
from tests.server.requests import good
from tests.use_cases.inside import Inside, inside

from vault.audit.actions import CALLS_REFUSED, UNAUTHENTICATED_CALLS
from vault.audit.chain import MAX_LEAF, Chain
from vault.audit.events import SYSTEM_TENANT, Caller, Draft
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError
from vault.server.dispatcher import Dispatcher
from vault.server.journal import Journal
from vault.server.lane import Lane
from vault.server.metrics import Metrics
from vault.server.unheard import MAX_ALL_NAMES, MAX_NAMES, OTHERS, Unheard
from vault.v1 import audit_pb2, common_pb2

Until = Callable[[Callable[[], Any]], None]
ACME, GLOBEX = b"a" * 16, b"g" * 16
BILLING = Caller(ACME, "spiffe://pdvault/acme/billing")
OVERLOADED = VaultError(common_pb2.ERROR_REASON_OVERLOADED, "too much")


def refuse(unheard: Unheard, caller: Caller, method: str, error: BaseException = OVERLOADED) -> None:
    """A call that fails before it could leave an event."""
    with pytest.raises(type(error)), unheard.counting(caller, method):
        raise error


def counts(unheard: Unheard) -> dict[tuple[bytes, str], dict[str, int]]:
    return {(tally.tenant_uid, tally.action): dict(tally.counts) for tally in unheard.tallies()}


# The counts.


def test_calls_are_counted_by_log_method_reason_and_principal() -> None:
    unheard = Unheard()
    for _ in range(3):
        refuse(unheard, BILLING, "Reveal")
    refuse(unheard, BILLING, "Search")
    refuse(unheard, BILLING, "Reveal", asyncio.CancelledError())
    refuse(unheard, BILLING, "Reveal", TypeError("with a text that could hold anything"))
    refuse(unheard, replace(BILLING, tenant_uid=GLOBEX), "Reveal")
    unheard.stranger("Reveal", "CERTIFICATE_REFUSED")
    assert counts(unheard) == {
        (ACME, CALLS_REFUSED): {
            f"Reveal OVERLOADED {BILLING.name}": 3,
            f"Search OVERLOADED {BILLING.name}": 1,
            f"Reveal CALLER_GONE {BILLING.name}": 1,
            f"Reveal INTERNAL {BILLING.name}": 1,
        },
        (GLOBEX, CALLS_REFUSED): {f"Reveal OVERLOADED {BILLING.name}": 1},
        (SYSTEM_TENANT, UNAUTHENTICATED_CALLS): {"Reveal CERTIFICATE_REFUSED": 1},
    }


def test_what_goes_well_is_not_counted() -> None:
    unheard = Unheard()
    with unheard.counting(BILLING, "Reveal"):
        pass
    assert unheard.tallies() == []


def test_only_what_was_told_is_forgotten() -> None:
    unheard = Unheard()
    refuse(unheard, BILLING, "Reveal")
    (told,) = unheard.tallies()
    refuse(unheard, BILLING, "Reveal")
    refuse(unheard, BILLING, "Search")
    unheard.told(told)
    assert counts(unheard) == {
        (ACME, CALLS_REFUSED): {f"Reveal OVERLOADED {BILLING.name}": 1, f"Search OVERLOADED {BILLING.name}": 1}
    }
    for tally in unheard.tallies():
        unheard.told(tally)
    assert unheard.tallies() == []


def test_names_are_bounded_in_each_log_and_the_rest_is_summed() -> None:
    unheard = Unheard()
    for _ in range(2):
        for number in range(MAX_NAMES + 50):
            refuse(unheard, replace(BILLING, name=f"{BILLING.name}/{number}"), "Reveal")
    ((_, _, found),) = unheard.tallies()
    assert len(found) == MAX_NAMES + 1
    assert found[OTHERS] == 2 * 50
    assert sum(found.values()) == 2 * (MAX_NAMES + 50)


def test_names_are_bounded_in_all_logs_together_and_free_again_once_told() -> None:
    unheard = Unheard()
    tenants = [number.to_bytes(16, "big") for number in range(1, 2 + MAX_ALL_NAMES // MAX_NAMES)]
    for tenant in tenants:
        for number in range(MAX_NAMES):
            refuse(unheard, Caller(tenant, str(number)), "Reveal")
    assert counts(unheard)[tenants[0], CALLS_REFUSED].keys() >= {"Reveal OVERLOADED 0"}
    assert counts(unheard)[tenants[-1], CALLS_REFUSED] == {OTHERS: MAX_NAMES}
    for tally in unheard.tallies():
        unheard.told(tally)
    refuse(unheard, Caller(tenants[-1], "0"), "Reveal")
    assert counts(unheard) == {(tenants[-1], CALLS_REFUSED): {"Reveal OVERLOADED 0": 1}}


def test_the_longest_names_fit_into_a_leaf() -> None:
    unheard = Unheard()
    for number in range(MAX_NAMES + 1):
        refuse(unheard, replace(BILLING, name=f"{number:0255}"), "ListDataClasses", asyncio.CancelledError())
    ((tenant_uid, action, found),) = unheard.tallies()
    details = {name: str(2**63) for name in found}
    draft = Draft(Caller(tenant_uid, ""), action, common_pb2.CallContext(), details=details)
    leaves = Chain("n" * 63).extend([draft], {}, 1).leaves
    assert len(leaves[-1].leaf) < MAX_LEAF


def test_threads_lose_no_count() -> None:
    unheard, rounds = Unheard(), 400
    told: Counter[str] = Counter()

    def refuse_many(_: int) -> None:
        for _ in range(rounds):
            refuse(unheard, BILLING, "Reveal")

    with ThreadPoolExecutor(4) as pool:
        running = list(map(lambda n: pool.submit(refuse_many, n), range(4)))
        while not all(one.done() for one in running):
            for tally in unheard.tallies():
                told.update(tally.counts)
                unheard.told(tally)
    for tally in unheard.tallies():
        told.update(tally.counts)
    assert told == {f"Reveal OVERLOADED {BILLING.name}": 4 * rounds}


# Whoever refuses.


@pytest.fixture
def vault(sqlite_vault: Vault) -> Iterator[Inside]:
    with inside(sqlite_vault) as opened:
        opened.keys()
        yield opened


@pytest.fixture
def unheard(vault: Inside) -> Unheard:
    made = Unheard()
    vault.node.runner.on_unheard = made.refused
    return made


@contextmanager
def lane(vault: Inside, places: int = 100) -> Iterator[Lane]:
    made = Lane(vault.node.runner, places, lambda _size: None)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def held_up(vault: Inside) -> Iterator[threading.Event]:
    """The runner waits until the event is set, and at the end of the block; it is waiting when the block begins."""
    runner, go, waiting = vault.node.runner, threading.Event(), threading.Event()
    run = runner.run

    def wait(calls: Any) -> Any:
        waiting.set()
        assert go.wait(60)
        return run(calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run", wait)
        yield go
        go.set()


def test_a_full_waitlist_and_a_caller_who_went_are_counted(vault: Inside, unheard: Unheard) -> None:
    name = vault.caller().name
    with vault.events() as events, lane(vault, places=4) as line, held_up(vault):
        first = line.submit(vault.call(good("ListDataClasses")), 1)
        while not first.running():
            pass
        answered, gone = (line.submit(vault.call(good("ListDataClasses")), 1) for _ in range(2))
        with pytest.raises(VaultError):
            line.submit(vault.call(good("Describe")), 1)
        assert gone.cancel()
    assert isinstance(answered.result(30), bytes)
    assert len(events) == 2
    assert counts(unheard)[vault.tenant().uid, CALLS_REFUSED] == {
        f"Describe OVERLOADED {name}": 1,
        f"ListDataClasses CALLER_GONE {name}": 1,
    }


def test_a_call_after_the_end_of_the_lane_is_counted(vault: Inside, unheard: Unheard) -> None:
    with lane(vault) as line:
        pass
    with pytest.raises(VaultError):
        line.submit(vault.call(good("ListDataClasses")), 1)
    assert counts(unheard)[vault.tenant().uid, CALLS_REFUSED] == {f"ListDataClasses SHUTTING_DOWN {vault.caller().name}": 1}


def test_a_group_that_could_not_be_run_at_all_is_counted(vault: Inside, unheard: Unheard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> None:
        raise TypeError

    monkeypatch.setattr(vault.node.runner, "run", broken)
    with lane(vault) as line:
        assert isinstance(line.submit(vault.call(good("ListDataClasses")), 1).result(30), VaultError)
    assert counts(unheard)[vault.tenant().uid, CALLS_REFUSED] == {f"ListDataClasses INTERNAL {vault.caller().name}": 1}


class Answering:
    """A lane that answers as the test says."""

    def __init__(self, *answers: Any) -> None:
        self.futures: list[Future[Any]] = []
        self._answers = list(answers)

    def submit(self, _call: Any, _weight: int) -> "Future[Any]":
        """The next answer, or the promise of one."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        if self._answers:
            future.set_result(self._answers.pop(0))
        self.futures.append(future)
        return future


def dispatched(vault: Inside, unheard: Unheard, line: Answering, until_cancelled: Any = None) -> BaseException:
    """What a call ends in that is dispatched to this lane, and cancelled once the condition holds, if there is one."""

    async def scene() -> BaseException:
        dispatcher = Dispatcher(line, vault.node.loader, vault.node.keys, Metrics(), unheard)  # type: ignore[arg-type]
        running = asyncio.create_task(dispatcher.run(vault.call(good("ListDataClasses")), 1))
        while until_cancelled and not until_cancelled():
            await asyncio.sleep(0)
        if until_cancelled:
            running.cancel()
        (ended,) = await asyncio.gather(running, return_exceptions=True)
        dispatcher.close()
        assert isinstance(ended, BaseException)
        return ended

    return asyncio.run(scene())


def test_a_call_whose_keys_keep_changing_is_counted(vault: Inside, unheard: Unheard) -> None:
    missing = KeysMissingError(vault.tenant().uid)
    ended = dispatched(vault, unheard, Answering(*[missing] * 3))
    assert isinstance(ended, VaultError)
    assert counts(unheard)[vault.tenant().uid, CALLS_REFUSED] == {f"ListDataClasses CONFLICT {vault.caller().name}": 1}


@pytest.mark.parametrize("answer", [b"", OVERLOADED, "keys"])
def test_a_caller_who_goes_while_the_call_runs_is_counted_only_if_it_then_waits_for_keys(
    vault: Inside, unheard: Unheard, answer: Any
) -> None:
    line = Answering()
    ended = dispatched(vault, unheard, line, lambda: line.futures)
    assert isinstance(ended, asyncio.CancelledError)
    line.futures[0].set_result(KeysMissingError(vault.tenant().uid) if answer == "keys" else answer)
    expected = {f"ListDataClasses CALLER_GONE {vault.caller().name}": 1}
    assert [dict(tally.counts) for tally in unheard.tallies()] == ([expected] if answer == "keys" else [])


def test_a_caller_who_goes_while_keys_are_fetched_is_counted(
    vault: Inside, unheard: Unheard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching, go = threading.Event(), threading.Event()

    def load(_: bytes) -> None:
        fetching.set()
        assert go.wait(60)
        raise OVERLOADED

    monkeypatch.setattr(vault.node.loader, "load", load)

    def is_fetching() -> bool:
        if fetching.is_set():
            threading.Timer(0.1, go.set).start()
        return fetching.is_set()

    ended = dispatched(vault, unheard, Answering(KeysMissingError(vault.tenant().uid)), is_fetching)
    assert isinstance(ended, asyncio.CancelledError)
    assert counts(unheard)[vault.tenant().uid, CALLS_REFUSED] == {f"ListDataClasses CALLER_GONE {vault.caller().name}": 1}


# The journal.


def told(vault: Inside, tenant_uid: bytes) -> list[audit_pb2.AuditEvent]:
    with vault.engine.connect() as connection:
        events = map(audit_pb2.AuditEvent.FromString, all_leaves(connection))
        return [
            event for event in events if event.tenant_uid == tenant_uid and event.action in (CALLS_REFUSED, UNAUTHENTICATED_CALLS)
        ]


def tell(vault: Inside, unheard: Unheard) -> None:
    async def scene() -> None:
        await Journal(vault.node, unheard, line.submit).tell()

    with lane(vault) as line:
        asyncio.run(scene())


def test_each_log_is_told_of_its_own_calls(vault: Inside, unheard: Unheard) -> None:
    acme, globex = vault.tenant().uid, vault.tenant("globex").uid
    for caller, method in ((Caller(acme, "a"), "Reveal"), (Caller(acme, "a"), "Reveal"), (Caller(globex, "g"), "Search")):
        refuse(unheard, caller, method)
    unheard.stranger("Reveal", "CERTIFICATE_REFUSED")
    tell(vault, unheard)
    assert unheard.tallies() == []
    found = {uid: [(event.action, event.decision, dict(event.details)) for event in told(vault, uid)] for uid in (acme, globex)}
    assert found == {
        acme: [(CALLS_REFUSED, audit_pb2.DECISION_FAILED, {"Reveal OVERLOADED a": "2"})],
        globex: [(CALLS_REFUSED, audit_pb2.DECISION_FAILED, {"Search OVERLOADED g": "1"})],
    }
    (event,) = told(vault, SYSTEM_TENANT)
    assert (event.action, event.decision) == (UNAUTHENTICATED_CALLS, audit_pb2.DECISION_DENIED)
    assert dict(event.details) == {"Reveal CERTIFICATE_REFUSED": "1"}
    for uid in (acme, globex, SYSTEM_TENANT):  # the boot is endorsed in each, although nobody called there
        with vault.engine.connect() as connection:
            leaves = [leaf for leaf in all_leaves(connection) if audit_pb2.AuditEvent.FromString(leaf).tenant_uid == uid]
        assert verify_log(leaves, uid, vault.node.key_manager.log_public_key(uid)) == []


def test_what_could_not_be_written_is_told_later_and_once(vault: Inside, unheard: Unheard) -> None:
    refuse(unheard, Caller(vault.tenant().uid, "a"), "Reveal")
    before = unheard.tallies()

    def fail(*_: Any) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("lost"))

    sa.event.listen(vault.engine, "commit", fail)
    tell(vault, unheard)
    sa.event.remove(vault.engine, "commit", fail)
    assert unheard.tallies() == before
    assert told(vault, vault.tenant().uid) == []
    tell(vault, unheard)
    tell(vault, unheard)
    assert [dict(event.details) for event in told(vault, vault.tenant().uid)] == [{"Reveal OVERLOADED a": "1"}]


def test_it_is_told_while_the_kms_is_away(vault: Inside, unheard: Unheard, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: bytes) -> None:
        raise VaultError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "away")

    vault.node.keys.clear()
    monkeypatch.setattr(vault.node.loader, "load", away)
    refuse(unheard, Caller(vault.tenant().uid, "a"), "Reveal")
    tell(vault, unheard)
    assert len(told(vault, vault.tenant().uid)) == 1
