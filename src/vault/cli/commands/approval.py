"""``pdvault approval``: deciding on what another asks for."""

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import approval_client
from vault.cli.keys.parameters import APPROVAL_UID
from vault.cli.keys.report import approval_fields
from vault.cli.output import emit, say

_UID = "0d9d5a9e6f0c4b0e8a5e0c7d1f0b6a11"


@click.group(
    short_help="What takes two: one asks, another approves.",
    epilog="\b\nNobody decides on what they asked for themselves. Role: security_officer.",
)
def approval() -> None:
    """What takes two: one asks, another approves, and then it is done once, within 24 hours."""


@approval.command("list", epilog=options.examples("pdvault approval list --purpose review"))
@calling_options
@options.output_option
def list_(calling: Calling, output: str | None) -> None:
    """List what is asked for, and not decided or not used yet."""
    with approval_client(calling) as client, in_client_words():
        found = client.list(**calling.context)
    emit(output, map(approval_fields, found))


@approval.command(epilog=options.examples(f"pdvault approval approve {_UID} --purpose incident --reference INC-4711"))
@click.argument("uid", type=APPROVAL_UID, metavar="APPROVAL")
@calling_options
def approve(uid: bytes, calling: Calling) -> None:
    """Let it be done, once, by whoever asked. `pdvault approval list` says what it is: read that first."""
    with approval_client(calling) as client, in_client_words():
        client.approve(uid, **calling.context)
    say("Approved: whoever asked may do it now, once.")


@approval.command(epilog=options.examples(f"pdvault approval deny {_UID} --purpose incident"))
@click.argument("uid", type=APPROVAL_UID, metavar="APPROVAL")
@calling_options
def deny(uid: bytes, calling: Calling) -> None:
    """Refuse it; also what was approved and is not done yet."""
    with approval_client(calling) as client, in_client_words():
        client.deny(uid, **calling.context)
    say("Denied.")
