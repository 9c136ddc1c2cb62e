"""A served vault whose database fails on purpose, each of the two: nothing is released or lost, and it serves on afterwards."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from tests.faults.serving import serves
from tests.harness import Caller, NewVault, Server, Vault, reveal_request
from tests.server.canaries import traces
from tests.server.refusal import refused
from tests.server.requests import good, tokenize, value

from vault import principals
from vault.access.issuing import principal_uri
from vault.errors import VaultError
from vault.server.faults.catalogue import SLOW_DATABASE_S, Fault
from vault.server.faults.database import make_faulty
from vault.v1 import common_pb2

Until = Callable[[Callable[[], Any]], None]
FAULTY = """
from functools import partial
from pathlib import Path
from vault.server import serve
from vault.server.faults.node import FaultyNode
from vault.server.faults.switches import Switches

switches = Switches(Path(sys.argv[1]).parent / "faults", lambda sentence: print(sentence, file=sys.stderr, flush=True))
serve.serve = partial(serve.serve, open_node=lambda config: FaultyNode(config, switches.on))
"""


@dataclass
class Faulty:
    """A server that fails on purpose."""

    server: Server

    def switch(self, *faults: Fault) -> None:
        """From now on it has these faults."""
        (self.server.vault.folder / "faults").write_text("\n".join(faults))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def faulty(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with Server(new_vault(request.param, tmp_path_factory.mktemp("faulty")), prelude=FAULTY) as server:
        yield Faulty(server)


@pytest.fixture
def caller(faulty: Faulty) -> Iterator[Caller]:
    caller = faulty.server.caller("all")
    caller.call(good("ListDataClasses"))
    yield caller
    faulty.switch()


@pytest.mark.parametrize(("fault", "reason"), [(Fault.DB_DOWN, "DATABASE_UNAVAILABLE"), (Fault.DB_READ_ONLY, "DATABASE_READ_ONLY")])
def test_a_database_that_takes_no_event_releases_nothing_and_all_is_as_before_when_it_is_back(
    faulty: Faulty, caller: Caller, until: Until, fault: Fault, reason: str
) -> None:
    token = caller.call(tokenize("phone", max_reveals=1)).results[0].token
    faulty.switch(fault)
    for request in (reveal_request(token), tokenize("email"), good("Search"), good("ListDataClasses")):
        refusal = refused(lambda request=request: caller.call(request))
        assert (refusal.code, refusal.reason, refusal.domain) == ("UNAVAILABLE", reason, "vault.v1")
        assert refusal.retry_after_s
        assert not traces(refusal.everything)
    faulty.switch()
    until(lambda: serves(caller))
    assert caller.call(reveal_request(token)).results[0].value == value("phone")
    assert not traces(faulty.server.log.read_bytes())


def test_a_slow_database_serves_slowly(faulty: Faulty, caller: Caller) -> None:
    faulty.switch(Fault.DB_SLOW)
    begin = time.monotonic()
    token = caller.call(tokenize("phone")).results[0].token
    assert caller.call(reveal_request(token)).results[0].value == value("phone")
    assert time.monotonic() - begin >= 2 * SLOW_DATABASE_S


def test_a_database_lost_while_committing_leaves_nothing_and_the_act_can_be_done_again(vault: Vault) -> None:
    on: set[Fault] = set()
    tenant = vault.tenants["acme"]
    act = (tenant.uid, principal_uri(tenant.name, "late"), "service", ["auditor"])

    def lose(_: sa.Connection) -> None:
        on.add(Fault.DB_DOWN)

    with vault.node() as node:
        node.keys.put(node.loader.load(tenant.uid))
        boot, _ = node.boot()
        sa.event.listen(node.engine, "commit", lose)
        make_faulty(node.engine, lambda: on)
        with pytest.raises(VaultError, match="while committing") as refusal:
            node.act(principals.add(*act))
        sa.event.remove(node.engine, "commit", lose)
        on.clear()
        assert refusal.value.reason == common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE
        assert node.boot()[0] != boot
        node.act(principals.add(*act))
