"""Pages of events: walking along an index, each entry checked, until a page is full, and how to go on from there.

The work for one page is bounded: a filter that few of many events match gives short pages rather than slow ones.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vault.auditing.entries import Found, found_by
from vault.auditing.filter import Selection
from vault.auditing.log import AuditLog
from vault.auditing.page import PagePlace
from vault.store.log.queries import Spot, Window
from vault.store.log.rows import EventRow, MentionRow

DEFAULT_PAGE_SIZE = 100
MAX_LOOKED_AT = 10_000
"""Events that are read for one page, whether they match or not."""
MAX_PAGE_BYTES = 3 * 1024 * 1024
"""Of leaves on one page: an answer has at most 4 MiB."""
_BATCH = 500

Rows = Sequence[EventRow | MentionRow]
Read = Callable[[Window, int], Rows]
"""(window, limit) → the next rows of an index in the window, in the order of the walk."""
Advance = Callable[[Window, Spot], Window]
"""The window behind a spot, in the direction of the walk."""


class Page(NamedTuple):
    """A page; ``end`` is where the next one begins, None on the last."""

    found: list[Found]
    end: Spot | None


def backwards(window: Window, spot: Spot) -> Window:
    """The window before a spot."""
    return window._replace(before=spot)


def forwards(window: Window, spot: Spot) -> Window:
    """The window after a spot."""
    return window._replace(after=spot)


def window_of(log: AuditLog, selection: Selection, place: PagePlace | None, advance: Advance) -> Window:
    """Where to look for a page: the first one settles of which size of the log all are."""
    window = selection.window(place.size if place else log.head.size)
    return advance(window, place.spot) if place else window


def read_page(log: AuditLog, selection: Selection, window: Window, read: Read, advance: Advance, size: int) -> Page:
    """A page of at most ``size`` events.

    Raises:
        VaultError: INTEGRITY, if an entry or an index was altered; DEADLINE_EXCEEDED.
    """
    found: list[Found] = []
    room, end = MAX_PAGE_BYTES, None
    for looked_at, each in enumerate(_walk(log, window, read, advance, size + 1)):
        fits = selection.matches(each.event, each.indexed)
        if looked_at == MAX_LOOKED_AT or (fits and (len(found) == size or (found and len(each.leaf) > room))):
            return Page(found, end)
        if fits:
            found.append(each)
            room -= len(each.leaf)
        end = Spot(each.indexed.time_us, each.leaf_index)
    return Page(found, None)


def _walk(log: AuditLog, window: Window, read: Read, advance: Advance, first: int) -> Iterator[Found]:
    limit = first
    while True:
        log.check_deadline()
        rows = read(window, limit)
        yield from found_by(log.queries, rows)
        if len(rows) < limit:
            return
        window, limit = advance(window, Spot(rows[-1].time_us, rows[-1].leaf_index)), _BATCH
