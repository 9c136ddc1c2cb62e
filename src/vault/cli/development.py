"""A vault for development: certificates, local keys, an SQLite file, one tenant with a principal for each role, all in one folder.

Its keys lie beside its data, so it protects nothing and proves nothing.
"""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509

from vault import principals
from vault.access.issuing import Issued, create_ca, issue_client, issue_server, principal_uri, write_private
from vault.cli import opening
from vault.cli.installation import create_tenant, initialise
from vault.server.config import Config, load

TENANT = "dev"
PRINCIPALS: Mapping[str, Sequence[str]] = {
    "app": ("tokenizer",),
    "support": ("reader_masked",),
    "payout": ("reader_plain",),
    "admin": ("admin",),
    "auditor": ("auditor",),
    "privacy": ("privacy_officer",),
    "security": ("security_officer",),
    "security-2": ("security_officer",),
}
"""Short name and roles of each principal."""

EMBEDDED = """\
[database]
sqlite_file = "vault.db"

[kms]
kind = "local"
keyring_file = "keyring"
key_file = "keyring.key"
"""
"""Where a development vault keeps data and keys: all beside its configuration."""

_DAYS = 3650
_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class DevVault:
    """The files of a development vault. ``folder`` is absolute."""

    folder: Path

    @property
    def config_file(self) -> Path:
        """The server's configuration."""
        return self.folder / "vault.toml"

    def config(self) -> Config:
        """The server's configuration, read anew."""
        return load(self.config_file)

    @property
    def faults_file(self) -> Path:
        """Which faults the vault has while it is served."""
        return self.folder / "faults"

    def environment(self, principal: str, address: str) -> dict[str, str]:
        """The variables with which commands and clients call as this principal."""
        client = self.folder / "clients" / principal
        return {
            "PDVAULT_ADDRESS": address,
            "PDVAULT_CACERT": str(self.folder / "server-ca.pem"),
            "PDVAULT_CERT": f"{client}.pem",
            "PDVAULT_KEY": f"{client}.key",
        }

    def env_file(self, principal: str) -> Path:
        """A file for shells that sets these variables."""
        return self.folder / f"env-{principal}.sh"

    def write_env_files(self, address: str) -> None:
        """Write the file of each principal, for a server at this address."""
        for name in PRINCIPALS:
            variables = self.environment(name, address).items()
            lines = [f"export {variable}={shlex.quote(value)}\n" for variable, value in variables]
            self.env_file(name).write_text("".join(lines))


def make(folder: Path, address: str, metrics_address: str) -> DevVault:
    """The development vault in a folder; made there if the folder is empty or missing, whole or not at all.

    Args:
        folder: the vault's own.
        address: where a new vault's server will answer; one that is there keeps its own.
        metrics_address: likewise.

    Raises:
        ClickException: the folder holds something else.
        VaultError: the vault can't be made.
    """
    vault = DevVault(folder.absolute())
    if vault.config_file.exists():
        return vault
    if vault.folder.exists() and any(vault.folder.iterdir()):
        raise click.ClickException(f"{folder} holds something, and no vault: choose another --folder")
    draft = DevVault(vault.folder.with_name(vault.folder.name + ".new"))
    shutil.rmtree(draft.folder, ignore_errors=True)
    ca = write_certificates(draft, address)
    write_config(draft.config_file, address, metrics_address, EMBEDDED)
    populate(draft.config(), ca)
    draft.folder.rename(vault.folder)
    return vault


def write_certificates(vault: DevVault, address: str) -> x509.Certificate:
    """Make the folder, the certificate of a server at ``address`` and each principal's; the tenant's CA."""
    names = dict.fromkeys((*_NAMES, address.rpartition(":")[0].strip("[]")))
    (vault.folder / "clients").mkdir(mode=0o700, parents=True)
    server_ca, tenant_ca = create_ca("pdvault dev server CA", _DAYS), create_ca("pdvault dev tenant CA", _DAYS)
    (vault.folder / "server-ca.pem").write_bytes(server_ca.certificate_pem)
    _write(vault.folder / "server", issue_server(server_ca, [*names], _DAYS))
    _write(vault.folder / "tenant-ca", tenant_ca)
    for name in PRINCIPALS:
        _write(vault.folder / "clients" / name, issue_client(tenant_ca, principal_uri(TENANT, name), _DAYS))
    return x509.load_pem_x509_certificate(tenant_ca.certificate_pem)


def write_config(path: Path, address: str, metrics_address: str, stores: str) -> None:
    """Write a configuration; ``stores`` is its sections ``database`` and ``kms``."""
    path.write_text(
        f'node = "dev"\n\n[server]\naddress = "{address}"\nmetrics_address = "{metrics_address}"\n'
        f'certificate_file = "server.pem"\nkey_file = "server.key"\n\n{stores}'
    )


def populate(config: Config, ca: x509.Certificate) -> None:
    """Initialise the vault; give it the tenant and its principals.

    Raises:
        VaultError: the KMS or the database refuses or does not answer.
    """
    initialise(config)
    with opening.administered(config) as node:
        uid = create_tenant(node, TENANT, [ca])
        for name, roles in PRINCIPALS.items():
            node.act(principals.add(uid, principal_uri(TENANT, name), "service", roles))


def _write(stem: Path, issued: Issued) -> None:
    stem.with_suffix(".pem").write_bytes(issued.certificate_pem)
    write_private(stem.with_suffix(".key"), issued.key_pem)
