"""The port for Prometheus: what it tells, and that whoever reaches it can neither use up the server nor hold it up."""

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.harness import Server, Vault
from tests.server.requests import good

from vault.server.metrics_http import MAX_OF_ONE

Until = Callable[[Callable[[], object]], None]
BOUNDS = """
from vault import http_bounds
http_bounds.LIMITS["keepalive_timeout"] = 1.0
http_bounds.SENDING_S = 0.5
http_bounds.MIN_BYTES_PER_S = 1 << 30
"""
HALF_A_HEAD = b"GET /metrics HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture(scope="module")
def server(mould: Vault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(mould.copy(tmp_path_factory.mktemp("metrics"))) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(mould: Vault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(mould.copy(tmp_path_factory.mktemp("impatient")), prelude=BOUNDS) as server:
        yield server


def connected(server: Server) -> socket.socket:
    host, _, port = server.metrics_address().rpartition(":")
    return socket.create_connection((host, int(port)), 30)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, content type and body of the answer."""
    connection = http.client.HTTPConnection(server.metrics_address(), timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def everything(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    received = b""
    with suppress(ConnectionError):
        while data := connection.recv(65536):
            received += data
    return received


def keep_asking(connection: socket.socket) -> None:
    """Ask, and take no answer, until the connection ends."""
    while True:
        connection.sendall(HALF_A_HEAD + b"\r\n")


def threads(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


def test_prometheus_gets_its_formats(server: Server) -> None:
    server.caller("all").call(good("ListDataClasses"))
    status, kind, text = ask(server, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'vault_calls_total{method="ListDataClasses",reason="OK"} 1.0' in text.splitlines()
    assert "vault_serving 1.0" in text.splitlines()
    status, kind, text = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert ask(server, "/metrics", "HEAD") == (200, "text/plain; version=0.0.4; charset=utf-8", "")


def test_nothing_else_is_answered(server: Server) -> None:
    assert ask(server, "/")[0] == 404
    assert ask(server, "/metrics/x")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert ask(server, "/metrics", method)[0] == 405


def test_connections_that_say_nothing_use_up_neither_threads_nor_descriptors(server: Server, until: Until) -> None:
    caller = server.caller("all")
    caller.call(good("ListDataClasses"))
    before = threads(server)
    with ExitStack() as held:
        connections = [held.enter_context(connected(server)) for _ in range(200)]
        for connection in connections:
            with suppress(ConnectionError):
                connection.sendall(b"G")
        until(lambda: sum(map(is_open, connections)) <= MAX_OF_ONE)
        assert threads(server) < before + 100
        caller.call(good("ListDataClasses"))
        server.caller("all").call(good("ListDataClasses"))
    until(lambda: can_read(server))


def can_read(server: Server) -> bool:
    try:
        return ask(server, "/metrics")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("beginning", [b"", b"G", HALF_A_HEAD], ids=["nothing", "a letter", "half a head"])
def test_a_connection_that_brings_no_whole_head_is_ended(beginning: bytes, impatient: Server) -> None:
    with connected(impatient) as connection:
        connection.sendall(beginning)
        assert b"200" not in everything(connection)


def test_the_body_of_a_request_is_not_waited_for(impatient: Server) -> None:
    with connected(impatient) as connection:
        connection.sendall(HALF_A_HEAD + b"Content-Length: 1000000\r\n\r\nx")
        assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_take_its_answers_is_dropped(impatient: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        host, _, port = impatient.metrics_address().rpartition(":")
        connection.connect((host, int(port)))
        with pytest.raises(ConnectionError):
            keep_asking(connection)


def test_a_server_that_ends_does_not_wait_for_connections_that_stay(sqlite_vault: Vault) -> None:
    with Server(sqlite_vault) as server, connected(server) as silent:
        assert ask(server, "/metrics")[0] == 200
        assert server.stop() == 0
        assert everything(silent) == b""
