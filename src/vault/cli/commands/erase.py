"""``pdvault erase``."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
    short_help="Destroy a subject's keys, and so its data in every copy.",
    epilog=options.examples(
        "pdvault erase --subject customer-17 --out customer-17.receipt.json --purpose erasure --reference T-4711",
        "pdvault erase --subject customer-17 --out again.json --purpose erasure --request-id 0b5c… --yes   # the same one again",
    ),
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
    request = str(request_id or uuid.uuid4())
    with subject_client(calling) as client, in_client_words():
        with repeatable(request):
            receipt = client.erase(subject, request_id=request, **calling.context)
            create_file(out, receipt.text)
        proven = _proven(client, receipt, calling, wait_s)
    if proven.is_proven:
        replace_file(out, proven.text)
    else:
        whole = out.with_name(f"{out.stem}.proven{out.suffix}")
        line = calling.again("erasure", "receipt", receipt.erasure_uid.hex(), "--own", out, "--out", whole)
        say(f"It is erased, and the log has no proof of it yet. To get the receipt with it, later: {line}")
    emit(output, [receipt_words.row(proven, out)])


@contextmanager
def repeatable(request_id: str) -> Iterator[None]:
    """Around a call that may take effect without its receipt coming to us: say how to get it, by the request's id (a UUID)."""
    from pdvault_client import ConflictError, DeadlineExceededError, InternalError, UnavailableError

    try:
        yield
    except (KeyboardInterrupt, OSError, ConflictError, DeadlineExceededError, InternalError, UnavailableError):
        say(
            "The erasure may have begun, and then it goes on by itself. For its receipt, run the same command again with "
            f"--request-id {request_id}, within 24 hours."
        )
        raise


def _proven(client: "SubjectClient", receipt: "ErasureReceipt", calling: Calling, wait_s: int) -> "ErasureReceipt":
    """The receipt with its proof, if the log has it in time; what goes wrong meanwhile, or Ctrl-C, leaves the receipt as it is."""
    import time

    from pdvault_client import VaultError

    end = time.monotonic() + wait_s
    found = receipt
    try:
        while not found.is_proven and time.monotonic() < end:
            time.sleep(min(_LOOK_S, max(0.0, end - time.monotonic())))  # a proof is asked for: it comes when the log has grown
            found = client.erasure_receipt(receipt.erasure_uid, own=receipt.text, **calling.context)
    except VaultError as error:
        say(f"The proof can't be had now: {error}")
    except KeyboardInterrupt:
        say("Not waiting for the proof any longer.")
    return found
