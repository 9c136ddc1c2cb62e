"""``pdvault tenant``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit
from vault.cli.parameters import HexUid

if TYPE_CHECKING:
    from cryptography import x509


@click.group(short_help="The vault's customers, each with keys, log and CAs of its own.")
def tenant() -> None:
    """The vault's customers: each with its own keys, log, principals and issuing CAs."""


@tenant.command(
    epilog=options.examples(
        "pdvault tenant create acme --ca acme-ca.pem",
        "pdvault tenant create acme --ca acme-ca.pem --kek acme.kek",
    )
)
@click.argument("name")
@click.option(
    "--ca", "ca_files", type=options.READABLE, multiple=True, required=True, help="A CA that issues its clients' certificates."
)
@click.option("--kek", "kek_file", type=options.READABLE, help="The tenant's own KEK: 32 random bytes, mode 0600.")
@options.config_option
@options.output_option
def create(name: str, ca_files: tuple[Path, ...], kek_file: Path | None, config_file: Path, output: str | None) -> None:
    """Make a tenant: 1 to 63 of a-z, 0-9 and -.

    Its clients are whoever has a certificate of one of its CAs. docs/access.md says what such a CA must be. With --kek, the
    tenant brings its own KEK, now and for each rotation (docs/keys.md); that needs `[kms.key_worker]` in the configuration.
    """
    config = options.read_config(config_file)
    from vault.cli.installation import create_tenant
    from vault.cli.opening import administered
    from vault.cli.own_kek import read_kek

    cas = [certificate for path in ca_files for certificate in _certificates(path)]
    kek = read_kek(kek_file) if kek_file else None
    with administered(config) as node:
        uid = create_tenant(node, name, cas, kek)
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
    "import-kek",
    short_help="Bring the next version of a tenant's own KEK.",
    epilog=options.examples("pdvault tenant import-kek 0b9cf1d2a3e44f5a8b7c6d5e4f3a2b1c --kek acme-2.kek --config key-worker.toml"),
)
@click.argument("uid", type=HexUid("as `pdvault tenant list` prints it"))
@click.option("--kek", "kek_file", type=options.READABLE, required=True, help="Its next KEK: 32 random bytes, mode 0600.")
@options.config_option
@options.output_option
def import_kek(uid: bytes, kek_file: Path, config_file: Path, output: str | None) -> None:
    """Bring the next version of a tenant's own KEK, which `pdvault keys rotate` then takes into use.

    For tenants made with --kek; the KMS itself makes the versions of all others. Run it where the key worker runs, with its
    configuration: it needs the KMS and no database, so it does not disturb a server. Whoever brings keys keeps copies, and has to
    destroy these too before anything is beyond recovery.
    """
    config = options.read_config(config_file)
    from vault.cli.own_kek import bring_next, read_kek

    version = bring_next(config, uid, read_kek(kek_file))
    emit(output, [{"tenant_uid": uid.hex(), "kek_version": version}])


@tenant.command(
    "log-key",
    short_help="Print the key of a tenant's audit log, to be published.",
    epilog=options.examples(
        "pdvault tenant log-key acme > acme.vkey",
        "pdvault tenant log-key system",
    ),
)
@click.argument("name")
@options.config_option
def log_key(name: str, config_file: Path) -> None:
    """Print the key of a tenant's audit log, for the operator to publish: on a website, in a contract.

    With it anybody can check the log, and receipts of erasures, without believing the server. It is the verifier key of C2SP
    signed-note: the log's name, key id and key. After a restore the log has a new name, which ends in /r1, by the same key: publish
    both. The log of the tenant system is the vault's own.
    """
    config = options.read_config(config_file)
    from vault.cli import opening, registry

    with opening.inspected(config) as node:
        found = registry.log_key(node, registry.find_tenant(node, name).uid)
    click.echo(found)


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
