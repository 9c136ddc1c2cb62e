"""A served vault whose logs are served as well, and readers of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.harness import Server, Vault
from tests.log_http.checker import Checked, Reader, check_log, read_checkpoint

from vault.access.issuing import Issued
from vault.v1 import audit_pb2


@dataclass
class Site:
    """A vault and its server. ``keys`` are the public keys of its logs by tenant uid, as an auditor got them by another way."""

    vault: Vault
    server: Server
    address: str
    keys: dict[bytes, bytes]
    _readers: list[Reader] = field(default_factory=list)
    _principals: dict[tuple[str, str], Reader] = field(default_factory=dict)

    def uid(self, tenant: str = "acme") -> bytes:
        """A tenant's uid; zeros for the system's."""
        return bytes(16) if tenant == "system" else self.vault.tenants[tenant].uid

    def reader(self, client: Issued | None) -> Reader:
        """Somebody with this certificate, or none."""
        pair = (client.certificate_pem, client.key_pem) if client else ()
        reader = Reader(self.address, self.vault.server_ca.certificate_pem, *pair)
        self._readers.append(reader)
        return reader

    def principal(self, who: str = "auditor", tenant: str = "acme") -> Reader:
        """A principal of a tenant, always on the same connection."""
        if (who, tenant) not in self._principals:
            self._principals[who, tenant] = self.reader(self.vault.tenants[tenant].clients[who])
        return self._principals[who, tenant]

    def origin(self, tenant: str = "acme") -> str:
        """The name of a tenant's log."""
        return f"{self.vault.config.log.origin}/{self.uid(tenant).hex()}"

    def published_size(self, tenant: str = "acme", reader: Reader | None = None) -> int:
        """The size of the newest checkpoint; to ask for it leaves an event, unless it is public."""
        note = (reader or self.principal(tenant=tenant)).file(f"/{self.uid(tenant).hex()}/checkpoint")
        return read_checkpoint(note, self.origin(tenant), self.keys[self.uid(tenant)])[0]

    def check(self, tenant: str = "acme", reader: Reader | None = None) -> Checked:
        """Verify all of a tenant's log."""
        return check_log(
            reader or self.principal(tenant=tenant), self.uid(tenant), self.origin(tenant), self.keys[self.uid(tenant)]
        )

    def events(self, tenant: str = "acme") -> list[audit_pb2.AuditEvent]:
        """All events of a tenant's log, verified."""
        return [audit_pb2.AuditEvent.FromString(entry) for entry in self.check(tenant).entries]

    def close(self) -> None:
        """Hang up."""
        for reader in self._readers:
            reader.close()


@contextmanager
def site(vault: Vault, log: str = "", prelude: str = "") -> Iterator[Site]:
    """The vault with its logs served; ``log`` are further lines of that section of the configuration."""
    with vault.node() as node:
        keys = {uid: node.key_manager.log_public_key(uid) for uid in [bytes(16), *(t.uid for t in vault.tenants.values())]}
    file = vault.folder / "vault.toml"
    text = file.read_text()
    file.write_text(f'{text}\n[log]\naddress = "127.0.0.1:0"\n{log}\n')
    try:
        with Server(vault, prelude=prelude) as server:
            lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
            address = [line["address"] for line in lines if line["event"] == "serving logs"][-1]
            found = Site(vault, server, address, keys)
            yield found
            found.close()
    finally:
        file.write_text(text)
