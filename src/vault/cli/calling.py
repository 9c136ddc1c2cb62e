"""How commands reach a vault: as whom, why, and what becomes of the client's own refusals."""

import functools
import os
import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from vault.cli.options import READABLE
from vault.cli.output import say

if TYPE_CHECKING:
    from pdvault_client.connection import Connection

    Client = TypeVar("Client", bound=Connection)

_ENDPOINT = ("address", "ca", "cert", "key")


@dataclass(frozen=True)
class Endpoint:
    """Where a vault is, whom to trust there, and who calls."""

    address: str | None
    ca: Path | None
    cert: Path | None
    key: Path | None
    given: tuple[str, ...] = ()
    """The options among these that stood on the command line, as they stood there; what is missing the environment says."""

    def client(self, kind: "type[Client]", purpose: str, example: str) -> "Client":
        """A client of some kind; use it in ``with``.

        Args:
            kind: its class.
            purpose: of calls that name none.
            example: the principal of a development vault that has such a client.

        Raises:
            ClickException: a setting is missing, or a file does not hold what it should.
        """
        settings = {"PDVAULT_ADDRESS": self.address, "PDVAULT_CACERT": self.ca, "PDVAULT_CERT": self.cert, "PDVAULT_KEY": self.key}
        if not (self.address and self.ca and self.cert and self.key):
            missing = [name for name, setting in settings.items() if not setting]
            raise click.ClickException(
                f"{', '.join(missing)} not set: where the vault is, whom to trust and who you are. Set them, or give --address, "
                f"--ca, --cert and --key. After `pdvault dev`, one line does it: . .dev/env-{example}.sh"
            )
        if ":" not in self.address:  # gRPC would take port 443
            raise click.ClickException(f"the address {self.address} has no port: it must be HOST:PORT, such as 127.0.0.1:8443")
        with warnings.catch_warnings(record=True) as warned:
            try:
                client = kind(self.address, ca_file=self.ca, certificate_file=self.cert, key_file=self.key, purpose=purpose)
            except ValueError as error:  # the client's own words, about files
                raise click.ClickException(str(error)) from None
        for warning in warned:
            say(f"Warning: {warning.message}")
        _warn_if_expired(self.cert)
        return client


@dataclass(frozen=True)
class Calling:
    """How to reach a vault, as whom, and why."""

    endpoint: Endpoint
    purpose: str
    context: dict[str, Any]

    def again(self, *words: object) -> str:
        """A command line that the same caller can run as it stands, for the same purpose."""
        return shlex.join(["pdvault", *map(str, words), "--purpose", self.purpose, *self.endpoint.given])

    def by_another(self, *words: object) -> str:
        """A command line for somebody else, who has an environment of their own."""
        return shlex.join(["pdvault", *map(str, words), "--purpose", self.purpose])


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


def endpoint_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that calls a vault; it gets them as one ``endpoint``, and as ``timeout_s``."""

    @click.option(
        "--timeout", "timeout_s", type=click.FloatRange(0, 60, min_open=True), default=10.0, help="Seconds a call may take."
    )
    @click.option("--address", envvar="PDVAULT_ADDRESS", show_envvar=True, metavar="HOST:PORT", help="Where the vault is.")
    @click.option("--ca", type=READABLE, envvar="PDVAULT_CACERT", show_envvar=True, help="The CA of its certificate (PEM).")
    @click.option("--cert", type=READABLE, envvar="PDVAULT_CERT", show_envvar=True, help="Your certificate (PEM).")
    @click.option("--key", type=READABLE, envvar="PDVAULT_KEY", show_envvar=True, help="Its key (PEM, not encrypted).")
    @functools.wraps(command)
    def with_endpoint(*args: Any, address: str, ca: Path, cert: Path, key: Path, **kwargs: Any) -> Any:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is imported: its words are about what our errors explain
        return command(*args, endpoint=Endpoint(address, ca, cert, key, _given()), **kwargs)

    return with_endpoint


def _warn_if_expired(certificate_file: Path) -> None:
    """The server does not say why it refuses a certificate in the TLS handshake, so it is said here."""
    from cryptography import x509

    end = x509.load_pem_x509_certificate(certificate_file.read_bytes()).not_valid_after_utc
    if end < datetime.now(UTC):
        say(
            f"Warning: {certificate_file} expired on {end:%Y-%m-%d %H:%M:%S} UTC, so the vault will refuse it. "
            "Ask whoever runs your tenant's CA for a new one."
        )


def _given() -> tuple[str, ...]:
    """Which of a command's endpoint options stood on its command line."""
    context = click.get_current_context()
    said = [name for name in _ENDPOINT if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return tuple(word for name in said for word in (f"--{name}", str(context.params[name])))


def calling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that uses values; it gets them as one ``calling``."""

    @click.option("--purpose", required=True, envvar="PDVAULT_PURPOSE", show_envvar=True, help="Why: the purpose of this call.")
    @click.option("--ground", default="", help="The legal ground that the purpose rests on.")
    @click.option("--reference", default="", help="A ticket or court order that asked for this; never a personal value.")
    @click.option("--recipient", default="", help="Who outside receives what is released.")
    @endpoint_options
    @functools.wraps(command)
    def with_calling(*args: Any, endpoint: Endpoint, purpose: str, timeout_s: float, **kwargs: Any) -> Any:
        context = {name: kwargs.pop(name) for name in ("ground", "reference", "recipient")}
        return command(*args, calling=Calling(endpoint, purpose, {**context, "timeout_s": timeout_s}), **kwargs)

    return with_calling
