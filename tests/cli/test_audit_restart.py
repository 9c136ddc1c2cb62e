"""A tail of a real server goes on over its end and its death, without a gap and without a duplicate."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deploy.demo.server_process import ServerProcess
from tests.cli.conftest import ANY_PORT, Served

from pdvault_client import AuditClient, RetryPolicy, Tail
from vault.cli.development import DevVault, make


def free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def tail_of(vault: DevVault, address: str) -> Iterator[Tail]:
    files = vault.environment("auditor", address)
    with (
        AuditClient(
            address,
            ca_file=files["PDVAULT_CACERT"],
            certificate_file=files["PDVAULT_CERT"],
            key_file=files["PDVAULT_KEY"],
            purpose="audit",
            retry=RetryPolicy(base_s=0.05, cap_s=0.2),
        ) as client,
        client.tail(start_index=0, patience_s=60.0) as events,
    ):
        yield events


def until(events: Tail, reference: str) -> list[int]:
    """The indexes up to that of the call with this reference."""
    seen = []
    for event in events:
        seen.append(event.index)
        if event.reference == reference:
            break
    return seen


@pytest.mark.parametrize("ending", ["in good order", "killed"])
def test_a_tail_goes_on_when_its_server_comes_back(ending: str, tmp_path: Path) -> None:
    address = free_address()
    vault = make(tmp_path / "vault", address, ANY_PORT)
    served = Served(vault, address)

    def call(reference: str) -> None:
        done = served("app", "tokenize", "--class", "phone", "--subject", "S1", "--reference", reference, stdin=b"+447700900123")
        assert done.code == 0, done.err

    with tail_of(vault, address) as events:
        with ServerProcess(vault.config_file, tmp_path / "first.log") as server:
            call("before")
            seen = until(events, "before")
            call("last")
            if ending == "in good order":
                server.stop()
        with ServerProcess(vault.config_file, tmp_path / "second.log"):
            call("after")
            seen += until(events, "after")
    assert seen == list(range(len(seen)))
