"""How far long work is, as a bar on stderr where that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def rows_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar of rows; tell it the table, how many are done, and how many there are."""
    with _bar(title) as update:
        yield lambda table, done, total: update(f"{title}: {table}", done, total)


@contextmanager
def bytes_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes; tell it how many are done, and how many there are."""
    with _bar(title) as update:
        yield lambda done, total: update(title, done, total)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda description, done, total: bar.update(task, description=description, completed=done, total=total)
