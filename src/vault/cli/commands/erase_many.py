"""``pdvault erase-many``."""

import uuid
from pathlib import Path

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import operation_client, subject_client
from vault.cli.commands.erase import repeatable
from vault.cli.keys.following import until_ended
from vault.cli.output import emit, say
from vault.cli.parameters import Uuid
from vault.cli.progress import rows_bar

MAX_NAMES = 1000
"""Of one request."""


@click.command(
    "erase-many",
    short_help="The same of many subjects, by a file of names.",
    epilog=options.examples(
        "pdvault erase-many gone.txt --out receipts --purpose erasure --reference T-4711",
        "pdvault erase-many gone.txt --out receipts --purpose erasure --request-id 0b5c… --yes   # the same ones again",
    ),
)
@click.argument("file", type=options.READABLE)
@click.option("--out", type=options.FOLDER, required=True, help="The folder for the receipts, a file an erasure. Made if missing.")
@click.option("--yes", is_flag=True, help="Don't ask for how many they are.")
@click.option("--request-id", type=Uuid(), help="Repeat a call under its first id: within 24 hours, the same receipts.")
@calling_options
@options.output_option
def erase_many(file: Path, out: Path, yes: bool, request_id: uuid.UUID | None, calling: Calling, output: str | None) -> None:
    """Destroy the keys of all subjects in FILE, one name a line, 1,000 at most. This can't be undone.

    All are begun, or nobody is: an unknown name or a hold refuses the lot. Keep the receipts: nothing else leads from the names to
    the erasures. `pdvault erasure receipt` adds the log's proof to each. Role: privacy_officer.
    """
    from vault.cli import receipt_words
    from vault.durable import replace_file

    names = _names(file)
    if not yes and click.prompt(f"This can't be undone. Type how many people {file} names", err=True) != str(len(names)):
        raise click.ClickException("it names another number of people: nothing was done")
    request, rows = str(request_id or uuid.uuid4()), []
    with subject_client(calling) as client, operation_client(calling) as operations, in_client_words(), repeatable(request):
        begun = client.bulk_erase(names, request_id=request, **calling.context)
        ended = until_ended(operations, begun.name, calling.context)
        if ended.error:
            raise ended.error
        out.mkdir(parents=True, exist_ok=True)
        with rows_bar("receipts") as show:
            for done, name in enumerate(names, 1):  # a call each: only Erase answers what says whom a receipt is about
                receipt = client.erase(name, request_id=request, **calling.context)
                path = out / f"{receipt.erasure_uid.hex()}.receipt.json"
                replace_file(path, receipt.text)
                rows.append(receipt_words.row(receipt, path))
                show("", done, len(names))
    line = calling.again("erasure", "receipt", "UID", "--own", out / "UID.receipt.json", "--out", "FILE")
    say(f"To get one with the log's proof, some seconds later: {line}")
    emit(output, rows)


def _names(file: Path) -> list[str]:
    """The names in a file, one a line.

    Raises:
        ClickException: there are none or too many, or one is there twice.
    """
    try:
        names = [line for line in file.read_text("utf-8").splitlines() if line]
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not in UTF-8") from None
    if not 0 < len(names) <= MAX_NAMES:
        raise click.ClickException(f"{file} has {len(names)} names; a request takes 1 to {MAX_NAMES}: split it")
    if len(set(names)) < len(names):
        first = next(number for number, name in enumerate(names, 1) if name in names[: number - 1])
        raise click.ClickException(f"{file}: name {first} stands there before; leave one out")
    return names
