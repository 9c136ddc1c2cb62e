"""``pdvault init``."""

from pathlib import Path

import click

from vault.cli import options
from vault.cli.output import say


@click.command(
    epilog=options.examples(
        "pdvault init --config vault.toml",
    )
)
@options.config_option
def init(config_file: Path) -> None:
    """Make a new vault from its configuration.

    Makes the local keyring (or the system's keys in Transit), the database's key (SQLite) and the tables, and begins the
    system's log. After an interruption, run it again. A vault that exists is never touched.
    """
    config = options.read_config(config_file)
    from vault.cli.installation import initialise

    initialise(config, say)
    say("The vault is ready. Next: pdvault tenant create NAME --ca ca.pem")
