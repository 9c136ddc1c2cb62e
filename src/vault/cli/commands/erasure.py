"""``pdvault erasure``: receipts of erasures: got from the vault, checked by it, verified and shown without it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.audit.trust import log_key_option, state_folder, state_option
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import subject_client
from vault.cli.failures import RefusedError
from vault.cli.output import emit
from vault.cli.parameters import HexUid
from vault.cli.text import clean
from vault.cli.verify_command import VerifyCommand

if TYPE_CHECKING:
    from vault.audit.receipt import VerifiedReceipt
    from vault.v1.subject_service_pb2 import ErasureReceipt

_VERIFY_EPILOG = """\b
Exit codes: 0 all that the receipt says is done is proven; 1 something is wrong with it; 2 it could not be checked, or has no
proof yet.

\b
Examples:
  pdvault erasure verify customer-17.receipt.json --log-key "$KEY"
  pdvault erasure verify customer-17.receipt.json --policy acme.policy -o json"""


_UID = HexUid("as `pdvault erase` printed them")


@click.group()
def erasure() -> None:
    """Receipts of erasures: get them, verify them, show them."""


@erasure.command(
    short_help="Get a receipt again, with what the log proves by now.",
    epilog=options.examples("pdvault erasure receipt 7a1c… --own first.json --out whole.json --purpose erasure"),
)
@click.argument("uid", type=_UID)
@click.option("--out", type=options.NEW_FILE, required=True, help="Where to write it. Must not exist.")
@click.option("--own", type=options.READABLE, help="The receipt that `erase` wrote: the new one then says whom it is about.")
@calling_options
@options.output_option
def receipt(uid: bytes, out: Path, own: Path | None, calling: Calling, output: str | None) -> None:
    """Get an erasure's receipt with the log's proof, and with that of its horizon once it is reached.

    Roles: privacy_officer, auditor.
    """
    from vault.cli import receipt_words
    from vault.durable import create_file

    held = _own(own, uid) if own else None
    with subject_client(calling) as client, in_client_words():
        found = client.erasure_receipt(uid, own=held, **calling.context)
    create_file(out, found.text)
    emit(output, [receipt_words.row(found, out)])


@erasure.command(
    short_help="Have the vault look again whether anything is left.",
    epilog=options.examples("pdvault erasure check 7a1c… --purpose erasure"),
)
@click.argument("uid", type=_UID)
@calling_options
@options.output_option
def check(uid: bytes, calling: Calling, output: str | None) -> int:
    """Have the vault look again whether anything is left; exit code 1 if so.

    Roles: privacy_officer, auditor.
    """
    with subject_client(calling) as client, in_client_words():
        found = client.verify_erasure(uid, **calling.context)
    left = ", ".join(f"{count} in {table}" for table, count in sorted(found.rows_left.items()))
    emit(output, [{"clean": found.is_clean, "left": left, "anchored": found.is_anchored, "past_horizon": found.is_past_horizon}])
    return 0 if found.is_clean and (found.is_anchored or found.is_past_horizon) else 1


@erasure.command(cls=VerifyCommand, epilog=_VERIFY_EPILOG)
@click.argument("file", type=options.READABLE)
@log_key_option
@click.option("--policy", type=options.READABLE, help="Keys and witnesses in a file (c2sp.org/tlog-policy), instead of options.")
@click.option("--witness", "witnesses", metavar="VKEY", multiple=True, help="The key of a witness that must have cosigned.")
@state_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
def verify(
    file: Path, log_keys: tuple[str, ...], policy: Path | None, witnesses: tuple[str, ...], state: Path | None, output: str
) -> int:
    """Check a receipt offline, without believing whoever runs the vault.

    Without --log-key or --policy the key is asked for that `pdvault audit verify` remembers of the log. Says what is proven, and
    what is not.
    """
    import json

    from vault.audit.verify_errors import UncheckedError, WrongError
    from vault.cli import receipt_words
    from vault.cli.audit import verify as run

    if policy and (log_keys or witnesses):
        raise click.UsageError("--policy says it all: give it without --log-key and --witness")
    try:
        found = _verified(_read(file), file, log_keys, policy, witnesses, state)
    except WrongError as error:
        run.print_bad(output, "BAD", [str(error)])
        return run.BAD
    except UncheckedError as error:
        run.print_bad(output, "UNCHECKED", [str(error)])
        return run.UNCHECKED
    result = "OK" if found.erased else "UNCHECKED"
    if output == "json":
        click.echo(json.dumps({"result": result, **receipt_words.fields(found)}))
    else:
        for line in (f"{result} erasure {found.statement.erasure_uid.hex()}", *receipt_words.proven(found)):
            click.echo(clean(line))
    return run.GOOD if found.erased else run.UNCHECKED


@erasure.command(
    short_help="Show what a receipt says, in plain words or as a page.",
    epilog=options.examples(
        "pdvault erasure show customer-17.receipt.json",
        'pdvault erasure show customer-17.receipt.json --html --log-key "$KEY" > receipt.html',
    ),
)
@click.argument("file", type=options.READABLE)
@click.option("--html", "as_page", is_flag=True, help="As a page to show or to print, for the person it is about.")
@log_key_option
@state_option
def show(file: Path, as_page: bool, log_keys: tuple[str, ...], state: Path | None) -> int:
    """Show what a receipt says, in plain words, and what of it is proven here.

    A receipt in which something is wrong is not shown. No page is made of one that is not proven here, since a page is believed.
    Exit codes are those of `verify`.
    """
    from vault.audit.receipt import read_statement
    from vault.audit.verify_errors import UncheckedError, WrongError
    from vault.cli import receipt_page, receipt_words
    from vault.cli.audit import verify as run

    try:
        read = _read(file)
        told = list(receipt_words.told(read, read_statement(read.statement)))
        try:
            found = _verified(read, file, log_keys, None, (), state)
            proofs = list(receipt_words.proven(found))
            missing = None if found.erased else "it has no proof yet; `pdvault erasure receipt` gets it with its proof"
        except UncheckedError as error:
            missing = str(error)
            proofs = [f"not checked: {error}"]
    except WrongError as error:
        raise click.ClickException(f"{file}: {error}") from None
    if as_page and missing:
        raise RefusedError(f"{file}: no page, since nothing is proven: {missing}")
    if as_page:
        click.echo(receipt_page.page(told, proofs), nl=False)
        return run.GOOD
    for name, said in told:
        click.echo(clean(f"{name}: {said}"))
    for line in proofs:
        click.echo(clean(line))
    return run.UNCHECKED if missing else run.GOOD


def _own(file: Path, uid: bytes) -> str:
    """The text of the receipt that `erase` wrote, if it is of this erasure.

    Raises:
        ClickException: it is another one's, or none.
    """
    from vault.audit.receipt import read_statement
    from vault.audit.verify_errors import WrongError

    try:
        found = read_statement(_read(file).statement).erasure_uid
    except WrongError as error:
        raise click.ClickException(f"{file}: {error}") from None
    if found != uid:
        raise click.ClickException(f"{file} is the receipt of another erasure, {found.hex()}: give the one of {uid.hex()}")
    return file.read_text("utf-8")


def _read(file: Path) -> "ErasureReceipt":
    from vault.audit.receipt_file import MAX_BYTES, decode

    with file.open("rb") as opened:
        return decode(opened.read(MAX_BYTES + 1))


def _verified(
    read: "ErasureReceipt",
    file: Path,
    log_keys: tuple[str, ...],
    policy: Path | None,
    witnesses: tuple[str, ...],
    state: Path | None,
) -> "VerifiedReceipt":
    from vault.audit.receipt import verify_receipt
    from vault.audit.remembered import Memory
    from vault.cli.audit.verify import read_policy

    return verify_receipt(read, read_policy(policy, log_keys, witnesses, None), Memory(state or state_folder()))
