"""Access over time, drawn in the terminal: columns of blocks for all events, and a line of small ones for each kind."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault.cli.audit.times import Zone
from vault.cli.text import clean

if TYPE_CHECKING:
    from rich.console import Console

    from pdvault_client import Count

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 8
_NARROWEST = 20
_ROWS = 20
"""The most kinds that get a line of their own; the others share one."""

Values = tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Numbers a bucket of time, in all and by kind; buckets are numbered from 0, and those without events are left out.

    Attributes:
        start: the beginning of the first bucket.
        step: how long each is.
        length: how many there are.
        total: of all kinds.
        kinds: by the values of what is counted by.
    """

    start: datetime
    step: timedelta
    length: int
    total: Counter[int]
    kinds: Mapping[Values, Counter[int]]

    @property
    def end(self) -> datetime:
        """The end of the last bucket."""
        return self.start + self.step * self.length

    def columns(self, numbers: Counter[int], width: int) -> tuple[list[int], int]:
        """The numbers in at most ``width`` columns, neighbours added up where there are more; and how wide each may be."""
        together = -(-self.length // width)
        columns = [0] * -(-self.length // together)
        for at, number in numbers.items():
            columns[at // together] += number
        return columns, max(1, width // len(columns))


def series(counts: Sequence["Count"], step: timedelta, measure: str, start: datetime | None, end: datetime | None) -> Series | None:
    """The counts; None if there are none.

    Args:
        counts: of one bucket each.
        step: the buckets' length: an hour or a day, beginning with those of UTC.
        measure: ``events`` or ``items``.
        start: what was asked for; the first count's time if None.
        end: what was asked for; the last bucket's end if None.
    """
    times = [count.time for count in counts if count.time]
    if not times:
        return None
    first, last = min([*times, start or times[0]]), max([*times, (end or times[0]) - timedelta(microseconds=1)])
    begin = first - (first - datetime(1970, 1, 1, tzinfo=UTC)) % step
    total: Counter[int] = Counter()
    kinds: dict[Values, Counter[int]] = defaultdict(Counter)
    for count in counts:
        if count.time:
            at, number = (count.time - begin) // step, getattr(count, measure)
            total[at] += number
            kinds[count.values][at] += number
    return Series(begin, step, (last - begin) // step + 1, total, kinds)


def draw(console: "Console", found: Series, title: str, zone: Zone, by: Sequence[str]) -> None:
    """Draw it as wide as the console is."""
    from rich.text import Text

    columns, each = found.columns(found.total, max(_NARROWEST, console.width - len(f"{found.total.total():,}") - 3))
    each = min(each, 8)
    label = f"{max(columns):,}"
    together = -(-found.length // len(columns))
    console.print(Text(title + (f", {together} in a column" if together > 1 else ""), "bold"))
    for number, row in enumerate(_chart(columns, each)):
        left = label if not number else "0" if number == _HEIGHT - 1 else ""
        console.print(Text.assemble(f"{left:>{len(label)}} ", ("│", "dim"), (row, "cyan")))
    console.print(Text(f"{'':{len(label)}}  {_axis(found, zone, len(columns) * each)}", "dim"))
    if by:
        _draw_kinds(console, found, by)


def _draw_kinds(console: "Console", found: Series, by: Sequence[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    ordered = sorted(found.kinds.items(), key=lambda item: (-item[1].total(), item[0]))
    shown, rest = ordered[:_ROWS], ordered[_ROWS:]
    lines = [([clean(value) or "—" for value in values], numbers) for values, numbers in shown]
    if rest:
        lines.append(([f"{len(rest)} more", *[""] * (len(by) - 1)], sum((numbers for _, numbers in rest), Counter())))
    named = sum(max(map(len, column)) + 2 for column in zip(by, *(values for values, _ in lines), strict=True))
    room = max(_NARROWEST, console.width - named - 24)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in by:
        table.add_column(name, overflow="fold")
    table.add_column("over time", no_wrap=True)
    table.add_column("count", justify="right")
    table.add_column("share", justify="right")
    whole = found.total.total() or 1
    for values, numbers in lines:
        count = numbers.total()
        table.add_row(*map(Text, values), Text(_line(*found.columns(numbers, room)), "cyan"), f"{count:,}", f"{count / whole:.0%}")
    console.print(table)


def _chart(columns: Sequence[int], each: int) -> list[str]:
    """Rows of blocks, the topmost first. What is not 0 is seen."""
    highest = max(columns) or 1
    eighths = [max(1, round(number * _HEIGHT * 8 / highest)) if number else 0 for number in columns]
    return ["".join(_EIGHTHS[min(8, max(0, high - row * 8))] * each for high in eighths) for row in reversed(range(_HEIGHT))]


def _line(columns: Sequence[int], each: int) -> str:
    highest = max(columns) or 1
    return "".join((_EIGHTHS[max(1, round(number * 8 / highest))] if number else " ") * min(each, 2) for number in columns)


def _axis(found: Series, zone: Zone, width: int) -> str:
    """The first bucket's time on the left, the end of the last one's on the right."""
    if found.step >= timedelta(days=1):  # days are those of UTC
        left, right = f"{found.start:%a %d %b %Y}", f"{found.end - found.step:%a %d %b %Y} (days in UTC)"
    else:
        left, right = (f"{zone.here(time):%a %d %b %Y %H:%M}" for time in (found.start, found.end))
        right += f" ({zone.name})"
    return f"{left}{right:>{max(width - len(left), len(right) + 3)}}"
