"""``pdvault db``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group()
def db() -> None:
    """The database's tables."""


@db.command(
    epilog=options.examples(
        "pdvault db upgrade --config vault.toml",
        "pdvault db upgrade --config owner.toml --grant-to vault_server",
    )
)
@options.config_option
@options.output_option
@click.option("--grant-to", metavar="ROLE", help="PostgreSQL: give this role what the server needs, and no more.")
def upgrade(config_file: Path, output: str | None, grant_to: str | None) -> None:
    """Bring the tables up to date.

    Run it as the role that owns the tables. Let the server itself connect as another role, named with --grant-to: that
    role can neither change nor delete audit events.
    """
    config = options.read_config(config_file)
    if grant_to and config.database.sqlite_file:
        raise click.UsageError("--grant-to is for PostgreSQL: SQLite has no roles")
    from vault.cli import opening
    from vault.store import schema

    opening.refuse_if_nothing_is_there(config)
    with opening.opened(config) as node, opening.changing_schema():
        version = schema.upgrade(node.engine)
        if grant_to:
            _grant(node.engine, grant_to)
    emit(output, [{"schema": version, "granted_to": grant_to}])


def _grant(engine: "Engine", role: str) -> None:
    from vault.store import schema

    try:
        schema.grant(engine, role)
    except ValueError as error:
        raise click.UsageError(f"--grant-to: {error}") from None
