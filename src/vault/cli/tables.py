"""Rows as people read them: a table that breaks no word, or a block of lines for each row where the terminal is too narrow."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vault.cli.text import clean

if TYPE_CHECKING:
    from rich.console import Console

_ENDLESS = 100_000
"""How wide a pipe is: nothing is folded there."""
_EDGES, _GAP = 2, 3
_UTC = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\+00:00")


def cell(value: object) -> str:
    """A value as text, without what a terminal would obey."""
    if value is None:
        return ""
    return clean(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows that have the same fields; there must be one."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _ENDLESS, highlight=False)
    columns = [[name, *(_shown(row[name]) for row in rows)] for name in rows[0]]
    widths = _widths(columns, console.width)
    if widths:
        _print_table(console, columns, widths)
    else:
        _print_blocks(console, columns)


def _shown(value: object) -> str:
    """The same for people: yes and no, and times of UTC that can be folded between day and hour."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = cell(value)
    found = _UTC.fullmatch(text)
    return f"{found[1]} {found[2]}Z" if found else text


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column is, none narrower than its longest word; empty if they don't fit side by side."""
    from rich.cells import cell_len

    widths = [max(cell_len(word) for text in column for word in text.split() or [""]) for column in columns]
    wanted = [max(map(cell_len, column)) for column in columns]
    spare = width - _EDGES - _GAP * (len(columns) - 1) - sum(widths)
    if spare < 0:
        return []
    while spare and widths != wanted:
        narrow = [number for number in range(len(columns)) if widths[number] < wanted[number]]
        for number in narrow[:spare]:
            more = min(max(spare // len(narrow), 1), wanted[number] - widths[number])
            widths[number] += more
            spare -= more
    return widths


def _print_table(console: "Console", columns: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(column[0]), overflow="fold", width=width)
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)


def _print_blocks(console: "Console", columns: Sequence[Sequence[str]]) -> None:
    """A line a field; a long one is left to the terminal to fold, so that it is copied in one piece."""
    from rich.text import Text

    margin = max(len(column[0]) for column in columns) + _GAP
    for row in range(1, len(columns[0])):
        console.print()
        for column in columns:
            console.print(Text(column[0].ljust(margin), "bold") + Text(column[row]), soft_wrap=True)
