"""How the demo tells what it does: numbered steps with their times, tables, and notes between them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_WIDTH = 120
_INDENT = 3


class Story:
    """Tells on stdout."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=_WIDTH)
        self._steps = 0
        self._begin = time.monotonic()

    @property
    def width(self) -> int:
        """How many columns a note has."""
        return self._console.width - _INDENT

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(Text(text, "bold"))

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step: its title, what is told inside, and how long it took."""
        self._steps += 1
        begin = time.monotonic()
        self._console.print(Text(f"\n{self._steps}. {title}", "bold cyan"))
        yield
        self.note(f"{time.monotonic() - begin:.1f} s", "dim")

    def note(self, text: str, style: str = "") -> None:
        """A sentence or two."""
        self._console.print(Padding(Text(text, style), (0, 0, 0, _INDENT), expand=False))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table; cells are shown as they are."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in header:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, _INDENT), expand=False))

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Progress]:
        """A progress bar for ``total`` of something; its only task is task 0."""
        columns = TextColumn("  "), TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console) as bar:
            bar.add_task(what, total=total)
            yield bar

    def end(self, text: str, style: str) -> None:
        """The last line, with the time of everything."""
        self._console.print(Text(f"\n{text} All of it took {time.monotonic() - self._begin:.0f} s.", f"bold {style}"))
