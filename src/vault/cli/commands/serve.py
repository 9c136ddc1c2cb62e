"""``pdvault serve``."""

import sys
from pathlib import Path

import click

from vault.cli import options
from vault.cli.output import say


@click.command(
    epilog=options.examples(
        "pdvault serve --config vault.toml",
    )
)
@options.config_option
def serve(config_file: Path) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Logs to stderr: JSON lines, or text on a terminal. SIGTERM lets calls that are under way end first.
    """
    config = options.read_config(config_file)
    from vault.cli.opening import refuse_if_nothing_is_there
    from vault.server import logs
    from vault.server.serve import serve as serve_until_stopped

    refuse_if_nothing_is_there(config)
    logs.configure()
    # Elsewhere than on a terminal the log says so, in JSON, and nothing else is to stand between its lines.
    ready = say if sys.stderr.isatty() else lambda _: None
    serve_until_stopped(config, lambda address: ready(f"Ready: serving at {address}."))
