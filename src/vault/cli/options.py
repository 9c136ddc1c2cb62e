"""Options that several commands share, and what they stand for."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from vault.server.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
READABLE = click.Path(exists=True, readable=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class _NewFile(click.ParamType[Path]):
    """Where a file is to be written. What is there already is never overwritten."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        path = Path(value)
        if path.exists():
            self.fail(f"{path} exists and is not overwritten: choose another name", param, ctx)
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):  # known before a person is erased, not after
            self.fail(f"{path} can't be written: its folder is missing, or not yours to write into", param, ctx)
        return path


NEW_FILE = _NewFile()

_EXAMPLE = """\
node = "node-1"

[server]
address = "0.0.0.0:8443"
certificate_file = "server.pem"     # paths are relative to this file
key_file = "server.key"

[database]
sqlite_file = "vault.db"            # or url_file, a file with postgresql+psycopg://...

[kms]
kind = "local"                      # or "transit": HashiCorp Vault, OpenBao
keyring_file = "keyring"
key_file = "keyring.key"            # made by `pdvault init`; keep a copy elsewhere
"""


def config_option(command: Command) -> Command:
    """``--config``: the configuration file; commands get its path as ``config_file``."""
    return click.option(
        "--config",
        "config_file",
        type=FILE,
        default=Path("vault.toml"),
        show_default=True,
        envvar="PDVAULT_CONFIG",
        show_envvar=True,
        help="The vault's configuration.",
    )(command)


def output_option(command: Command) -> Command:
    """``-o``: how to print."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        help="How to print: a table, or a JSON object a line. By default a table on a terminal, else JSON.",
    )(command)


def report_option(command: Command) -> Command:
    """``-o`` of reports, which spreadsheets take too."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "csv"]),
        help="How to print: a table, a JSON object a line, or CSV. By default a table on a terminal, else JSON. In CSV, a text "
        "that a spreadsheet would compute begins with an apostrophe.",
    )(command)


def examples(*lines: str, title: str = "Examples") -> str:
    """Command lines to show at the end of a command's help, as they are."""
    return "\n".join(["\b", f"{title}:", *(f"  {line}" for line in lines)])


def read_config(path: Path) -> "Config":
    """The configuration in a file.

    Raises:
        ClickException: there is no file; the message shows one.
        ConfigError: it can't be used.
    """
    from vault.server.config import load

    if not path.exists():
        raise click.ClickException(
            f"{path} is missing. A configuration looks like this; write one, or try `pdvault dev`:\n\n{_EXAMPLE}"
        )
    return load(path)
