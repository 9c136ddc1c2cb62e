"""Which entries an export is about: by index, or by time, which entries follow nearly and not quite."""

from typing import NamedTuple

from vault.audit.tiles import TILE_WIDTH
from vault.auditing.entries import read
from vault.auditing.filter import bounds
from vault.auditing.log import AuditLog
from vault.auditing.proofs import out_of_range
from vault.store.log.queries import Window
from vault.v1 import audit_service_pb2 as v1

_NEIGHBOURS = 4 * TILE_WIDTH
"""Entries in a row, none of which is from the time asked for: beyond them is none that is."""


class Range(NamedTuple):
    """Entries from ``start`` up to before ``end``."""

    start: int
    end: int


def range_of(log: AuditLog, request: v1.ExportRequest) -> Range:
    """The entries that a request asks for.

    Raises:
        VaultError: LOG_RANGE, if the newest checkpoint does not cover them, or there are none of that time.
    """
    size = log.published.size
    if request.HasField("start_time") or request.HasField("end_time"):
        return _by_time(log, *bounds(request, ""))
    end = request.end_index or size
    if end > size or (request.start_index >= end and size):
        raise out_of_range(f"no range of entries from {request.start_index} to {end}", log)
    return Range(min(request.start_index, end), end)


def _by_time(log: AuditLog, start_us: int, end_us: int) -> Range:
    """From the first to the last entry of that time: looked up in the index, then among their neighbours in the log."""
    size = log.published.size
    window, facets = Window.between(size, start_us, end_us), log.queries.facets().keys()
    first = min((row.leaf_index for row in log.queries.oldest_of_each(facets, window)), default=None)
    last = max((row.leaf_index for row in log.queries.newest_of_each(facets, window)), default=None)
    if first is None or last is None:
        raise out_of_range("no entry of that time", log)
    last = max(first, last)
    while found := _of_time(log, max(0, first - _NEIGHBOURS), first, start_us, end_us):
        first = found[0]
    while found := _of_time(log, last + 1, min(size, last + 1 + _NEIGHBOURS), start_us, end_us):
        last = found[-1]
    return Range(first, last + 1)


def _of_time(log: AuditLog, start: int, end: int, start_us: int, end_us: int) -> list[int]:
    log.check_deadline()
    found = filter(None, map(read, log.queries.entries(start, end)))
    return [each.leaf_index for each in found if start_us <= each.indexed.time_us < end_us]
