"""A served vault and a real OpenBao, with a proxy between them that fails on purpose: what is declared for each fault holds."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from deploy.local_stack.kms_proxy import KmsProxy
from deploy.local_stack.openbao import OpenBaoServer
from tests.faults.serving import serves
from tests.harness import Caller, Server, make_vault, reveal_request
from tests.server.canaries import traces
from tests.server.conftest import Served
from tests.server.ledger import Ledger
from tests.server.requests import good, tokenize, value

from vault.audit.actions import KMS_AWAY, KMS_BACK
from vault.errors import VaultError
from vault.server.backends import key_manager
from vault.server.faults.catalogue import SLOW_KMS_S, Fault
from vault.server.faults.key_manager import faulty
from vault.v1 import common_pb2

Until = Callable[[Callable[[], Any]], None]
TTL_S = 1
LOOKS_OFTEN = "from vault.server.keeping import guard\nguard.EVERY_S = 0.5\n"
"""So that each fault is looked at while keys are in memory."""


@dataclass
class Shaky(Served):
    """A served vault whose KMS is behind the proxy."""

    proxy: KmsProxy

    def asked(self, what: str, tenant: str = "acme") -> int:
        """How often the KMS was asked for something of a tenant."""
        return sum(what in path and self.vault.tenants[tenant].uid.hex() in path for path in tuple(self.proxy.requests))

    def said(self, action: str, tenant: str = "acme") -> list[int]:
        """The reasons with which the server has said something in a tenant's log."""
        events = [event for event in self.ledger.everything() if event.tenant_uid == self.vault.tenants[tenant].uid]
        return [event.reason for event in events if event.action == action]

    def with_fresh_keys(self, caller: Caller) -> None:
        """Return when the keys of acme have just been fetched."""
        before = self.asked("decrypt")
        for _ in count():
            serves(caller)
            if self.asked("decrypt") > before:
                caller.call(good("ListDataClasses"))
                return


@pytest.fixture(scope="module")
def shaky(tmp_path_factory: pytest.TempPathFactory, new_postgres_url: Callable[[], str]) -> Iterator[Shaky]:
    """Each test leaves the KMS in order. Nobody has called for globex yet."""
    with (
        OpenBaoServer(tmp_path_factory.mktemp("openbao") / "server") as bao,
        KmsProxy(bao.address, bao.ca_file.parent) as proxy,
    ):

        def login(role: str) -> str:
            files = bao.credentials(role)
            return f'{{method = "approle", role_id_file = "{files.role_id_file}", secret_id_file = "{files.secret_id_file}"}}'

        kms = f'kind = "transit"\naddress = "{proxy.address}"\nca_file = "{bao.ca_file}"\n'
        kms += f"auth = {login('app')}\nprovisioner = {login('provisioner')}"
        database = f'url = "{new_postgres_url()}"'
        vault = make_vault(tmp_path_factory.mktemp("shaky"), database=database, kms=kms, limits=f"key_cache_ttl_s = {TTL_S}")
        ledger = Ledger(vault.config)
        with Server(vault, prelude=LOOKS_OFTEN) as server:
            yield Shaky(vault, server, ledger, proxy)
        ledger.close()


