"""A real OpenBao behind the vault: what it is asked and by whom, and what callers get while it is gone, sealed, slow or says no."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deploy.local_stack.openbao import OpenBaoServer
from tests.harness import Caller, Server, make_vault, reveal_request
from tests.server.canaries import traces
from tests.server.conftest import Served
from tests.server.ledger import Ledger
from tests.server.refusal import Refusal, refusal_of, refused
from tests.server.requests import good, tokenize, value

from vault.errors import VaultError
from vault.server.serve import serve
from vault.v1 import common_pb2

Until = Callable[[Callable[[], Any]], None]
TTL_S = 3


@dataclass
class Keyed(Served):
    """A served vault, and where OpenBao's audit log ended before it was served."""

    audit_from: int


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoServer]:
    """An OpenBao of this module's own; whoever stops or seals it puts it back."""
    with OpenBaoServer(tmp_path_factory.mktemp("openbao") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def keyed(bao: OpenBaoServer, tmp_path_factory: pytest.TempPathFactory, new_postgres_url: Callable[[], str]) -> Iterator[Keyed]:
    """A vault whose keys OpenBao holds, and which forgets them after a few seconds. Nobody has called for globex yet."""

    def login(role: str) -> str:
        files = bao.credentials(role)
        return f'{{method = "approle", role_id_file = "{files.role_id_file}", secret_id_file = "{files.secret_id_file}"}}'

    kms = f'kind = "transit"\naddress = "{bao.address}"\nca_file = "{bao.ca_file}"\n'
    kms += f"auth = {login('app')}\nprovisioner = {login('provisioner')}"
    limits = f"key_cache_ttl_s = {TTL_S}"
    vault = make_vault(tmp_path_factory.mktemp("keyed"), database=f'url = "{new_postgres_url()}"', kms=kms, limits=limits)
    ledger, audit_from = Ledger(vault.config), bao.audit_log.stat().st_size
    with Server(vault) as server:
        yield Keyed(vault, server, ledger, audit_from)
    ledger.close()


@pytest.fixture
def caller(keyed: Keyed) -> Caller:
    return keyed.server.caller("all")


def _refusal(caller: Caller) -> Refusal | None:
    try:
        caller.call(good("ListDataClasses"))
    except Exception as error:  # noqa: BLE001  looked at by whoever asked
        return refusal_of(error)
    return None


def _until_refused(caller: Caller, until: Until) -> None:
    """Until the keys in memory have had their time."""
    until(lambda: _refusal(caller))


@contextmanager
def _standing_still(bao: OpenBaoServer) -> Iterator[None]:
    """A KMS that takes connections and answers nothing."""
    process: Any = bao._process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.fixture
def remembering(keyed: Keyed, tmp_path: Path) -> Iterator[Server]:
    """Another server of the same vault, which does not forget keys while a test looks."""
    vault = keyed.vault.copy(tmp_path, keyed.vault.config.database.url or "")
    settings = vault.folder / "vault.toml"
    settings.write_text(settings.read_text().replace(f"key_cache_ttl_s = {TTL_S}", "key_cache_ttl_s = 600"))
    with Server(vault) as server:
        yield server


def test_a_slow_kms_holds_up_only_tenants_whose_keys_are_not_in_memory(
    bao: OpenBaoServer, keyed: Keyed, remembering: Server
) -> None:
    waiting, caller = remembering.caller("all", "globex"), remembering.caller("all")
    caller.call(good("Tokenize"))
    method = waiting.channel.unary_unary("/vault.v1.VaultService/Tokenize")
    with _standing_still(bao):
        assert refused(lambda: waiting.call(good("Tokenize"), timeout=0.5)).code == "DEADLINE_EXCEEDED"
        held_up, served = method.future(good("Tokenize").SerializeToString(), timeout=60), 0
        for _ in range(10):
            caller.call(good("Tokenize"))
            served += not held_up.done()
        assert served
        refusal = refused(held_up.result)
    assert (refusal.code, refusal.reason, refusal.domain) == ("UNAVAILABLE", "KMS_UNAVAILABLE", "vault.v1")
    assert refusal.retry_after_s
    (event,) = [event for event in keyed.ledger.events() if event.reason == common_pb2.ERROR_REASON_KMS_UNAVAILABLE]
    assert event.tenant_uid == keyed.vault.tenants["globex"].uid


def test_without_kms_calls_go_on_until_the_keys_have_had_their_time_and_again_when_it_is_back(
    bao: OpenBaoServer, keyed: Keyed, until: Until
) -> None:
    caller = keyed.server.caller("all", "globex")
    until(lambda: _refusal(caller) is None)
    token = caller.call(tokenize("phone", max_reveals=1)).results[0].token
    bao.stop()
    caller.call(good("Tokenize"))
    _until_refused(caller, until)
    for request in (reveal_request(token), good("Tokenize"), good("Search")):
        refusal = keyed.check_refused(caller, request, "UNAVAILABLE", "KMS_UNAVAILABLE")
        assert refusal.retry_after_s
        assert "KMS" in refusal.message
    bao.start()
    until(lambda: _refusal(caller) is None)
    assert caller.call(reveal_request(token)).results[0].value == value("phone")


def test_a_sealed_kms_and_one_that_says_no_are_told_apart(bao: OpenBaoServer, keyed: Keyed, caller: Caller, until: Until) -> None:
    bao.seal()
    _until_refused(caller, until)
    refusal = keyed.check_refused(caller, good("Tokenize"), "UNAVAILABLE", "KMS_SEALED")
    assert refusal.retry_after_s
    assert "unseal" in refusal.message
    with pytest.raises(VaultError, match="unseal") as caught:
        serve(keyed.vault.config)
    assert caught.value.reason == common_pb2.ERROR_REASON_KMS_SEALED
    bao.unseal()
    policy = bao.admin().sys.read_policy("app")["data"]["rules"]
    bao.admin().sys.create_or_update_policy("app", 'path "transit/decrypt/*" { capabilities = ["deny"] }')
    until(lambda: (refusal := _refusal(caller)) and refusal.reason != "KMS_SEALED")  # for a moment it is not asked again
    refusal = keyed.check_refused(caller, good("Tokenize"), "UNAVAILABLE", "KMS_DENIED")
    assert "policy" in refusal.message
    bao.admin().sys.create_or_update_policy("app", policy)
    until(lambda: _refusal(caller) is None)


def test_the_server_uses_keys_as_the_app_alone_and_no_key_or_value_reaches_a_log(
    bao: OpenBaoServer, keyed: Keyed, caller: Caller, until: Until
) -> None:
    until(lambda: _refusal(caller) is None)
    tokens = [result.token for result in caller.call(good("Tokenize")).results]
    caller.call(reveal_request(*tokens))
    entries = [json.loads(line) for line in bao.audit_log.read_bytes()[keyed.audit_from :].splitlines()]
    logins = [entry["auth"].get("policies") for entry in entries if entry.get("auth")]
    assert ["provisioner"] not in logins
    paths = {entry["request"]["path"] for entry in entries if entry.get("auth", {}).get("policies") == ["app"]}
    assert {path.removesuffix(path[-32:]) for path in paths if not path.startswith("auth/")} == {
        "transit/decrypt/kek-",
        "transit/sign/log-",
        "transit/keys/log-",
        "pdvault/data/anchor/",
    }
    with keyed.vault.node() as node:
        keys = node.loader.load(keyed.vault.tenants["acme"].uid)
    raw = [key.raw for kind in (keys.authority.keys, keys.epochs, keys.indexes) for key in kind.values()]
    for log in (bao.audit_log, keyed.server.log):
        assert not traces(log.read_bytes())
        assert not traces(log.read_bytes(), *raw)
