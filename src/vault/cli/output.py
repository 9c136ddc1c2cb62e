"""What commands print on stdout: a table for people, JSON or CSV for programs. Messages go to stderr."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

import click

Fields = Mapping[str, object]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
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
    else:
        _table(list(rows))


def iso(time: datetime | None) -> str | None:
    """A time as RFC 3339 has it."""
    return time.isoformat(timespec="seconds") if time else None


def clean(text: str) -> str:
    """The text with escapes for what a terminal would obey."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _json(row: Fields) -> str:
    """The row in one line of JSON. What a terminal would obey is written as an escape, as JSON does below U+0020."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(row, ensure_ascii=False))


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
    cell = _cell(value)
    return f"'{cell}" if not isinstance(value, int | float) and _FORMULA.match(cell) else cell


def _table(rows: list[Fields]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        say("Nothing found.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    # A pipe has no width: nothing is folded there.
    Console(width=None if sys.stdout.isatty() else 100_000, highlight=False).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return clean(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
