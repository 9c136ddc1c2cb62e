"""``pdvault witness``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit, say

if TYPE_CHECKING:
    from vault.audit.note import Verifier


@click.command(
    epilog=options.examples(
        "pdvault witness --name witness.example.org --key-file witness.key --state witness.state \\\n"
        "      --address 0.0.0.0:7380 --log 'pdvault.invalid/1111…+11ae6632+AQOhB7/z…'",
        "pdvault witness --key-file witness.key --state witness.state --address 127.0.0.1:7380 --log VKEY --log VKEY",
    )
)
@click.option("--key-file", type=options.FILE, required=True, help="The witness's key; made at the first start, mode 0600.")
@click.option(
    "--state",
    type=options.FOLDER,
    required=True,
    help="What was cosigned; made at the first start. Never restore it from a backup.",
)
@click.option(
    "--log", "logs", metavar="VKEY", multiple=True, required=True, help="Verifier key of a log to witness; may be repeated."
)
@click.option("--address", metavar="HOST:PORT", required=True, help="Where to answer; port 0 is any.")
@click.option("--name", default="", help="The witness's name for ever, such as witness.example.org; needed at the first start.")
@click.option("--tls-certificate", type=options.READABLE, help="Certificate chain (PEM) for HTTPS; without one it is HTTP.")
@click.option("--tls-key", type=options.READABLE, help="Private key (PEM) of that certificate.")
@options.output_option
def witness(
    key_file: Path,
    state: Path,
    logs: tuple[str, ...],
    address: str,
    name: str,
    tls_certificate: Path | None,
    tls_key: Path | None,
    output: str | None,
) -> None:
    """Witness audit logs: cosign what only grows.

    A vault whose logs are witnessed can't show one history to you and another to somebody else: a witness cosigns a
    checkpoint only if it extends the last one it cosigned, and remembers it first. Run one where the vault's operators can't
    reach it. It needs no secret of the vault, only the verifier keys of its logs, and any log of C2SP tlog-witness will do.

    Prints its own verifier key, which the vault's configuration and every auditor need. Serves until SIGTERM or Ctrl-C:
    POST /add-checkpoint, GET /<sha256 of origin>/checkpoint.

    The key and the state belong together. A witness that has lost its state must not go on: make a new key, and tell the logs.
    """
    import asyncio

    from vault.server.config import host_and_port
    from vault.witness import serving
    from vault.witness.errors import WitnessError
    from vault.witness.state import open_state
    from vault.witness.witness import Witness

    try:
        host, _, port = host_and_port(address).rpartition(":")
    except ValueError as error:
        raise click.UsageError(f"--address {error}") from None
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together")
    known = [_log(vkey) for vkey in logs]
    try:
        tls = serving.tls_context(tls_certificate, tls_key) if tls_certificate and tls_key else None
        with open_state(state, key_file, name, [log.name for log in known]) as (key, remembered):
            app = serving.application(Witness(key, remembered, known, say), say)

            def ready(bound: int) -> None:
                say(f"Ready: witnessing {len(known)} {'log' if len(known) == 1 else 'logs'} at {host}:{bound}.")
                emit(output, [{"vkey": key.verifier.vkey, "address": f"{host}:{bound}"}])

            asyncio.run(serving.serve(app, host.strip("[]"), int(port), tls, ready))
    except WitnessError as error:
        raise click.ClickException(str(error)) from None


def _log(vkey: str) -> "Verifier":
    from vault.audit.note import ED25519, NoteError, parse_vkey

    try:
        log = parse_vkey(vkey)
    except NoteError as error:
        raise click.UsageError(f"--log {error}") from None
    if log.kind != ED25519:
        raise click.UsageError(f"--log {log.name} is the key of a witness, not of a log")
    return log
