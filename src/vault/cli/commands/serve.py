"""``pdvault serve``."""

import sys
from pathlib import Path

import click

from vault.cli import options
from vault.cli.output import say


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from vault.server.config import host_and_port

    try:
        return value if value is None else host_and_port(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    epilog=options.examples(
        "pdvault serve --config vault.toml",
        "pdvault serve --config vault.toml --log-address 0.0.0.0:8444",
    )
)
@options.config_option
@click.option(
    "--log-address",
    metavar="HOST:PORT",
    callback=_address,
    help="Also serve the audit logs over HTTPS here (docs/formats-log.md); `[log] address` in the configuration does the same.",
)
def serve(config_file: Path, log_address: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Logs to stderr: JSON lines, or text on a terminal. SIGTERM lets calls that are under way end first.
    """
    config = options.read_config(config_file)
    if log_address:
        config = config.model_copy(update={"log": config.log.model_copy(update={"address": log_address})})
    from vault.cli.opening import refuse_if_nothing_is_there
    from vault.server import logs
    from vault.server.serve import serve as serve_until_stopped

    refuse_if_nothing_is_there(config)
    logs.configure()
    # Elsewhere than on a terminal the log says so, in JSON, and nothing else is to stand between its lines.
    ready = say if sys.stderr.isatty() else lambda _: None
    serve_until_stopped(config, lambda address: ready(f"Ready: serving at {address}."))
