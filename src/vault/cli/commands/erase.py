"""``pdvault erase``."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import subject_client
from vault.cli.output import emit, say
from vault.cli.parameters import Uuid

if TYPE_CHECKING:
    from pdvault_client import ErasureReceipt, SubjectClient

_LOOK_S = 1.0


@click.command(
    epilog=options.examples(
        "pdvault erase --subject customer-17 --out customer-17.receipt.json --purpose erasure --reference T-4711",
        "pdvault erase --subject customer-17 --out again.json --purpose erasure --request-id 0b5c… --yes   # the same one again",
    )
)
@click.option("--subject", metavar="ID", required=True, help="Who: your own opaque name of the person, no personal value.")
@click.option("--out", type=options.NEW_FILE, required=True, help="Where to write the receipt. Must not exist.")
@click.option("--yes", is_flag=True, help="Don't ask for the name once more.")
@click.option("--request-id", type=Uuid(), help="Repeat a call under its first id: within 24 hours, the same receipt.")
@click.option("--wait", "wait_s", type=click.IntRange(0, 600), default=15, show_default=True, help="Seconds to wait for the proof.")
@calling_options
@options.output_option
def erase(
    subject: str, out: Path, yes: bool, request_id: uuid.UUID | None, wait_s: int, calling: Calling, output: str | None
) -> None:
    """Destroy a subject's keys, and with them all of its data, in every copy. This can't be undone.

    The receipt is the only thing that leads from the name to the erasure: keep it. It is written as soon as the vault answers, and
    again with the log's proof, which takes some seconds. Role: privacy_officer.
    """
    from vault.cli import receipt_words
    from vault.durable import create_file, replace_file

    if not yes and click.prompt("This can't be undone. Type the subject's name once more", err=True) != subject:
        raise click.ClickException("that is another name: nothing was done")
    with subject_client(calling) as client, in_client_words():
        receipt = client.erase(subject, request_id=str(request_id or uuid.uuid4()), **calling.context)
        create_file(out, receipt.text)
        proven = _proven(client, receipt, calling, wait_s)
    if proven.is_proven:
        replace_file(out, proven.text)
    else:
        say(f"The log has no proof yet; later: pdvault erasure receipt {receipt.erasure_uid.hex()} --own {out} --out …")
    emit(output, [receipt_words.row(proven, out)])


def _proven(client: "SubjectClient", receipt: "ErasureReceipt", calling: Calling, wait_s: int) -> "ErasureReceipt":
    """The receipt with its proof, if the log has it in time; what goes wrong meanwhile leaves the receipt as it is."""
    import time

    from pdvault_client import VaultError

    end = time.monotonic() + wait_s
    found = receipt
    while not found.is_proven and time.monotonic() < end:
        time.sleep(min(_LOOK_S, max(0.0, end - time.monotonic())))  # a proof is asked for: it comes when the log has grown
        try:
            found = client.erasure_receipt(receipt.erasure_uid, own=receipt.text, **calling.context)
        except VaultError as error:
            say(f"The proof can't be had now: {error}")
            break
    return found
