"""Whole vaults for tests: made from the real parts, opened in this process or served by another."""

import base64
import contextlib
import json
import secrets
import shutil
import signal
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tests.forked import nursery

from vault import principals
from vault.access.issuing import Issued, create_ca, issue_client, issue_server, principal_uri, write_private
from vault.audit.events import SYSTEM_TENANT
from vault.kms.local.provisioner import LocalProvisioner
from vault.server import config as configuration
from vault.server.backends import create_database_key, provisioner
from vault.server.node import Node
from vault.store import schema
from vault.v1 import common_pb2, vault_service_pb2

ROLES: Mapping[str, Sequence[str]] = {
    "app": ("tokenizer",),
    "masked": ("reader_masked",),
    "plain": ("reader_plain",),
    "admin": ("admin",),
    "auditor": ("auditor",),
    "privacy": ("privacy_officer",),
    "security": ("security_officer",),
    "security-2": ("security_officer",),
    "all": ("admin", "reader_plain", "tokenizer"),
}
"""The principals of every test tenant, with their roles."""

LOCAL_KMS = 'kind = "local"\nkeyring_file = "keyring"\nkey_file = "keyring.key"\n'


@dataclass
class Tenant:
    """A tenant with a certificate for each of its principals."""

    name: str
    uid: bytes
    ca: Issued
    clients: dict[str, Issued] = field(default_factory=dict)


@dataclass
class Vault:
    """A vault on disk: its configuration, its tenants, and who signed the server's certificate."""

    folder: Path
    server_ca: Issued
    tenants: dict[str, Tenant]

    @property
    def config(self) -> configuration.Config:
        """The configuration, read anew."""
        return configuration.load(self.folder / "vault.toml")

    def copy(self, folder: Path, url: str = "") -> "Vault":
        """The same vault in another, empty folder, while nothing has it open; of one on PostgreSQL, with a copy of its database.

        Args:
            folder: where it will lie.
            url: that of the copied database; none of a vault on SQLCipher, whose database lies in the folder.
        """
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        if self.config.database.url:
            settings = folder / "vault.toml"
            settings.write_text(settings.read_text().replace(self.config.database.url, url))
        return replace(self, folder=folder, tenants=deepcopy(self.tenants))

    @contextmanager
    def node(self) -> Iterator[Node]:
        """The vault opened in this process."""
        node = Node(self.config)
        try:
            yield node
        finally:
            node.close()


NewVault = Callable[[str, Path], Vault]
"""Makes a vault with local keys: on ``sqlite`` or ``postgres``, in an empty folder."""


def make_vault(folder: Path, *, database: str = 'sqlite_file = "vault.db"', kms: str = LOCAL_KMS, limits: str = "") -> Vault:
    """Make a vault with the tenants ``acme`` and ``globex``.

    Args:
        folder: an empty folder.
        database: the body of that section of the configuration.
        kms: likewise.
        limits: likewise.
    """
    server_ca = create_ca("test server CA", 30)
    server = issue_server(server_ca, ["localhost", "127.0.0.1"], 30)
    (folder / "server.pem").write_bytes(server.certificate_pem)
    write_private(folder / "server.key", server.key_pem)
    write_private(folder / "keyring.key", base64.b64encode(secrets.token_bytes(32)))
    (folder / "vault.toml").write_text(
        f'node = "test-1"\n[server]\naddress = "127.0.0.1:0"\ncertificate_file = "server.pem"\nkey_file = "server.key"\n'
        f'metrics_address = "127.0.0.1:0"\n[limits]\n{limits}\n[database]\n{database}\n[kms]\n{kms}\n'
    )
    vault = Vault(folder, server_ca, {})
    with contextlib.closing(provisioner(vault.config)) as maker:
        if isinstance(maker, LocalProvisioner):
            maker.create_keyring()
        maker.create_tenant_keys(SYSTEM_TENANT)
    create_database_key(vault.config)
    with vault.node() as node:
        schema.upgrade(node.engine)
        node.create_tenant(SYSTEM_TENANT, "system", [])
        for name in ("acme", "globex"):
            vault.tenants[name] = add_tenant(node, name)
    return vault


