"""``pdvault key-worker``."""

import sys
from pathlib import Path

import click

from vault.cli import options
from vault.cli.output import say


@click.command(
    "key-worker",
    short_help="Run what was asked for of keys: rotate, re-key, destroy.",
    epilog=options.examples("pdvault key-worker --config key-worker.toml"),
)
@options.config_option
def key_worker(config_file: Path) -> None:
    """Run what was asked for of tenants' keys: rotations, re-keying, destruction.

    Servers can't do that: the identity in the KMS that may make and end keys (`[kms.key_worker]`), and the database role that
    may write them (`pdvault db upgrade --grant-keys-to`), belong in this process's own configuration and nowhere else. One
    is enough; a second takes over if the first is lost. Ends with SIGTERM or Ctrl-C after the step under way, and goes on
    there when it is started again. Beside an SQLite file the server does this itself.
    """
    config = options.read_config(config_file)
    from vault.server import logs
    from vault.server.key_worker.running import work

    logs.configure()
    ready = say if sys.stderr.isatty() else lambda _: None
    work(config, lambda: ready("Ready: waiting for operations."))
