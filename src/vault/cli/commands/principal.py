"""``pdvault principal``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit, say

if TYPE_CHECKING:
    from vault.administration import Act

ROLES = ("admin", "auditor", "privacy_officer", "reader_masked", "reader_plain", "security_officer", "tokenizer")
"""The roles that the built-in policies know."""


@click.group()
def principal() -> None:
    """Who may call. NAME is short (billing), or the whole URI in the principal's certificates."""


@principal.command(
    epilog=options.examples(
        "pdvault principal add acme billing --role tokenizer --role reader_plain",
        "pdvault principal add acme spiffe://example.org/ns/shop/sa/billing --role tokenizer",
        "pdvault principal add acme billing --role tokenizer --issue-with acme-ca.pem acme-ca.key --out certs",
    )
)
@click.argument("tenant")
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="What it may do; several add up.")
@click.option("--kind", type=click.Choice(["service", "human"]), default="service", show_default=True, help="What it is.")
@click.option("--issue-with", nargs=2, type=options.READABLE, metavar="CA.PEM CA.KEY", help="Also issue it a certificate.")
@click.option("--out", type=options.FOLDER, default=Path(), show_default=True, help="With --issue-with: where to write it.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="With --issue-with: how long it is valid."
)
@options.config_option
@options.output_option
def add(
    tenant: str,
    name: str,
    roles: tuple[str, ...],
    kind: str,
    issue_with: tuple[Path, Path] | None,
    out: Path,
    days: int,
    config_file: Path,
    output: str | None,
) -> None:
    """Add a principal to a tenant.

    A short NAME stands for spiffe://pdvault/TENANT/NAME. --issue-with is for those without a PKI of their own: it writes
    NAME.pem and NAME.key (mode 0600), and overwrites nothing.
    """
    config = options.read_config(config_file)
    from vault import principals
    from vault.cli import certificates, opening, registry

    with opening.administered(config) as node:
        found = registry.find_tenant(node, tenant)
        uri = registry.uri(tenant, name)
        act = principals.add(found.uid, uri, kind, roles)
        if issue_with:
            certificates.check_registered(issue_with[0], registry.authorities(node), found.uid)
            with certificates.issued(issue_with, uri, out, days) as path:
                node.act(act)
            say(f"wrote {path} and {path.with_suffix('.key')}")
        else:
            node.act(act)
    emit(output, [{"tenant": tenant, "principal": uri, "kind": kind, "roles": sorted(set(roles))}])


@principal.command(
    epilog=options.examples(
        "pdvault principal suspend acme billing",
    )
)
@click.argument("tenant")
@click.argument("name")
@options.config_option
@options.output_option
def suspend(tenant: str, name: str, config_file: Path, output: str | None) -> None:
    """Stop a principal, for example when its key was stolen. It holds from the next call on, on every node."""
    from vault import principals

    _set_state(tenant, name, config_file, output, principals.suspend, "SUSPENDED")


@principal.command(
    epilog=options.examples(
        "pdvault principal resume acme billing",
    )
)
@click.argument("tenant")
@click.argument("name")
@options.config_option
@options.output_option
def resume(tenant: str, name: str, config_file: Path, output: str | None) -> None:
    """Let a suspended principal back."""
    from vault import principals

    _set_state(tenant, name, config_file, output, principals.resume, "ACTIVE")


@principal.command(
    "list",
    epilog=options.examples(
        "pdvault principal list acme -o table",
    ),
)
@click.argument("tenant")
@options.config_option
@options.output_option
def list_(tenant: str, config_file: Path, output: str | None) -> None:
    """List a tenant's principals."""
    config = options.read_config(config_file)
    from vault.cli import opening, registry

    with opening.inspected(config) as node:
        rows = registry.principals(node, registry.find_tenant(node, tenant).uid)
    emit(output, ({"principal": row.name, "kind": row.kind, "state": row.state, "roles": row.roles.split(",")} for row in rows))


def _set_state(
    tenant: str, name: str, config_file: Path, output: str | None, act: "Callable[[bytes, str], Act]", state: str
) -> None:
    config = options.read_config(config_file)
    from vault.cli import opening, registry

    with opening.administered(config) as node:
        found = registry.find_tenant(node, tenant)
        uri = registry.uri(tenant, name)
        node.act(act(found.uid, uri))
    emit(output, [{"tenant": tenant, "principal": uri, "state": state}])
