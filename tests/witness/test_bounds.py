"""Strangers who hold connections to a witness: they are hung up on, and others are answered."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.witness.log_twin import LogTwin
from tests.witness.witness_process import WitnessProcess

from vault.witness.serving import MAX_OF_ONE

PATIENCE_S = 60.0
HALF_A_BODY = b"POST /add-checkpoint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\nold 0"
BOUNDS = """
from vault import http_bounds
from vault.witness import serving
http_bounds.LIMITS["keepalive_timeout"] = serving._READ_S = {}
"""


def bounded(folder: Path, seconds: float) -> WitnessProcess:
    """A witness that waits so long for requests."""
    return WitnessProcess(folder, [LogTwin("example.org/log").verifier], prelude=BOUNDS.format(seconds))


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    with bounded(tmp_path, PATIENCE_S) as witness:
        yield witness


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    with bounded(tmp_path_factory.mktemp("hasty"), 0.5) as witness:
        yield witness


def connected(witness: WitnessProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", witness.port), timeout=PATIENCE_S)


def answers(connection: socket.socket) -> bool:
    """Whether the witness answers on this connection, rather than to have hung up."""
    try:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(4096).startswith(b"HTTP/1.1 404")
    except ConnectionError:
        return False


def ended(connection: socket.socket) -> bytes:
    """What came until the witness hung up."""
    received = b""
    while piece := connection.recv(4096):
        received += piece
    return received


def test_one_address_holds_only_so_many_connections_and_gets_others_for_those_it_closes(witness: WitnessProcess) -> None:
    with ExitStack() as held:
        first = [held.enter_context(connected(witness)) for _ in range(MAX_OF_ONE)]
        assert all(map(answers, first))
        assert not answers(held.enter_context(connected(witness)))
        assert all(map(answers, first))
    with connected(witness) as later:
        assert answers(later)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", HALF_A_BODY])
def test_a_connection_that_does_not_bring_its_request_is_ended(hasty: WitnessProcess, beginning: bytes) -> None:
    with connected(hasty) as connection:
        connection.sendall(beginning)
        received = ended(connection)
    assert received == b"" or received.startswith(b"HTTP/1.1 408")
