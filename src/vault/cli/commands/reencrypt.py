"""``pdvault reencrypt``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.ciphertexts import batches
from vault.cli.clients import field_client
from vault.cli.csv_tokens import Column, Plan
from vault.cli.output import Fields, emit
from vault.cli.parameters import ValueCommand


@click.command(
    short_help="Move ciphertexts to their subjects' newest keys.",
    cls=ValueCommand,
    epilog=options.examples(
        "pdvault reencrypt pdv1.AQFE... --purpose rotation",
        "pdvault reencrypt --associated-data customers/email/17 --purpose rotation < column.txt",
        "pdvault reencrypt --csv encrypted.csv --out newest.csv --column phone --associated-data-column id --purpose rotation",
    ),
)
@click.argument("ciphertexts", nargs=-1, metavar="[CIPHERTEXT]...")
@click.option("--associated-data", metavar="TEXT", help="What all of them are bound to.")
@click.option("--csv", "csv_file", type=options.READABLE, help="A table with ciphertexts (UTF-8, with a header).")
@click.option("--out", type=options.NEW_FILE, help="With --csv: where to write the table with the new ones. Must not exist.")
@click.option("--column", "columns", metavar="COLUMN", multiple=True, help="With --csv: a column of ciphertexts. May be repeated.")
@click.option(
    "--associated-data-column", metavar="COLUMN", help="With --csv: the column whose cell a row's ciphertexts are bound to."
)
@calling_options
@options.output_option
def reencrypt(
    ciphertexts: tuple[str, ...],
    associated_data: str | None,
    csv_file: Path | None,
    out: Path | None,
    columns: tuple[str, ...],
    associated_data_column: str | None,
    calling: Calling,
    output: str | None,
) -> None:
    """Move ciphertexts to their subjects' newest keys, without anybody seeing a value.

    For after `pdvault keys rekey`; until the subject is erased, the old ones open as well. Ciphertexts are arguments, lines on
    stdin, or cells of a table. What comes out is in their order, and "changed" says which ones have to be stored. They are asked
    for 100 at a time; one that fails ends the command, and of its hundred nothing is printed. Role: tokenizer.
    """
    if csv_file:
        if ciphertexts or associated_data is not None:
            raise click.UsageError("--csv goes with --out and the options that name columns, not with single ciphertexts")
        if not (out and columns):
            raise click.UsageError("--csv needs --out and at least one --column")
        others = (associated_data_column,) if associated_data_column else ()
        plan = Plan("", [Column(name, "", "ciphertext") for name in columns], {}, others)
        from vault.cli.csv_file import reencrypt_file

        emit(output, [reencrypt_file(csv_file, out, plan, associated_data_column, calling)])
        return
    if out or columns or associated_data_column:
        raise click.UsageError("--out, --column and --associated-data-column go with --csv")
    bound = None if associated_data is None else associated_data.encode()
    emit(output, _moved(batches(ciphertexts), bound, calling))


def _moved(given: Iterator[Sequence[str]], bound: bytes | None, calling: Calling) -> Iterator[Fields]:
    from pdvault_client import ReencryptItem, ciphertext_to_text

    with field_client(calling) as client, in_client_words():
        for batch in given:
            for moved in client.reencrypt([ReencryptItem(text, bound) for text in batch], **calling.context):
                yield {"ciphertext": ciphertext_to_text(moved.ciphertext), "changed": moved.changed}
