"""``pdvault tenant``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit

if TYPE_CHECKING:
    from cryptography import x509


@click.group()
def tenant() -> None:
    """The vault's customers: each with its own keys, log, principals and issuing CAs."""


@tenant.command(
    epilog=options.examples(
        "pdvault tenant create acme --ca acme-ca.pem",
    )
)
@click.argument("name")
@click.option(
    "--ca", "ca_files", type=options.READABLE, multiple=True, required=True, help="A CA that issues its clients' certificates."
)
@options.config_option
@options.output_option
def create(name: str, ca_files: tuple[Path, ...], config_file: Path, output: str | None) -> None:
    """Make a tenant: 1 to 63 of a-z, 0-9 and -.

    Its clients are whoever has a certificate of one of its CAs. docs/access.md says what such a CA must be.
    """
    config = options.read_config(config_file)
    from vault.cli.installation import create_tenant
    from vault.cli.opening import administered

    cas = [certificate for path in ca_files for certificate in _certificates(path)]
    with administered(config) as node:
        uid = create_tenant(node, name, cas)
    emit(output, [{"tenant": name, "uid": uid.hex(), "cas": len(cas)}])


@tenant.command(
    epilog=options.examples(
        "pdvault tenant trust acme --ca acme-ca-2.pem",
        "pdvault tenant trust system --ca auditors-ca.pem",
    )
)
@click.argument("name")
@click.option(
    "--ca", "ca_files", type=options.READABLE, multiple=True, required=True, help="A CA that issues its clients' certificates."
)
@options.config_option
@options.output_option
def trust(name: str, ca_files: tuple[Path, ...], config_file: Path, output: str | None) -> None:
    """Let a tenant have another issuing CA.

    That of the tenant system issues certificates to those who audit the system's own log: its principals have the role
    auditor and no other.
    """
    config = options.read_config(config_file)
    from vault.cli import installation, registry
    from vault.cli.opening import administered

    cas = [certificate for path in ca_files for certificate in _certificates(path)]
    with administered(config) as node:
        found = registry.find_tenant(node, name)
        installation.trust(node, found, cas)
    emit(output, [{"tenant": name, "uid": found.uid.hex(), "added": len(cas)}])


@tenant.command(
    "list",
    epilog=options.examples(
        "pdvault tenant list -o table",
    ),
)
@options.config_option
@options.output_option
def list_(config_file: Path, output: str | None) -> None:
    """List the tenants."""
    config = options.read_config(config_file)
    from vault.cli import opening, registry

    with opening.inspected(config) as node:
        cas = [ca.tenant_uid for ca in registry.authorities(node)]
        rows = registry.tenants(node)
    emit(output, ({"tenant": row.name, "uid": row.uid.hex(), "state": row.state, "cas": cas.count(row.uid)} for row in rows))


def _certificates(path: Path) -> "list[x509.Certificate]":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise click.ClickException(f"{path} holds no PEM certificate") from None
