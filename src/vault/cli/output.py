"""What commands print on stdout: a table for people, or a JSON object a line for programs. Messages go to stderr."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

import click

Fields = Mapping[str, object]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def say(message: str) -> None:
    """A message for people, on stderr."""
    click.echo(message, err=True)


def emit(output: str | None, rows: Iterable[Fields]) -> None:
    """Print rows that have the same fields.

    Args:
        output: ``table`` or ``json``; if None, a table on a terminal and JSON elsewhere.
        rows: printed as they come with JSON, all at the end in a table.
    """
    if (output or ("table" if sys.stdout.isatty() else "json")) == "json":
        for row in rows:
            click.echo(_json(row))
    else:
        _table(list(rows))


def iso(time: datetime | None) -> str | None:
    """A time as RFC 3339 has it."""
    return time.isoformat(timespec="seconds") if time else None


def _json(row: Fields) -> str:
    """The row in one line of JSON. What a terminal would obey is written as an escape, as JSON does below U+0020."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(row, ensure_ascii=False))


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
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
