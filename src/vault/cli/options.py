"""Options that several commands share, and what they stand for."""

import functools
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pdvault_client import VaultClient
    from vault.server.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
READABLE = click.Path(exists=True, readable=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

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
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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


@dataclass(frozen=True)
class Calling:
    """How to reach a vault, as whom, and why."""

    address: str | None
    ca: Path | None
    cert: Path | None
    key: Path | None
    purpose: str
    context: dict[str, Any]

    def client(self) -> "VaultClient":
        """A client; use it in ``with``.

        Raises:
            ClickException: a setting is missing, or a file does not hold what it should.
        """
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own words on stderr, about what our errors explain
        from pdvault_client import VaultClient

        settings = {"PDVAULT_ADDRESS": self.address, "PDVAULT_CACERT": self.ca, "PDVAULT_CERT": self.cert, "PDVAULT_KEY": self.key}
        if not (self.address and self.ca and self.cert and self.key):
            missing = [name for name, setting in settings.items() if not setting]
            raise click.ClickException(
                f"{', '.join(missing)} not set: where the vault is, whom to trust and who you are. Set them, or give --address, "
                "--ca, --cert and --key. After `pdvault dev`, one line does it: . .dev/env-app.sh"
            )
        try:
            return VaultClient(self.address, ca_file=self.ca, certificate_file=self.cert, key_file=self.key, purpose=self.purpose)
        except ValueError as error:  # the client's own words, about files
            raise click.ClickException(str(error)) from None


@contextmanager
def in_client_words() -> Iterator[None]:
    """Around calls: what the client itself refuses (too many items, too many bytes) is said in its own words, which hold no value.

    Raises:
        ClickException: for the client's ValueError.
    """
    try:
        yield
    except UnicodeError:  # a ValueError that would quote what it failed on
        problem = "something is no Unicode text"
    except ValueError as error:
        problem = str(error)
    else:
        return
    raise click.ClickException(problem)


def iso(time: datetime | None) -> str | None:
    """A time as RFC 3339 has it."""
    return time.isoformat(timespec="seconds") if time else None


def calling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that calls a vault; it gets them as one ``calling``."""

    @click.option("--purpose", required=True, envvar="PDVAULT_PURPOSE", show_envvar=True, help="Why: the purpose of this call.")
    @click.option("--ground", default="", help="The legal ground that the purpose rests on.")
    @click.option("--reference", default="", help="A ticket or court order that asked for this; never a personal value.")
    @click.option("--recipient", default="", help="Who outside receives what is released.")
    @click.option(
        "--timeout", "timeout_s", type=click.FloatRange(0, 60, min_open=True), default=10.0, help="Seconds a call may take."
    )
    @click.option("--address", envvar="PDVAULT_ADDRESS", show_envvar=True, metavar="HOST:PORT", help="Where the vault is.")
    @click.option("--ca", type=READABLE, envvar="PDVAULT_CACERT", show_envvar=True, help="The CA of its certificate (PEM).")
    @click.option("--cert", type=READABLE, envvar="PDVAULT_CERT", show_envvar=True, help="Your certificate (PEM).")
    @click.option("--key", type=READABLE, envvar="PDVAULT_KEY", show_envvar=True, help="Its key (PEM, not encrypted).")
    @functools.wraps(command)
    def with_calling(
        *args: Any, address: str, ca: Path, cert: Path, key: Path, purpose: str, timeout_s: float, **kwargs: Any
    ) -> Any:
        context = {name: kwargs.pop(name) for name in ("ground", "reference", "recipient")}
        calling = Calling(address, ca, cert, key, purpose, {**context, "timeout_s": timeout_s})
        return command(*args, calling=calling, **kwargs)

    return with_calling


class ValueCommand(click.Command):
    """A command that takes a value. One given as an argument by mistake is refused, and not repeated on the terminal."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse what is left over without quoting it."""
        rest = super().parse_args(ctx, args)
        if rest:
            ctx.fail("values are never arguments, where every user of the machine could read them: give them on stdin or in a file")
        return rest


class Duration(click.ParamType[timedelta]):
    """A time such as ``90s``, ``15m``, ``24h`` or ``30d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", value)
        if not found:
            self.fail("must be a number and s, m, h or d, such as 30d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Uuid(click.ParamType[uuid.UUID]):
    """A UUID."""

    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> uuid.UUID:
        """The UUID."""
        try:
            return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
        except ValueError:
            self.fail("must be a UUID, such as `uuidgen` prints", param, ctx)
