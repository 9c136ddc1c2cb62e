"""Many who connect at the same time, while what the server trusts changes: it goes on serving whoever comes."""

import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from tests.harness import NewVault, Server, add_tenant
from tests.server.requests import good

Until = Callable[[Callable[[], Any]], None]

EVERY_S = "from vault.server import serve\nserve.REFRESH_S = 0.2\n"
CONNECTIONS = 200
"""Of each client; some hundred were enough to kill a server that replaced its certificate at each handshake."""


def connect(server: Server, trusted: Path) -> int:
    """Connections of one client that shakes hands and hangs up, with no certificate of its own: anybody can do that."""
    host, port = server.address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    for _ in range(CONNECTIONS):
        with socket.create_connection((host, int(port)), 60) as plain, context.wrap_socket(plain):
            pass
    return CONNECTIONS


def test_whoever_connects_how_often_ever_ends_no_server_even_while_its_trust_changes(
    new_vault: NewVault, tmp_path: Path, until: Until
) -> None:
    vault = new_vault("postgres", tmp_path)  # where a second process can make tenants
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(vault.server_ca.certificate_pem)
    with Server(vault, EVERY_S) as server, ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(connect, server, trusted) for _ in range(8)]
        for name in ("initech", "hooli", "umbrella"):
            with vault.node() as node:
                vault.tenants[name] = add_tenant(node, name)
            until(lambda name=name: is_known(server, name))
        assert [client.result() for client in clients] == [CONNECTIONS] * 8
        assert server.process.poll() is None
        assert server.caller("app").call(good("Tokenize")).results


def is_known(server: Server, tenant: str) -> bool:
    """Whether a tenant's callers are let in."""
    try:
        return bool(server.caller("app", tenant).call(good("Tokenize")).results)
    except grpc.RpcError:
        return False
