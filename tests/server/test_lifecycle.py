"""Beginning, ending and sharing: health, shutdown, second servers, and many calls at once."""

import queue
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2
from tests.harness import Caller, Server, Vault, reveal_request
from tests.server.conftest import Served
from tests.server.refusal import refusal_of, refused
from tests.server.requests import good, tokenize

from vault import principals
from vault.access.issuing import principal_uri
from vault.errors import VaultError
from vault.server.config import Config, ConfigError
from vault.server.in_flight import MAX_CALLS
from vault.server.serve import serve
from vault.store import tables as t
from vault.v1 import vault_service_pb2 as v1

Until = Callable[[Callable[[], Any]], None]
UNHURRIED = "from vault.server import serve; serve._LAST_WORDS_S = 60.0"
"""On a busy machine the last refusals may take longer to reach their callers than a server waits for."""
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def _health(caller: Caller, service: str) -> int:
    check = caller.channel.unary_unary("/grpc.health.v1.Health/Check")
    raw = check(health_pb2.HealthCheckRequest(service=service).SerializeToString(), timeout=60)
    return int(health_pb2.HealthCheckResponse.FromString(raw).status)


def _watch(caller: Caller, service: str) -> Any:
    """The stream of a service's states; once the first has come, the server knows of the watcher."""
    watch = caller.channel.unary_stream("/grpc.health.v1.Health/Watch")
    return watch(health_pb2.HealthCheckRequest(service=service).SerializeToString(), timeout=60)


def test_a_server_that_is_stopped_says_so_and_finishes_the_calls_under_way(sqlite_vault: Vault) -> None:
    with Server(sqlite_vault, UNHURRIED) as server, ThreadPoolExecutor(20) as pool:
        callers = [server.caller("all") for _ in range(4)]
        assert [_health(callers[0], name) for name in ("", "vault.v1.VaultService")] == [SERVING, SERVING]
        assert refused(lambda: _health(callers[0], "vault.v1.Other")).code == "NOT_FOUND"
        states = _watch(callers[0], "")
        assert health_pb2.HealthCheckResponse.FromString(next(states)).status == SERVING
        answers: queue.Queue[list[str] | str] = queue.Queue()
        calls = [pool.submit(_keep_storing, callers[n % 4], f"person {n}", answers) for n in range(20)]
        before = [answers.get(timeout=60) for _ in range(20)]
        exited = threading.Thread(target=server.stop)
        exited.start()
        assert health_pb2.HealthCheckResponse.FromString(next(states)).status == NOT_SERVING
        states.cancel()
        for call in calls:
            call.result(timeout=60)
        exited.join(120)
        assert server.process.returncode == 0
    outcomes = before + [answers.get_nowait() for _ in range(answers.qsize())]
    answered = {token for outcome in outcomes if isinstance(outcome, list) for token in outcome}
    refusals = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert refusals <= {"UNAVAILABLE", "CANCELLED"}  # gRPC cancels what reaches it while it stops
    with sqlite_vault.node() as node, node.engine.connect() as connection:
        stored = set(connection.execute(sa.select(t.token.c.text)).scalars())
        items = connection.execute(sa.select(sa.func.count()).select_from(t.item)).scalar_one()
    assert answered <= stored
    assert items == len(stored)
    assert len(stored) % 50 == 0


def _keep_storing(caller: Caller, subject_id: str, outcomes: "queue.Queue[list[str] | str]") -> None:
    """Store fifty values a call, until the server takes no more."""
    while True:
        request = tokenize("phone", subject_id=subject_id)
        request.items.extend([request.items[0]] * 49)
        try:
            outcomes.put([result.token for result in caller.call(request).results])
        except grpc.RpcError as error:
            outcomes.put(refusal_of(error).code)
            return


def _moved(config: Config, **addresses: str) -> Config:
    return config.model_copy(update={"server": config.server.model_copy(update=addresses)})


