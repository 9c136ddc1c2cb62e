"""``pdvault keys``: a tenant's keys. Here: their state, their schedule, and the end of all service."""

from dataclasses import replace
from datetime import timedelta

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import key_client
from vault.cli.commands.keys_work import cancel, destroy, operations, pause, rekey, resume, rotate, wait
from vault.cli.keys.parameters import APPROVAL_UID
from vault.cli.keys.report import schedule_fields, show_asked, show_status
from vault.cli.output import emit, say
from vault.cli.parameters import Duration

_EPILOG = """\b
Look:       status, operations, wait
Plan:       schedule
Work:       rotate, rekey, pause, resume, cancel
End keys:   destroy
Emergency:  seal, unseal
\b
destroy and unseal take a second security officer: pdvault approval. Role: security_officer."""


@click.group(short_help="A tenant's keys: status, rotation, destruction, sealing.", epilog=_EPILOG)
def keys() -> None:
    """A tenant's keys: what they are and what hangs on them, their rotation, their end, and the end of all service."""


for _command in (rotate, rekey, destroy, operations, wait, pause, resume, cancel):
    keys.add_command(_command)


@keys.command(
    short_help="Tell the tenant's keys, what hangs on each, what is due.",
    epilog=options.examples(
        "pdvault keys status --purpose review",
        "pdvault keys status --purpose review -o json | jq .is_overdue",
    ),
)
@calling_options
@options.output_option
def status(calling: Calling, output: str | None) -> None:
    """Tell the tenant's keys, what each still wraps or fingerprints, what is due, and what destroying a version would lose."""
    with key_client(calling) as client, in_client_words():
        found = client.status(**calling.context)
    show_status(found, output)


@keys.command(
    short_help="Tell or set how often keys rotate and how long copies live.",
    epilog=options.examples(
        "pdvault keys schedule --purpose policy",
        "pdvault keys schedule --rotate-every 90d --restore-window 35d --kms-snapshots 14d --purpose policy",
        "pdvault keys schedule --never --purpose policy",
    ),
)
@click.option("--rotate-every", type=Duration(), help="Rotate so often by itself: at least 1d.")
@click.option("--never", is_flag=True, help="Never rotate by itself.")
@click.option("--restore-window", type=Duration(), help="How long backups of the database are kept to be restored.")
@click.option("--kms-snapshots", type=Duration(), help="How long snapshots of the KMS are kept.")
@calling_options
@options.output_option
def schedule(
    rotate_every: timedelta | None,
    never: bool,
    restore_window: timedelta | None,
    kms_snapshots: timedelta | None,
    calling: Calling,
    output: str | None,
) -> None:
    """Tell how often keys rotate and how long copies live, or set what is given of it.

    How long copies live is for you to know: the vault reckons with it when it says from when on nothing brings back whoever was
    erased. 30 days are assumed until you say otherwise.
    """
    if never and rotate_every:
        raise click.UsageError("--never and --rotate-every exclude each other")
    given = {"rotate_every": rotate_every, "restore_window": restore_window, "kms_snapshot_retention": kms_snapshots}
    changed = {name: part for name, part in given.items() if part is not None} | ({"rotate_every": None} if never else {})
    with key_client(calling) as client, in_client_words():
        found = client.status(**calling.context).schedule
        if changed:
            found = replace(found, **changed)
            client.set_schedule(found, **calling.context)
    emit(output, [schedule_fields(found)])


@keys.command(
    short_help="End all service of the tenant, with the next call.",
    epilog=options.examples("pdvault keys seal --purpose incident --reference INC-4711"),
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@calling_options
def seal(yes: bool, calling: Calling) -> None:
    """End all service of the tenant, with the next call on every node.

    For an emergency: one security officer does it alone, and two are needed to lift it. Nothing is lost. Nodes drop the tenant's
    keys, and long work on them waits.
    """
    if not yes:
        click.confirm("End all service of this tenant now? It takes two to begin again", abort=True, err=True)
    with key_client(calling) as client, in_client_words():
        client.seal(**calling.context)
    say(f"Sealed: nothing is served from the next call on. To begin again: {calling.again('keys', 'unseal')}")


@keys.command(
    short_help="Ask for service again; begin it once that is approved.",
    epilog=options.examples(
        "pdvault keys unseal --purpose incident",
        "pdvault keys unseal --approval 0d9d5a9e6f0c4b0e8a5e0c7d1f0b6a11 --purpose incident",
    ),
)
@click.option("--approval", "uid", type=APPROVAL_UID, metavar="APPROVAL", help="The approval, once another has given it.")
@calling_options
@options.output_option
def unseal(uid: bytes | None, calling: Calling, output: str | None) -> None:
    """Ask for service again, and begin it once another security officer has approved."""
    with key_client(calling) as client, in_client_words():
        if uid:
            client.unseal(uid, **calling.context)
            say("Unsealed: the tenant is served again.")
            return
        asked = client.ask_to_unseal(**calling.context)
    show_asked(asked, calling, ("keys", "unseal"), output)
