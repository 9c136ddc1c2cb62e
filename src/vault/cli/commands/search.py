"""``pdvault search``."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options, values
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import vault_client
from vault.cli.output import Fields, emit, iso
from vault.cli.parameters import ValueCommand

if TYPE_CHECKING:
    from pdvault_client import Description


@click.command(
    cls=ValueCommand,
    epilog=options.examples(
        "echo '99999919491231002X' | pdvault search --class cn_resident_id --purpose support",
        "pdvault search --subject customer-17 --purpose support",
    ),
)
@click.option("--class", "data_class", metavar="CLASS", help="The data class to search in; needed for a search by value.")
@click.option("--subject", metavar="ID", help="Find everything about this subject instead of a value.")
@click.option("--value-file", type=options.READABLE, help="Where the value is, if not on stdin.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="The most items to print.")
@calling_options
@options.output_option
def search(
    data_class: str | None, subject: str | None, value_file: Path | None, limit: int, calling: Calling, output: str | None
) -> None:
    """Find tokens by exact value, or by whom they are about.

    The value comes from stdin or a file, never as an argument. Equal means: equal after the class's normalisation, so
    '+44 7700 900123' finds '+447700900123'. What you may not use for this purpose is left out. Roles: reader_masked,
    reader_plain.
    """
    if not data_class and not subject:
        raise click.UsageError("give --class and a value on stdin, or --subject")
    if subject and value_file:
        raise click.UsageError("--subject and --value-file exclude each other: search by one of them")
    value = "" if subject else values.read_text(value_file)
    emit(output, _found(data_class or "", subject, value, limit, calling))


def _found(data_class: str, subject: str | None, value: str, limit: int, calling: Calling) -> Iterator[Fields]:
    with vault_client(calling) as client, in_client_words():
        size, context = min(limit, 100), calling.context
        items = (
            client.search_by_subject(subject, data_class, page_size=size, **context)
            if subject
            else client.search_by_value(data_class, value, page_size=size, **context)
        )
        yield from map(_fields, islice(items, limit))


def _fields(item: "Description") -> Fields:
    return {
        "token": item.token,
        "subject_id": item.subject_id,
        "data_class": item.data_class,
        "revision": item.revision,
        "purposes": list(item.purposes),
        "create_time": iso(item.create_time),
        "expire_time": iso(item.expire_time),
        "max_reveals": item.max_reveals,
        "reveals_used": item.reveals_used,
    }