@pytest.fixture
def caller(shaky: Shaky, until: Until) -> Iterator[Caller]:
    caller = shaky.server.caller("all")
    until(lambda: serves(caller))
    yield caller
    shaky.proxy.faults = frozenset()
    assert shaky.server.process.poll() is None, shaky.server.log.read_text()[-2000:]


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (Fault.KMS_DOWN, "KMS_UNAVAILABLE", "KMS is unavailable"),
        (Fault.KMS_SEALED, "KMS_SEALED", "unseal"),
        (Fault.KMS_DENIED, "KMS_DENIED", "check role and credentials"),
        (Fault.KMS_RATE_LIMITED, "KMS_UNAVAILABLE", "429"),
    ],
)
def test_calls_go_on_with_the_keys_in_memory_then_are_refused_and_go_on_when_the_fault_is_over(
    shaky: Shaky, caller: Caller, until: Until, fault: Fault, reason: str, words: str
) -> None:
    away, back = shaky.said(KMS_AWAY), shaky.said(KMS_BACK)
    shaky.with_fresh_keys(caller)
    shaky.proxy.faults = {fault}
    token = caller.call(tokenize("phone", max_reveals=2)).results[0].token
    assert caller.call(reveal_request(token)).results[0].value == value("phone")
    until(lambda: shaky.said(KMS_AWAY) == [*away, common_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}")])
    until(lambda: not serves(caller))
    for request in (reveal_request(token), good("Tokenize"), good("Search")):
        refusal = shaky.check_refused(caller, request, "UNAVAILABLE", reason)
        assert refusal.retry_after_s
    assert words in refusal.message or "not asked again yet" in refusal.message
    _check_that_no_storm_comes(shaky)
    shaky.proxy.faults = frozenset()
    until(lambda: serves(caller))
    assert caller.call(reveal_request(token)).results[0].value == value("phone")
    until(lambda: len(shaky.said(KMS_BACK)) > len(back))
    until(lambda: "vault_tenants_without_kms 0.0" in shaky.metrics())


def _check_that_no_storm_comes(shaky: Shaky, calls: int = 160) -> None:
    """However many calls are refused, the KMS is asked as often as time goes by."""
    callers = [shaky.server.caller("all", tenant) for tenant in ("acme", "globex") for _ in range(4)]
    begin, asked = time.monotonic(), len(shaky.proxy.requests)
    with ThreadPoolExecutor(len(callers)) as pool:
        answers = list(pool.map(lambda number: serves(callers[number % len(callers)]), range(calls)))
    assert not any(answers)
    at_most = 12 * (1 + time.monotonic() - begin)  # three requests for each attempt: by two tenants, three logs, the guard
    assert len(shaky.proxy.requests) - asked <= min(at_most, calls / 2)


def test_a_slow_kms_serves_slowly_whose_keys_are_not_in_memory_and_holds_up_nobody_else(shaky: Shaky, caller: Caller) -> None:
    waiting = shaky.server.caller("all", "globex")
    method = waiting.channel.unary_unary("/vault.v1.VaultService/Tokenize")
    shaky.with_fresh_keys(caller)
    shaky.proxy.faults = {Fault.KMS_SLOW}
    held_up = method.future(good("Tokenize").SerializeToString(), timeout=60)
    begin = time.monotonic()
    for _ in range(2):
        caller.call(tokenize("phone"))
    assert not held_up.done()
    assert held_up.result()
    assert time.monotonic() - begin > SLOW_KMS_S


@pytest.mark.parametrize("fault", [Fault.KMS_DOWN, Fault.KMS_SEALED, Fault.KMS_DENIED, Fault.KMS_RATE_LIMITED])
def test_a_development_vault_refuses_in_the_same_words_as_one_with_a_real_kms(shaky: Shaky, fault: Fault) -> None:
    shaky.proxy.faults = {fault}
    tenant_uid, real = shaky.vault.tenants["acme"].uid, key_manager(shaky.vault.config)
    errors = []
    for manager in (real, faulty(real, lambda: {fault})):
        with pytest.raises(VaultError) as caught:
            manager.read_anchor(tenant_uid)
        errors.append((type(caught.value), caught.value.message, caught.value.retry_after_s))
    shaky.proxy.faults = frozenset()
    assert errors[0] == errors[1]
    real.close()


def test_no_key_and_no_value_has_reached_the_servers_log(shaky: Shaky, caller: Caller) -> None:
    assert serves(caller)
    logged = shaky.server.log.read_bytes()
    assert b"the KMS is away" in logged
    with shaky.vault.node() as node:
        keys = node.loader.load(shaky.vault.tenants["acme"].uid)
    raw = [key.raw for kind in (keys.authority.keys, keys.epochs, keys.indexes) for key in kind.values()]
    assert not traces(logged)
    assert not traces(logged, *raw)
