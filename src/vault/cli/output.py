"""What commands print on stdout: a table for people, JSON or CSV for programs. Messages go to stderr."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

import click

from vault.cli.tables import cell, print_rows
from vault.cli.text import clean_json

Fields = Mapping[str, object]

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
"""How a cell begins that a spreadsheet would compute (OWASP, CSV injection)."""


def say(message: str) -> None:
    """A message for people, on stderr."""
    click.echo(message, err=True)


def chosen(output: str | None) -> str:
    """How to print: as was said, else a table on a terminal and JSON elsewhere."""
    return output or ("table" if sys.stdout.isatty() else "json")


def emit(output: str | None, rows: Iterable[Fields]) -> None:
    """Print rows that have the same fields.

    Args:
        output: ``table``, ``json`` or ``csv``; if None, a table on a terminal and JSON elsewhere.
        rows: printed as they come with JSON and CSV, all at the end in a table.
    """
    kind = chosen(output)
    if kind == "json":
        for row in rows:
            click.echo(_json(row))
    elif kind == "csv":
        _csv(rows)
    elif found := list(rows):
        print_rows(found)
    else:
        say("Nothing found.")


def iso(time: datetime | None) -> str | None:
    """A time as RFC 3339 has it."""
    return time.isoformat(timespec="seconds") if time else None


def _json(row: Fields) -> str:
    """The row in one line of JSON. What a terminal would obey is written as an escape, as JSON does below U+0020."""
    return clean_json(json.dumps(row, ensure_ascii=False))


def _csv(rows: Iterable[Fields]) -> None:
    """RFC 4180, with a header. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    for number, row in enumerate(rows):
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\r\n")
        if not number:
            writer.writerow(row)
        writer.writerow([_spreadsheet_cell(value) for value in row.values()])
        click.echo(line.getvalue(), nl=False)


def _spreadsheet_cell(value: object) -> str:
    text = cell(value)
    return f"'{text}" if not isinstance(value, int | float) and _FORMULA.match(text) else text
