"""``pdvault db``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine, Table


@click.group()
def db() -> None:
    """The database's tables."""


@db.command(
    epilog=options.examples(
        "pdvault db upgrade --config vault.toml",
        "pdvault db upgrade --config owner.toml --grant-to vault_server --grant-log-to vault_log",
    )
)
@options.config_option
@options.output_option
@click.option("--grant-to", metavar="ROLE", help="PostgreSQL: give this role what the server needs, and no more.")
@click.option("--grant-log-to", metavar="ROLE", help="PostgreSQL: give this role what keeping the audit log needs, and no more.")
@click.option("--grant-keys-to", metavar="ROLE", help="PostgreSQL: give this role what the key worker needs, and no more.")
def upgrade(
    config_file: Path, output: str | None, grant_to: str | None, grant_log_to: str | None, grant_keys_to: str | None
) -> None:
    """Bring the tables up to date.

    Run it as the role that owns the tables. Let the server's calls go through another role, named with --grant-to: that role
    can neither change nor delete audit events. The server keeps the log as a third one, named with --grant-log-to and in the
    configuration's database.log_url. The key worker is a fourth, named with --grant-keys-to: it alone writes tenants' keys.
    """
    config = options.read_config(config_file)
    if (grant_to or grant_log_to or grant_keys_to) and config.database.sqlite_file:
        raise click.UsageError("--grant-to, --grant-log-to and --grant-keys-to are for PostgreSQL: SQLite has no roles")
    if grant_log_to and grant_log_to in (grant_to, grant_keys_to):
        raise click.UsageError("--grant-log-to must name a role of its own: no other may change the log")
    if grant_to and grant_to == grant_keys_to:
        raise click.UsageError("--grant-to and --grant-keys-to must name two roles: servers must not change tenants' keys")
    from vault.cli import opening
    from vault.store import schema

    opening.refuse_if_nothing_is_there(config)
    with opening.opened(config) as node, opening.changing_schema():
        version = schema.upgrade(node.engine)
        node.begin_missing_logs()
        if grant_to:
            _grant(node.engine, "--grant-to", grant_to, schema.SERVER_MAY)
        if grant_log_to:
            _grant(node.engine, "--grant-log-to", grant_log_to, schema.INTEGRATOR_MAY)
        if grant_keys_to:
            _grant(node.engine, "--grant-keys-to", grant_keys_to, schema.KEY_WORKER_MAY)
    granted = {"granted_to": grant_to, "granted_log_to": grant_log_to, "granted_keys_to": grant_keys_to}
    emit(output, [{"schema": version, **granted}])


def _grant(engine: "Engine", option: str, role: str, rights: "Mapping[Table, str]") -> None:
    from vault.store import schema

    try:
        schema.grant(engine, role, rights)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None