def add_tenant(node: Node, name: str, who: Iterable[str] = ROLES) -> Tenant:
    """A new tenant with its own CA and principals: some of ``ROLES``, if not all are needed, since each takes a transaction."""
    tenant = Tenant(name, secrets.token_bytes(16), create_ca(f"{name} CA", 30))
    ca = x509.load_pem_x509_certificate(tenant.ca.certificate_pem)
    authority = (ca.fingerprint(hashes.SHA256()), ca.public_bytes(serialization.Encoding.DER))
    node.create_tenant(tenant.uid, name, [authority])
    for each in who:
        uri = principal_uri(name, each)
        node.act(principals.add(tenant.uid, uri, "service", ROLES[each]))
        tenant.clients[each] = issue_client(tenant.ca, uri, 30)
    return tenant


class Server:
    """The vault served by a process of its own; killed at the end if it still runs."""

    def __init__(self, vault: Vault, prelude: str = "") -> None:
        """Start and wait until it takes calls; ``prelude`` is Python run in the process first, to inject faults."""
        self.vault = vault
        self._channels: list[grpc.Channel] = []
        self.log = vault.folder / "server.log"
        with self.log.open("ab") as log:
            self.process = nursery().fork(vault.folder / "vault.toml", log.fileno(), prelude)
        self.address = self.process.stdout.readline().decode().strip()
        if not self.address:
            raise AssertionError(f"the server did not start: {self.log.read_text()}")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for channel in self._channels:  # one that is only forgotten goes on until somebody collects what of it is left
            channel.close()

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def metrics_address(self) -> str:
        """Where /metrics is, as the log says."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return str(next(line["metrics"] for line in reversed(lines) if "metrics" in line))

    def channel(self, client: Issued | None, **options: Any) -> grpc.Channel:
        """A channel with a client's certificate, or with none; closed at the server's end."""
        pair = (client.key_pem, client.certificate_pem) if client else (None, None)
        credentials = grpc.ssl_channel_credentials(self.vault.server_ca.certificate_pem, *pair)
        self._channels.append(
            grpc.secure_channel(self.address, credentials, options=[*options.items(), ("grpc.enable_retries", 0)])
        )
        return self._channels[-1]

    def caller(self, who: str = "all", tenant: str = "acme") -> "Caller":
        """Somebody who calls."""
        return Caller(self.channel(self.vault.tenants[tenant].clients[who]))


class Caller:
    """Calls methods with the server's own generated messages, without the client package."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def raw(self, method: str, request: bytes, *, service: str = "VaultService", timeout: float | None = 60.0) -> bytes:
        """One call in bytes."""
        answer: bytes = self.channel.unary_unary(f"/vault.v1.{service}/{method}")(request, timeout=timeout)
        return answer

    def call(self, request: Message, *, timeout: float | None = 60.0) -> Any:
        """The response to a request; the method is the one the request's type is named after, of the service beside it."""
        name, file = request.DESCRIPTOR.name.removesuffix("Request"), request.DESCRIPTOR.file
        ((service, method),) = [
            (s.name, s.methods_by_name[name]) for s in file.services_by_name.values() if name in s.methods_by_name
        ]
        answer = self.raw(name, request.SerializeToString(), service=service, timeout=timeout)
        return GetMessageClass(method.output_type).FromString(answer)


def flipped(data: bytes) -> bytes:
    """The same with one bit changed, whatever it is: bytes that are only overwritten are now and then what they were."""
    return data[:-1] + bytes([data[-1] ^ 1])


def context(purpose: str = "payout", **fields: str) -> common_pb2.CallContext:
    """A call's context with a new request id."""
    return common_pb2.CallContext(purpose=purpose, request_id=str(uuid.uuid4()), **fields)


def tokenize_request(*values: tuple[str, str, str], **fields: Any) -> vault_service_pb2.TokenizeRequest:
    """A request for (subject_id, data class, text) triples; ``fields`` go into every item."""
    request = vault_service_pb2.TokenizeRequest(context=context())
    for subject_id, data_class, text in values:
        item = request.items.add(subject_id=subject_id, data_class=data_class, **fields)
        item.value.text = text
    return request


def reveal_request(*tokens: str, kind: int = common_pb2.FORM_KIND_PLAIN) -> vault_service_pb2.RevealRequest:
    """A request to reveal tokens in one form."""
    request = vault_service_pb2.RevealRequest(context=context())
    for token in tokens:
        request.items.add(token=token).form.kind = kind  # type: ignore[assignment]
    return request
