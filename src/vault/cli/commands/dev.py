"""``pdvault dev``."""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit, say

if TYPE_CHECKING:
    from vault.cli.development import DevVault
    from vault.server.faults.catalogue import Fault

_STARTED = time.monotonic()
"""When this command was imported: a moment after the process began."""

_WARNING = "FOR DEVELOPMENT ONLY: the keys lie beside the data, so this vault protects nothing and can prove no erasure."


@click.command(
    epilog=options.examples(
        "pdvault dev",
        ". .dev/env-app.sh",
        "echo '+447700900123' | pdvault tokenize --class phone --subject customer-17 --purpose support",
        title="Example, in two terminals",
    )
    + "\n\n"
    + options.examples(
        "pdvault dev --fault kms-down",
        "echo kms-sealed > .dev/faults",
        "echo > .dev/faults",
        title="How callers fare without the KMS, then with a sealed one, then again with all in order",
    )
)
@click.option("--folder", type=options.FOLDER, default=Path(".dev"), show_default=True, help="Where everything is kept.")
@click.option("--address", metavar="HOST:PORT", default="127.0.0.1:8443", show_default=True, help="Where to answer; port 0 is any.")
@click.option("--metrics-address", metavar="HOST:PORT", default="127.0.0.1:9464", show_default=True, help="Where /metrics is.")
@click.option(
    "--fault",
    "names",
    metavar="NAME[,NAME]",
    multiple=True,
    help="Begin with a fault: kms-down, kms-sealed, kms-slow, kms-denied, kms-rate-limited, db-down, db-slow, db-read-only.",
)
@options.output_option
def dev(folder: Path, address: str, metrics_address: str, names: tuple[str, ...], output: str | None) -> None:
    """A whole vault for development, in one folder.

    SQLite, local keys, certificates, a tenant with a principal for each role. The first start makes it, the next ones find it as it
    was. Ends with Ctrl-C. Prints each principal with a file that sets PDVAULT_ADDRESS, PDVAULT_CACERT, PDVAULT_CERT and
    PDVAULT_KEY to call as it.

    It fails on purpose if you want: see how your program fares while KMS or database are away, slow or say no. --fault
    begins with that; while it runs, the file "faults" in its folder says which faults are on, one name a line. They are
    announced here. What callers get for each: docs/degraded.md.
    """
    from vault.cli.development import make
    from vault.cli.opening import only_errors_logged
    from vault.server import logs
    from vault.server.config import host_and_port
    from vault.server.faults.node import FaultyNode
    from vault.server.faults.switches import Switches
    from vault.server.serve import serve

    for option, given in (("--address", address), ("--metrics-address", metrics_address)):
        try:
            host_and_port(given)
        except ValueError as error:
            raise click.UsageError(f"{option} {error}") from None
    faults = _parsed(names)
    click.secho(_WARNING, err=True, fg="red", bold=True)
    logs.configure()
    with only_errors_logged():
        vault = make(folder, address, metrics_address)
    switches = Switches(vault.faults_file, _announce)
    config = vault.config()
    server = config.server.model_copy(update={"address": address, "metrics_address": metrics_address})

    def ready(bound: str) -> None:
        _ready(vault, bound, output)
        switches.write(faults)  # only now: with them no server could start

    serve(config.model_copy(update={"server": server}), ready, lambda config: FaultyNode(config, switches.on))


def _parsed(names: Sequence[str]) -> "frozenset[Fault]":
    from vault.server.faults.catalogue import UnknownFaultError, parse

    try:
        return parse(name for given in names for name in given.split(","))
    except UnknownFaultError as error:
        raise click.UsageError(f"--fault: {error}") from None


def _announce(sentence: str) -> None:
    click.secho(sentence, err=True, fg="red", bold=True)


def _ready(vault: "DevVault", address: str, output: str | None) -> None:
    from vault.cli.development import PRINCIPALS

    vault.write_env_files(address)
    emit(
        output,
        ({"principal": name, "roles": list(roles), "env_file": _short(vault.env_file(name))} for name, roles in PRINCIPALS.items()),
    )
    pdvault = _typed()
    app, support, payout, auditor = (_short(vault.env_file(name)) for name in ("app", "support", "payout", "auditor"))
    say(
        f"Ready: serving at {address} after {time.monotonic() - _STARTED:.1f} s. In another terminal:\n\n"
        f"  . {app}\n"
        f"  echo '+447700900123' | {pdvault} tokenize --class phone --subject customer-17 --purpose support\n"
        f"  . {support}\n"
        f"  {pdvault} reveal TOKEN --purpose support                 # masked\n"
        f"  {pdvault} reveal TOKEN --purpose support --form plain    # denied\n"
        f"  . {payout}\n"
        f"  {pdvault} reveal TOKEN --purpose support --form plain\n"
        f"  . {auditor}\n"
        f"  {pdvault} audit timeline --subject-id customer-17        # who saw whose data, when and why\n\n"
        f"{_short(vault.faults_file)} switches faults on while it runs. Ctrl-C ends it."
    )


def _typed() -> str:
    """This program as it can be typed here: somebody who called it by its path may not have it on theirs."""
    return "pdvault" if shutil.which("pdvault") else _short(Path(sys.argv[0]).absolute())


def _short(path: Path) -> str:
    """The path as it can be typed here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
