"""``pdvault encrypt``."""

from pathlib import Path
from typing import Any

import click

from vault.cli import options, values
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import field_client
from vault.cli.columns import ColumnType
from vault.cli.csv_tokens import Column, Plan
from vault.cli.output import emit
from vault.cli.parameters import ValueCommand


@click.command(
    short_help="Encrypt a value, or those of a table, to keep them yourself.",
    cls=ValueCommand,
    epilog=options.examples(
        "echo '+447700900123' | pdvault encrypt --class phone --subject customer-17 --purpose support",
        "echo li@example.org | pdvault encrypt --class email --subject customer-17 --associated-data customers/email/17 \\",
        "  --purpose support",
        "pdvault encrypt --csv people.csv --out encrypted.csv --subject-column id --column phone=phone \\",
        "  --associated-data-column id --purpose support",
    ),
)
@click.option("--class", "data_class", metavar="CLASS", help="The value's data class, such as phone: `pdvault classes` lists them.")
@click.option("--subject", metavar="ID", help="Whom it is about: your own opaque name of the person, no personal value.")
@click.option("--value-file", type=options.READABLE, help="Where the value is, if not on stdin.")
@click.option("--bytes", "as_bytes", is_flag=True, help="Take the input as bytes, as it is: for classes such as face_template.")
@click.option("--associated-data", metavar="TEXT", help="What the ciphertext is bound to, such as the row it will stand in.")
@click.option("--csv", "csv_file", type=options.READABLE, help="A table whose values are to be encrypted (UTF-8, with a header).")
@click.option("--out", type=options.NEW_FILE, help="With --csv: where to write the table with ciphertexts. Must not exist.")
@click.option("--subject-column", metavar="COLUMN", help="With --csv: the column that says whom a row is about.")
@click.option(
    "--associated-data-column", metavar="COLUMN", help="With --csv: the column whose cell a row's ciphertexts are bound to."
)
@click.option("--column", "columns", type=ColumnType(), multiple=True, metavar="COLUMN=CLASS", help="With --csv: what to encrypt.")
@click.option("--lenient", is_flag=True, help="Take values that their class does not recognise, marked as such.")
@calling_options
@options.output_option
def encrypt(
    data_class: str | None,
    subject: str | None,
    value_file: Path | None,
    as_bytes: bool,
    associated_data: str | None,
    csv_file: Path | None,
    out: Path | None,
    subject_column: str | None,
    associated_data_column: str | None,
    columns: tuple[Column, ...],
    lenient: bool,
    calling: Calling,
    output: str | None,
) -> None:
    """Encrypt a value, or those of a whole table, to keep them yourself.

    The vault keeps no copy. The value comes from stdin or a file and never as an argument, since every user of a machine can read
    the arguments of its processes. On a terminal it is asked for and not shown. Role: tokenizer.
    """
    if csv_file:
        if data_class or subject or value_file or as_bytes or associated_data is not None:
            raise click.UsageError("--csv goes with --out and the options that name columns, not with options for one value")
        if not (out and subject_column and columns):
            raise click.UsageError("--csv needs --out, --subject-column and at least one --column")
        others = (associated_data_column,) if associated_data_column else ()
        plan = Plan(subject_column, columns, _checks(lenient), others)
        from vault.cli.csv_file import encrypt_file

        emit(output, [encrypt_file(csv_file, out, plan, associated_data_column, calling)])
        return
    if not (data_class and subject) or out or subject_column or associated_data_column or columns:
        raise click.UsageError("give --class and --subject for one value, or --csv for a table")
    value = values.read_bytes(value_file) if as_bytes else values.read_text(value_file)
    bound = None if associated_data is None else associated_data.encode()
    from pdvault_client import FieldValue, ciphertext_to_text

    item = FieldValue(subject, data_class, value, bound, **_checks(lenient))
    with field_client(calling) as client, in_client_words():
        (ciphertext,) = client.encrypt([item], **calling.context)
    emit(output, [{"ciphertext": ciphertext_to_text(ciphertext), "data_class": data_class}])


def _checks(lenient: bool) -> dict[str, Any]:
    from pdvault_client import Validation

    return {"validation": Validation.LENIENT if lenient else Validation.STRICT}
