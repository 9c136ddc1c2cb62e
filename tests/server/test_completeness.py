"""A served log is complete: what leaves no event of its own is told in aggregate, to the last call, and so are start and end."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from deploy.local_stack.postgres import PostgresServer
from tests.harness import Caller as Client
from tests.harness import Server, Vault, make_vault
from tests.server.conftest import Served
from tests.server.ledger import Ledger, all_leaves
from tests.server.refusal import refusal_of, refused
from tests.server.requests import good, tokenize
from tests.server.test_certificates import NAMELESS
from tests.server.test_database_faults import DIE_AT_COMMIT

from vault.access.issuing import principal_uri
from vault.audit.actions import CALLS_REFUSED, UNAUTHENTICATED_CALLS
from vault.audit.events import SYSTEM_TENANT
from vault.server.in_flight import MAX_CALLS
from vault.store import tables as t
from vault.v1 import audit_pb2

Until = Callable[[Callable[[], Any]], None]
OFTEN = "from vault.server import journal\njournal.EVERY_S = 0.2"


def tallies(ledger: Ledger, action: str = CALLS_REFUSED) -> Counter[str]:
    """All that was told under this action, in whatever log."""
    found: Counter[str] = Counter()
    for event in ledger.everything():
        if event.action == action:
            found.update({name: int(count) for name, count in event.details.items()})
    return found


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own, since it gets killed."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def telling(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served vault that tells several times a second."""
    url = postgres.create_database("telling")
    made = make_vault(tmp_path_factory.mktemp("telling"), database=f'url = "{url}"')
    with Server(made, prelude=OFTEN) as server:
        ledger = Ledger(made.config)
        yield Served(made, server, ledger)
        ledger.close()


@pytest.fixture
def client(telling: Served) -> Client:
    made = telling.server.caller("all")
    made.call(good("ListDataClasses"))
    return made


def outcome(client: Client, request: Any) -> str:
    """OK, or the reason of the refusal."""
    try:
        client.call(request)
    except grpc.RpcError as error:
        return refusal_of(error).reason
    return "OK"


def since(ledger: Ledger, before: Counter[str]) -> Counter[str]:
    return tallies(ledger) - before


ALL = principal_uri("acme", "all")


def test_calls_refused_for_overload_are_told_to_the_last_one(telling: Served, client: Client, until: Until) -> None:
    before, leaves = tallies(telling.ledger), telling.ledger.leaves()
    stub = client.channel.unary_unary("/vault.v1.VaultService/ListDataClasses")
    with telling.ledger.locked(t.audit_pending) as is_waited_for:
        futures = [stub.future(good("ListDataClasses").SerializeToString(), timeout=60) for _ in range(MAX_CALLS + 25)]
        until(lambda: is_waited_for() and sum(future.done() for future in futures) == 25)
    assert sum(future.exception() is None for future in futures) == MAX_CALLS
    assert telling.ledger.leaves() == leaves + MAX_CALLS
    expected = {f"ListDataClasses OVERLOADED {ALL}": 25}
    until(lambda: since(telling.ledger, before) == expected)


def test_calls_that_met_a_dead_database_are_told_when_it_is_back(
    postgres: PostgresServer, telling: Served, client: Client, until: Until
) -> None:
    before, refusals = tallies(telling.ledger), 0
    postgres.kill()
    for _ in range(20):
        assert refused(lambda: client.call(tokenize("phone"))).reason == "DATABASE_UNAVAILABLE"
        refusals += 1
    postgres.start()
    while (reason := outcome(client, tokenize("phone"))) != "OK":
        assert reason == "DATABASE_UNAVAILABLE"
        refusals += 1
    until(lambda: since(telling.ledger, before).total() == refusals)
    assert {name.split()[0] for name in since(telling.ledger, before)} == {"Tokenize"}


def test_an_uncertain_commit_is_told_and_so_is_the_boot_that_follows(telling: Served, client: Client, until: Until) -> None:
    before = tallies(telling.ledger)
    ended = telling.ledger.events()[-1].boot_id
    telling.ledger.execute(sa.text(DIE_AT_COMMIT))
    assert refused(lambda: client.call(tokenize("phone"))).reason == "DATABASE_UNAVAILABLE"
    telling.ledger.execute(sa.text("DROP FUNCTION die CASCADE"))
    uncertain = f"Tokenize COMMIT_UNCERTAIN {ALL}"
    until(lambda: since(telling.ledger, before)[uncertain] == 1)

    def goes_on() -> bool:
        """Whether boots, each naming the one before, lead from the one that ended to one that the system's log tells of."""
        system = [event for event in telling.ledger.everything() if event.tenant_uid == SYSTEM_TENANT]
        announced = {event.boot_id for event in system if event.action == "NodeStarted"}
        after = {event.boot_id: event.details["after"] for event in telling.ledger.everything() if event.details.get("after")}
        return any(boot in announced and leads(after, boot, ended) for boot in after)

    until(goes_on)
    client.call(tokenize("phone"))


def leads(after: dict[bytes, str], boot: bytes, to: bytes) -> bool:
    while boot in after:
        boot = bytes.fromhex(after[boot])
        if boot == to:
            return True
    return False


def test_calls_with_a_certificate_that_names_nobody_are_told_in_the_systems_log(telling: Served, until: Until) -> None:
    client = Client(telling.server.channel(NAMELESS["a name that is no SPIFFE ID"](telling.vault.tenants["acme"])))
    for _ in range(3):
        assert refused(lambda: client.call(good("Reveal"))).reason == "CERTIFICATE_REFUSED"
    until(lambda: tallies(telling.ledger, UNAUTHENTICATED_CALLS) == {"Reveal CERTIFICATE_REFUSED": 3})
    assert {e.tenant_uid for e in telling.ledger.everything() if e.action == UNAUTHENTICATED_CALLS} == {SYSTEM_TENANT}


def test_a_server_says_that_it_starts_and_stops_and_who_came_too_late(sqlite_vault: Vault) -> None:
    with Server(sqlite_vault) as server, ThreadPoolExecutor(8) as pool:
        stopping = threading.Event()

        def call_until_refused(_: int) -> list[str]:
            client, outcomes = server.caller("all"), []
            while not outcomes or outcomes[-1] == "OK":
                outcomes.append(outcome(client, good("ListDataClasses")))
            assert stopping.is_set()
            return outcomes

        callers = [pool.submit(call_until_refused, number) for number in range(8)]
        stopping.set()
        assert server.stop() == 0
        outcomes = Counter(outcome for caller in callers for outcome in caller.result(30))
    with sqlite_vault.node() as node, node.engine.connect() as connection:
        events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in all_leaves(connection)]
    boot = next(event.boot_id for event in events if event.action == "NodeStarted")
    mine = sorted((event for event in events if event.boot_id == boot), key=lambda event: event.boot_sequence)
    system = [event for event in mine if event.tenant_uid == SYSTEM_TENANT]
    assert [event.action for event in system] == ["BootStarted", "BootEndorsed", "NodeStarted", "NodeStopping", "BootEnded"]
    assert set(system[2].details) == {"address", "version"}
    assert system[2].details["address"] == server.address
    assert sum(event.action == "ListDataClasses" for event in mine) == outcomes["OK"]
    refusals = sum(int(count) for event in mine if event.action == CALLS_REFUSED for count in event.details.values())
    assert refusals == outcomes["SHUTTING_DOWN"] + outcomes["OVERLOADED"]
