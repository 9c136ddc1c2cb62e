"""``pdvault tokenize``."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from vault.cli import options, values
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import vault_client
from vault.cli.columns import ColumnType
from vault.cli.csv_tokens import Column, Plan
from vault.cli.output import emit, iso
from vault.cli.parameters import Duration, Uuid, ValueCommand


@click.command(
    cls=ValueCommand,
    epilog=options.examples(
        "echo '+447700900123' | pdvault tokenize --class phone --subject customer-17 --purpose support",
        "pdvault tokenize --class face_template --bytes --value-file face.bin --subject customer-17 --purpose access",
        "pdvault tokenize --csv people.csv --out tokens.csv --subject-column id \\",
        "  --column phone=phone --column id_card=cn_resident_id --purpose support",
    ),
)
@click.option("--class", "data_class", metavar="CLASS", help="The value's data class, such as phone: `pdvault classes` lists them.")
@click.option("--subject", metavar="ID", help="Whom it is about: your own opaque name of the person, no personal value.")
@click.option("--value-file", type=options.READABLE, help="Where the value is, if not on stdin.")
@click.option("--bytes", "as_bytes", is_flag=True, help="Take the input as bytes, as it is: for classes such as face_template.")
@click.option("--csv", "csv_file", type=options.READABLE, help="A table whose values are to become tokens (UTF-8, with a header).")
@click.option("--out", type=options.NEW_FILE, help="With --csv: where to write the table with tokens. Must not exist.")
@click.option("--subject-column", metavar="COLUMN", help="With --csv: the column that says whom a row is about.")
@click.option("--column", "columns", type=ColumnType(), multiple=True, metavar="COLUMN=CLASS", help="With --csv: what to tokenise.")
@click.option("--ttl", type=Duration(), metavar="DURATION", help="How long tokens live, such as 30d; for ever if absent.")
@click.option("--max-reveals", type=click.IntRange(1, 1_000_000), help="How often a token may be revealed.")
@click.option("--deterministic", is_flag=True, help="The same value of the same subject gets the same token again.")
@click.option("--lenient", is_flag=True, help="Store values that their class does not recognise, marked as such.")
@click.option(
    "--request-id", type=Uuid(), help="Repeat a call, or go on with a table, under its first id: nothing is stored twice."
)
@calling_options
@options.output_option
def tokenize(
    data_class: str | None,
    subject: str | None,
    value_file: Path | None,
    as_bytes: bool,
    csv_file: Path | None,
    out: Path | None,
    subject_column: str | None,
    columns: tuple[Column, ...],
    ttl: timedelta | None,
    max_reveals: int | None,
    deterministic: bool,
    lenient: bool,
    request_id: uuid.UUID | None,
    calling: Calling,
    output: str | None,
) -> None:
    """Store a value, or those of a whole table, and get tokens.

    The value comes from stdin or a file and never as an argument, since every user of a machine can read the arguments of its
    processes. On a terminal it is asked for and not shown. Role: tokenizer.
    """
    item_options = {"ttl": ttl, "max_reveals": max_reveals or 0}
    request_id = request_id or uuid.uuid4()
    if csv_file:
        if data_class or subject or value_file or as_bytes:
            raise click.UsageError("--csv goes with --out, --subject-column and --column, not with options for one value")
        if not (out and subject_column and columns):
            raise click.UsageError("--csv needs --out, --subject-column and at least one --column")
        plan = Plan(subject_column, columns, {**item_options, **_kinds(deterministic, lenient)})
        from vault.cli.csv_file import tokenise_file

        emit(output, [tokenise_file(csv_file, out, plan, request_id, calling)])
        return
    if not (data_class and subject) or out or subject_column or columns:
        raise click.UsageError("give --class and --subject for one value, or --csv for a table")
    value = values.read_bytes(value_file) if as_bytes else values.read_text(value_file)
    from pdvault_client import NewValue

    item = NewValue(subject, data_class, value, **{**item_options, **_kinds(deterministic, lenient)})
    with vault_client(calling) as client, in_client_words():
        (issued,) = client.tokenize([item], request_id=str(request_id), **calling.context)
    emit(output, [{"token": issued.token, "data_class": data_class, "expire_time": iso(issued.expire_time)}])


def _kinds(deterministic: bool, lenient: bool) -> dict[str, Any]:
    from pdvault_client import TokenKind, Validation

    return {
        "token_kind": TokenKind.DETERMINISTIC if deterministic else TokenKind.RANDOM,
        "validation": Validation.LENIENT if lenient else Validation.STRICT,
    }
