"""A scripted vault on a real gRPC server behind real mutual TLS: it parses with the server's own stubs and injects faults."""

import datetime
import ipaddress
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_status import rpc_status

from pdvault_client import AuditClient, FieldClient, RetryPolicy, SubjectClient, VaultClient
from vault.errors import VaultError
from vault.v1 import audit_service_pb2, field_service_pb2, key_service_pb2, subject_service_pb2, vault_service_pb2

WAIT = object()
"""In a stream: until the caller or the server ends it."""


@dataclass
class Authority:
    """A CA that issues certificates into a directory."""

    directory: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self):
        self.directory.mkdir()
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = self._sign(self.key, self.name, (basic, True))
        (self.directory / "ca.pem").write_bytes(_pem(self.certificate))

    def issue(self, name: str, *alternative_names: x509.GeneralName) -> None:
        """Write ``name``.pem and ``name``.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(key, name, (x509.SubjectAlternativeName(alternative_names), False))
        (self.directory / f"{name}.pem").write_bytes(_pem(certificate))
        path = self.directory / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(_key_pem(key, serialization.NoEncryption()))

    def _sign(self, key, subject, *extensions):
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key, encryption):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """The tenant's CA, which also issued the server's certificate, with one client certificate."""
    authority = Authority(tmp_path_factory.mktemp("pki") / "ours", "Our CA")
    authority.issue("server", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    authority.issue("client", x509.UniformResourceIdentifier("spiffe://pdvault.example/acme/principal/billing"))
    encrypted = _key_pem(authority.key, serialization.BestAvailableEncryption(b"secret"))
    (authority.directory / "encrypted.key").write_bytes(encrypted)
    return authority


@pytest.fixture(scope="session", params=["Another CA", "Our CA"])
def stranger(tmp_path_factory, request) -> Authority:
    """A CA that the server has never heard of, whatever it calls itself."""
    authority = Authority(tmp_path_factory.mktemp("pki") / "strangers", request.param)
    authority.issue("client", x509.UniformResourceIdentifier("spiffe://pdvault.example/acme/principal/billing"))
    return authority


@dataclass
class Received:
    """One attempt, as it arrived; ``ended`` once the call is over, however it ended."""

    method: str
    request: object
    remaining_s: float
    ended: threading.Event = field(default_factory=threading.Event)


class ScriptedVault:
    """Answers each method by its script: the next step, and the last one again when there is no other.

    A step is a response, a server's VaultError, a grpc.StatusCode (a failure that is not the vault's), or a function of the
    request that gives one of these. A step of a method that streams is several of these, one after the other, or WAIT.
    """

    def __init__(self, authority: Authority, port: int = 0) -> None:
        self.received: list[Received] = []
        self.closing = threading.Event()
        self._scripts: dict[str, deque] = defaultdict(deque)
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        for module, name in (
            (vault_service_pb2, "VaultService"),
            (audit_service_pb2, "AuditService"),
            (field_service_pb2, "FieldService"),
            (subject_service_pb2, "SubjectService"),
            (key_service_pb2, "KeyService"),
            (key_service_pb2, "OperationService"),
            (key_service_pb2, "ApprovalService"),
        ):
            service = module.DESCRIPTOR.services_by_name[name]
            handlers = {method.name: self._handler(module, method) for method in service.methods}
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, handlers)])
        files = authority.directory
        pair = ((files / "server.key").read_bytes(), (files / "server.pem").read_bytes())
        credentials = grpc.ssl_server_credentials([pair], (files / "ca.pem").read_bytes(), require_client_auth=True)
        self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def script(self, method: str, *steps: object) -> None:
        """What the method answers from now on."""
        self._scripts[method] = deque(steps)

    def requests(self) -> list:
        """The requests received, in order."""
        return [received.request for received in self.received]

    def reset(self) -> None:
        """Forget scripts and requests."""
        self.received.clear()
        self._scripts.clear()

    def stop(self) -> None:
        """Stop at once."""
        self.closing.set()
        self._server.stop(None).wait()

    def _handler(self, module, method):
        kind, answer = grpc.unary_unary_rpc_method_handler, self._answer
        if method.server_streaming:
            kind, answer = grpc.unary_stream_rpc_method_handler, self._stream
        return kind(
            partial(answer, method.name),
            request_deserializer=getattr(module, method.input_type.name).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _answer(self, method, request, context):
        return self._said(self._step(method, request, context)[1], request, context)

    def _stream(self, method, request, context):
        received, step = self._step(method, request, context)
        for part in step(request) if callable(step) else step:
            if part is WAIT:
                while not (received.ended.wait(0.02) or self.closing.is_set()):
                    pass
                return
            yield self._said(part, request, context)

    def _step(self, method, request, context):
        received = Received(method, request, context.time_remaining())
        if not context.add_callback(received.ended.set):  # it is over already
            received.ended.set()
        self.received.append(received)
        steps = self._scripts[method]
        return received, steps.popleft() if len(steps) > 1 else steps[0]

    def _said(self, step, request, context):
        if callable(step):
            step = step(request)
        if isinstance(step, VaultError):
            context.abort_with_status(rpc_status.to_status(step.to_status()))
        if isinstance(step, grpc.StatusCode):
            context.abort(step, "not from the vault")
        return step


@pytest.fixture(scope="session")
def _server(authority) -> Iterator[ScriptedVault]:
    server = ScriptedVault(authority)
    yield server
    server.stop()


@pytest.fixture
def scripted(_server) -> Iterator[ScriptedVault]:
    """The scripted vault, without scripts; no call of a test goes on after it."""
    _server.reset()
    yield _server
    assert all(received.ended.wait(60) for received in _server.received)


@pytest.fixture
def connect(scripted, authority) -> Iterator[Callable[..., VaultClient]]:
    """Make clients of the scripted vault; keyword arguments replace what they are made with."""
    clients: list[VaultClient | AuditClient | FieldClient | SubjectClient] = []

    def make(kind=VaultClient, **overrides):
        files = authority.directory
        arguments = {
            "address": scripted.address,
            "ca_file": files / "ca.pem",
            "certificate_file": files / "client.pem",
            "key_file": files / "client.key",
            "purpose": "payout",
            "retry": RetryPolicy(base_s=0.0),
        }
        clients.append(kind(**(arguments | overrides)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect) -> VaultClient:
    """A client of the scripted vault that never waits between attempts."""
    return connect()


@pytest.fixture
def auditor(connect) -> AuditClient:
    """An auditor's client of the scripted vault, likewise."""
    return connect(AuditClient, purpose="audit")


@pytest.fixture
def fields(connect) -> FieldClient:
    """A client of the scripted vault that encrypts fields, likewise."""
    return connect(FieldClient)


@pytest.fixture
def people(connect) -> SubjectClient:
    """A client of the scripted vault that looks after people, likewise."""
    return connect(SubjectClient, purpose="privacy")
