"""The queue of a log: pending rows, read in the order in which they are to become entries, and taken out when they have.

Leaves are read by their bytes: of what anybody may have put into the queue, no more comes into memory than one batch may hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.audit.chain import MAX_LEAF
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.rows import PendingRow
from vault.store.writes import RowsSwallowedError

MAX_BATCH = 4000
"""Leaves in one transaction."""
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Of leaves in one transaction; the first is taken however long it is."""

_c = t.audit_pending.c


class Waiting(NamedTuple):
    """A log with pending events; ``waited_us`` is how long the oldest has waited."""

    tenant_uid: bytes
    waited_us: int


class Pending(NamedTuple):
    """Rows to take next; ``is_all`` says that there were no others."""

    rows: list[PendingRow]
    is_all: bool


def waiting(connection: sa.Connection) -> list[Waiting]:
    """Which logs have pending events: one look into the index a log, however many events there are."""
    found = connection.execute(_WAITING).all()
    now = now_us(connection) if found else 0
    return [Waiting(uid, max(0, now - oldest)) for uid, oldest in found if oldest is not None]


def entries_of_all(connection: sa.Connection) -> int:
    """How many entries all logs have together."""
    return int(connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(t.audit_log.c.size), 0))) or 0)


def read(connection: sa.Connection, tenant_uid: bytes, next_sequences: dict[bytes, int], limit: int) -> Pending:
    """The next rows of a log, oldest first, and with each all that its boot wrote before it.

    Args:
        connection: in a transaction.
        tenant_uid: whose log.
        next_sequences: for boots that are known, which leaf is expected next.
        limit: at most how many rows; a few more where a clock stepped back.
    """
    pending = _read(connection, _OF_LOG, limit, MAX_BATCH_BYTES, tenant=tenant_uid)
    if pending.is_all:
        return pending
    return Pending(_with_skipped(connection, tenant_uid, pending.rows, next_sequences, limit), is_all=False)


def take(connection: sa.Connection, rows: Iterable[PendingRow]) -> None:
    """Delete exactly these rows.

    Raises:
        RowsSwallowedError: one was not there any more, or the database kept it.
    """
    count, runs = 0, defaultdict[tuple[bytes, bytes], list[list[int]]](list)
    for row in sorted(rows):
        count += 1
        run = runs[row.tenant_uid, row.boot_id]
        if run and run[-1][1] == row.boot_sequence - 1:
            run[-1][1] = row.boot_sequence
        else:
            run.append([row.boot_sequence, row.boot_sequence])
    parameters = [
        {"tenant": tenant, "boot": boot, "first": first, "last": last}
        for (tenant, boot), some in runs.items()
        for first, last in some
    ]
    if connection.execute(_TAKE, parameters).rowcount != count:
        raise RowsSwallowedError


def _read(connection: sa.Connection, select: sa.Select[Any], limit: int, max_bytes: int, **which: object) -> Pending:
    """Rows of so many bytes at most, but the first in any case; ``select`` is one that ``_bounded`` made."""
    found = connection.execute(select, {"limit": limit, "max_bytes": max_bytes, **which}).all()
    read = [PendingRow._make(row[:-1]) for row in found]
    return Pending(read, is_all=not found or len(found) == found[0].found < limit)


def _with_skipped(
    connection: sa.Connection, tenant_uid: bytes, rows: Sequence[PendingRow], next_sequences: dict[bytes, int], limit: int
) -> list[PendingRow]:
    """The rows, with those that come later by their time but before others of their boot: the clock stepped back between them.

    What that makes too many waits for the next batch, a boot as a whole or from some leaf of it on.
    """
    by_boot = defaultdict[bytes, list[PendingRow]](list)
    for row in rows:
        by_boot[row.boot_id].append(row)
    chosen, room = list[PendingRow](), 2 * MAX_BATCH_BYTES
    for boot_id, some in by_boot.items():
        if chosen and room <= 0:
            break
        last = max(row.boot_sequence for row in some)
        if last - next_sequences.get(boot_id, 0) + 1 != len(some):
            some = _read(connection, _OF_BOOT, limit, room, tenant=tenant_uid, boot=boot_id, last=last).rows
        chosen += some
        room -= sum(len(row.leaf) for row in some)
    return chosen


def _waiting() -> sa.Select[Any]:
    """Each tenant uid in the queue, found by going from one to the next larger, and the time of its oldest event."""
    uid = sa.select(_c.tenant_uid).order_by(_c.tenant_uid).limit(1)
    tenants = sa.select(uid.scalar_subquery().label("uid")).cte("tenants", recursive=True)
    after = uid.where(_c.tenant_uid > tenants.c.uid).scalar_subquery()
    tenants = tenants.union_all(sa.select(after).where(tenants.c.uid.is_not(None)))
    oldest = sa.select(sa.func.min(_c.time_us)).where(_c.tenant_uid == tenants.c.uid).scalar_subquery()
    return sa.select(tenants.c.uid, oldest).where(tenants.c.uid.is_not(None))


def _bounded(which: sa.ColumnElement[bool], *order: str) -> sa.Select[Any]:
    """Rows in this order, at most ``limit``, of ``max_bytes`` or one; how many there were; of too long a leaf, a beginning."""
    rows = sa.select(t.audit_pending, sa.func.length(_c.leaf).label("bytes")).where(which)
    rows = rows.order_by(*(_c[name] for name in order)).limit(sa.bindparam("limit"))
    few = rows.subquery()
    in_order = [few.c[name] for name in order]
    sums = sa.select(
        few,
        sa.func.sum(few.c.bytes).over(order_by=in_order, rows=(None, 0)).label("total"),
        sa.func.count().over().label("found"),
    ).subquery()
    columns = [sums.c[column.name] for column in t.audit_pending.columns[:-1]]
    substr = sa.func.substr(sums.c.leaf, 1, MAX_LEAF + 1, type_=sa.LargeBinary)
    beginning = sa.func.coalesce(substr, sa.literal(b"", sa.LargeBinary))  # SQLite has no beginning of nothing
    select = sa.select(*columns, beginning, sums.c.found)
    select = select.where((sums.c.total <= sa.bindparam("max_bytes")) | (sums.c.total == sums.c.bytes))
    return select.order_by(*(sums.c[name] for name in order))


# Made once: it takes longer to put them together than to run them where little is pending.
_WAITING = _waiting()
_OF_LOG = _bounded(_c.tenant_uid == sa.bindparam("tenant"), "time_us", "boot_id", "boot_sequence")
_OF_BOOT = _bounded(
    (_c.tenant_uid == sa.bindparam("tenant")) & (_c.boot_id == sa.bindparam("boot")) & (_c.boot_sequence <= sa.bindparam("last")),
    "boot_sequence",
)
_TAKE = t.audit_pending.delete().where(
    _c.tenant_uid == sa.bindparam("tenant"),
    _c.boot_id == sa.bindparam("boot"),
    _c.boot_sequence.between(sa.bindparam("first"), sa.bindparam("last")),
)
