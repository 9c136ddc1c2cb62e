"""The real OpenBao, both KeyManagers over one interface, and a proxy that breaks connections."""

import contextlib
import json
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from deploy.local_stack.openbao import OpenBaoServer

from vault.kms.key_administrator import KeyAdministrator
from vault.kms.key_manager import KeyManager, KeyProvisioner
from vault.kms.local.administrator import LocalAdministrator
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring_secret import RawKey
from vault.kms.local.provisioner import LocalProvisioner
from vault.kms.transit.administrator import TransitAdministrator
from vault.kms.transit.config import AppRoleAuth, TransitConfig
from vault.kms.transit.key_manager import TransitKeyManager
from vault.kms.transit.provisioner import TransitProvisioner

RAW_KEY = b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoServer]:
    """One OpenBao for the whole run; whoever seals or stops it puts it back."""
    with OpenBaoServer(tmp_path_factory.mktemp("openbao") / "server") as server:
        yield server


@pytest.fixture(scope="session")
def configure(bao: OpenBaoServer) -> Callable[..., TransitConfig]:
    """A role's configuration, with some values changed."""

    def make(role: str = "app", **changes: Any) -> TransitConfig:
        files = bao.credentials(role)
        auth = AppRoleAuth(files.role_id_file, files.secret_id_file)
        return replace(TransitConfig(bao.address, bao.ca_file, auth), **changes)

    return make


@dataclass(frozen=True)
class Kms:
    """A KeyManager with the other identities that go with it, and what opens the same once more, as another node does."""

    manager: KeyManager
    provisioner: KeyProvisioner
    administrator: KeyAdministrator
    another: Callable[[], KeyManager]

    def tenant(self) -> bytes:
        """A new tenant with keys."""
        uid = secrets.token_bytes(16)
        self.provisioner.create_tenant_keys(uid)
        return uid


@pytest.fixture(scope="session")
def transit_kms(configure: Callable[..., TransitConfig]) -> Iterator[Kms]:
    opened: list[TransitKeyManager] = []

    def another() -> TransitKeyManager:
        opened.append(TransitKeyManager(configure("app")))
        return opened[-1]

    with (
        contextlib.closing(TransitProvisioner(configure("provisioner"))) as provisioner,
        contextlib.closing(TransitAdministrator(configure("key-worker"))) as administrator,
    ):
        yield Kms(another(), provisioner, administrator, another)
    for manager in opened:
        manager.close()


@pytest.fixture
def keyring_path(tmp_path: Path) -> Path:
    return tmp_path / "keyring"


@pytest.fixture
def local_kms(keyring_path: Path) -> Kms:
    provisioner = LocalProvisioner(keyring_path, RawKey(RAW_KEY))
    provisioner.create_keyring()

    def another() -> LocalKeyManager:
        return LocalKeyManager(keyring_path, RawKey(RAW_KEY))

    return Kms(another(), provisioner, LocalAdministrator(keyring_path, RawKey(RAW_KEY)), another)


@pytest.fixture(params=["transit", "local"])
def kms(request: pytest.FixtureRequest) -> Kms:
    """Each of the two in turn: what a test asks of this fixture holds for both."""
    found: Kms = request.getfixturevalue(f"{request.param}_kms")
    return found


@pytest.fixture
def audit(bao: OpenBaoServer) -> Callable[[], list[dict[str, Any]]]:
    """The answered requests in OpenBao's own audit log since the test began."""
    start = bao.audit_log.stat().st_size

    def entries() -> list[dict[str, Any]]:
        lines = bao.audit_log.read_bytes()[start:].splitlines()
        return [entry for entry in map(json.loads, lines) if entry["type"] == "response"]

    return entries


@pytest.fixture
def bounded() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Runs a call that must end by itself: one that hangs fails the test."""
    with ThreadPoolExecutor() as pool:
        yield lambda call: pool.submit(call).result(timeout=60)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition, for at most a minute."""
    tick = threading.Event()

    def wait(condition: Callable[[], bool]) -> None:
        for _ in range(3000):
            if condition():
                return
            tick.wait(0.02)
        pytest.fail("the condition never held")

    return wait


class FaultProxy:
    """Between the vault and OpenBao: passes bytes on, or does what ``mode`` says from then on.

    pass; stall: hold everything back; cut: close when an answer comes; drip: one byte of an answer each 50 ms; reset: refuse.
    """

    def __init__(self, target: str) -> None:
        self.mode = "pass"
        self.connections = 0
        self.cuts_left = 0
        self._target = int(target.rsplit(":", 1)[1])
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            if self.mode == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, pump in ((client, server, self._ask), (server, client, self._answer)):
                threading.Thread(target=self._pump, args=(source, sink, pump), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, forward: Callable[[socket.socket, bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and forward(sink, data):
                pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _ask(self, sink: socket.socket, data: bytes) -> bool:
        while self.mode == "stall" and not self._over.wait(0.02):
            pass
        sink.sendall(data)
        return True

    def _answer(self, sink: socket.socket, data: bytes) -> bool:
        if self.mode == "cut" or self.cuts_left:
            self.cuts_left = max(0, self.cuts_left - 1)
            return False
        while self.mode == "drip" and data and not self._over.wait(0.05):
            sink.sendall(data[:1])
            data = data[1:]
        sink.sendall(data)
        return True


@pytest.fixture
def proxy(bao: OpenBaoServer) -> Iterator[FaultProxy]:
    fault_proxy = FaultProxy(bao.address)
    yield fault_proxy
    fault_proxy.close()


class ScriptedKms:
    """A KMS with OpenBao's certificate that grants any login, and answers the rest as the test says."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                granted = json.dumps({"auth": {"client_token": "t", "lease_duration": 3600, "renewable": True}}).encode()
                login = self.path.endswith("/login")
                if not login:
                    scripted.asked.append(self.path)
                status, headers, body = (200, {}, granted) if login else scripted.answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.do_POST()

            def do_LIST(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def scripted(bao: OpenBaoServer) -> Iterator[ScriptedKms]:
    server = ScriptedKms(bao.ca_file.parent)
    yield server
    server.close()


@pytest.fixture
def scripted_manager(scripted: ScriptedKms, configure: Callable[..., TransitConfig]) -> Iterator[TransitKeyManager]:
    manager = TransitKeyManager(configure(address=scripted.address))
    yield manager
    manager.close()