def test_a_second_server_on_the_same_port_is_refused(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"server\.address: can't listen on .*in use"):
        serve(_moved(served.vault.config, address=served.server.address))
    with pytest.raises(ConfigError, match=r"server\.metrics_address: can't listen on .*in use"):
        serve(_moved(served.vault.config, metrics_address=served.server.metrics_address()))
    served.server.caller("all").call(good("ListDataClasses"))


def test_a_second_process_on_the_same_sqlite_file_is_refused(sqlite_vault: Vault) -> None:
    with sqlite_vault.node(), pytest.raises(VaultError, match="another process has this SQLite vault open"):
        serve(sqlite_vault.config)


def test_two_servers_on_one_database_are_one_vault(served: Served, tmp_path: Path) -> None:
    node_2 = replace(served.vault, folder=tmp_path / "node-2")
    shutil.copytree(served.vault.folder, node_2.folder, ignore=shutil.ignore_patterns("*.log"))
    settings = node_2.folder / "vault.toml"
    settings.write_text(settings.read_text().replace('node = "test-1"', 'node = "test-2"'))
    globex = served.vault.tenants["globex"]
    name = principal_uri("globex", "app")
    with Server(node_2) as other:
        here, there = served.server.caller("app", "globex"), other.caller("app", "globex")
        request = tokenize("phone")
        token = here.call(request).results[0].token
        assert there.call(request).results[0].token == token
        assert other.caller("plain", "globex").call(reveal_request(token)).results[0].value == request.items[0].value
        with served.vault.node() as node:
            node.act(principals.suspend(globex.uid, name))
            for caller in (here, there):
                served.check_refused(caller, request, "PERMISSION_DENIED", "PRINCIPAL_SUSPENDED")
            node.act(principals.resume(globex.uid, name))
        assert there.call(request).results[0].token == token
        assert other.stop() == 0


def test_calls_that_come_at_once_share_commits(served: Served, until: Until) -> None:
    callers = [served.server.caller("all") for _ in range(8)]
    requests = [tokenize("phone", subject_id=f"one of many {n}") for n in range(64)]
    calls_before, groups_before = _groups(served)
    stubs = [caller.channel.unary_unary("/vault.v1.VaultService/Tokenize") for caller in callers]
    with served.ledger.locked(t.audit_pending) as is_waited_for:
        futures = [stubs[n % 8].future(request.SerializeToString(), timeout=60) for n, request in enumerate(requests)]
        until(is_waited_for)
    tokens = [v1.TokenizeResponse.FromString(future.result()).results[0].token for future in futures]
    calls, groups = _groups(served)
    assert calls - calls_before == 64
    assert 0 < groups - groups_before < 64
    revealed = callers[0].call(reveal_request(*tokens)).results
    assert [result.value for result in revealed] == [request.items[0].value for request in requests]


def test_more_calls_than_one_certificate_may_have_under_way_are_told_when_to_come_again(served: Served, until: Until) -> None:
    rows = served.ledger.rows()
    raw = good("ListDataClasses").SerializeToString()
    stubs = [served.server.caller("masked").channel.unary_unary("/vault.v1.VaultService/ListDataClasses") for _ in range(4)]
    with served.ledger.locked(t.audit_pending):
        futures = [stubs[n % 4].future(raw, timeout=60) for n in range(MAX_CALLS + 40)]
        until(lambda: sum(future.done() for future in futures) == 40)
    refusals = [refused(future.result) for future in futures if future.exception()]
    assert {(refusal.code, refusal.reason, refusal.domain) for refusal in refusals} == {
        ("RESOURCE_EXHAUSTED", "OVERLOADED", "vault.v1")
    }
    assert len(refusals) == 40
    assert all(refusal.retry_after_s for refusal in refusals)
    assert served.ledger.rows() == rows


def _groups(served: Served) -> tuple[float, float]:
    """How many calls were run, and in how many transactions."""
    lines = [line.split() for line in served.metrics() if line.startswith("vault_group_calls_")]
    found = {name: float(number) for name, number in lines}
    return found["vault_group_calls_sum"], found["vault_group_calls_count"]
