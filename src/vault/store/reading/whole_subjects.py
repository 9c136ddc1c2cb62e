"""What a re-keying reads: subjects with their rows and values, taken FOR UPDATE so that nobody writes to them meanwhile.

Of each subject as many items are read as one transaction can seal anew in time; the others are read for the next part. However
many these are, no query looks at them: each goes along the primary key, and ends with the part.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Head, Reads, Rows, WholeSubject
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow

MAX_ITEMS = 1000
"""Items of one subject that are read at once."""
MAX_BYTES = 16 * 1024 * 1024
"""Bytes of their envelopes, unless one alone has more."""
MAX_PASSED = 10_000
"""Items that are looked at, and passed by as they are under the newest store key, on the way to those that are not."""


class _Wanted(NamedTuple):
    """Of a subject, ``limit`` items: the first, or those after one that are under older keys than the newest."""

    limit: int
    after: bytes | None


class _Span(NamedTuple):
    """The items of a part: from the first to the last uid, both empty if it has none, under store keys before a version.

    ``end`` is the uid after which the next part begins; None if all is in this one.
    """

    first: bytes
    last: bytes
    before: int | None
    end: bytes | None


def fetch_whole_subjects(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in what was asked for.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    wanted = defaultdict[bytes, dict[bytes, _Wanted]](dict)
    for head, reads, _ in needs:
        limit = min(reads.max_items or MAX_ITEMS, MAX_ITEMS)
        wanted[head.tenant_uid] |= {uid: _Wanted(limit, None) for uid in reads.whole_subjects}
        wanted[head.tenant_uid] |= {uid: _Wanted(limit, after) for uid, after in reads.rest_of_subjects}
    found = {(tenant, uid): one for tenant, uids in wanted.items() if uids for uid, one in _of(connection, tenant, uids)}
    for head, reads, rows in needs:
        subject_uids = reads.whole_subjects | {uid for uid, _ in reads.rest_of_subjects}
        rows.whole_subjects |= {uid: found[head.tenant_uid, uid] for uid in subject_uids if (head.tenant_uid, uid) in found}


def _of(connection: sa.Connection, tenant_uid: bytes, wanted: Mapping[bytes, _Wanted]) -> Iterable[tuple[bytes, WholeSubject]]:
    c = t.subject.c
    locked = sa.select(t.subject).where(c.tenant_uid == tenant_uid, c.uid.in_(wanted)).order_by(c.uid).with_for_update()
    subjects = [SubjectRow(*row) for row in connection.execute(locked)]
    spans = {row.uid: _span(connection, row, wanted[row.uid]) for row in subjects}
    ends = {uid: span.end for uid, span in spans.items()}
    every = {row.uid: WholeSubject(row, [], [], [], {}, ends[row.uid] is not None, ends[row.uid] or b"") for row in subjects}

    def theirs(table: sa.Table) -> list[Any]:
        return list(connection.execute(sa.select(table).where(table.c.tenant_uid == tenant_uid, table.c.subject_uid.in_(every))))

    for key in map(SubjectKeyRow._make, theirs(t.subject_key)):
        every[key.subject_uid].keys.append(key)
    for alias in map(AliasRow._make, theirs(t.subject_alias)):
        every[alias.subject_uid].aliases.append(alias)
    for item in map(ItemRow._make, _items(connection, tenant_uid, spans)):
        every[item.subject_uid].items.append(item)
    for token in _tokens(connection, tenant_uid, spans):
        every[token.subject_uid].tokens.setdefault(token.item_uid, []).append(token.uid)
    return every.items()


def _span(connection: sa.Connection, subject: SubjectRow, wanted: _Wanted) -> _Span:
    """Which items of a subject a part has, in the order of their uids."""
    i, limit = t.item.c, wanted.limit
    own = (i.tenant_uid == subject.tenant_uid) & (i.subject_uid == subject.uid)
    sizes = sa.select(i.uid, i.envelope_size, i.store_key_version).where(own).order_by(i.uid)
    if wanted.after is None:
        before = None
    else:
        before = subject.store_key_version
        passed = sizes.where(i.uid > wanted.after).limit(MAX_PASSED).subquery().c
        sizes = sa.select(passed.uid, passed.envelope_size).where(passed.store_key_version < before).order_by(passed.uid)
    found = connection.execute(sizes.limit(limit + 1)).all()
    part = [row.uid for row in found[: _within(row.envelope_size for row in found[:limit])]]
    first, last = (part[0], part[-1]) if part else (b"", b"")
    if len(part) < len(found):
        return _Span(first, last, before, last)
    if wanted.after is None:
        return _Span(first, last, before, None)
    beyond = sa.select(i.uid).where(own, i.uid > wanted.after).order_by(i.uid).limit(1).offset(MAX_PASSED - 1)
    return _Span(first, last, before, connection.scalar(beyond))


def _within(sizes: Iterable[int]) -> int:
    """How many of these, one at least, are no more than ``MAX_BYTES`` together."""
    count = total = 0
    for size in sizes:
        total += size
        if count and total > MAX_BYTES:
            break
        count += 1
    return count


def _items(connection: sa.Connection, tenant_uid: bytes, spans: Mapping[bytes, _Span]) -> Iterator[Any]:
    c = t.item.c
    for uids, span in _together(spans):
        among = (c.tenant_uid == tenant_uid) & c.subject_uid.in_(uids)
        if span is not None:
            among &= c.uid.between(span.first, span.last)
        if span is not None and span.before is not None:
            among &= c.store_key_version < span.before
        yield from connection.execute(sa.select(t.item).where(among).order_by(c.subject_uid, c.uid))


def _tokens(connection: sa.Connection, tenant_uid: bytes, spans: Mapping[bytes, _Span]) -> Iterator[Any]:
    c = t.token.c
    for uids, span in _together(spans):
        among = (c.tenant_uid == tenant_uid) & c.subject_uid.in_(uids)
        if span is not None:
            among &= c.item_uid.between(span.first, span.last)
        yield from connection.execute(sa.select(c.subject_uid, c.item_uid, c.uid).where(among))


def _together(spans: Mapping[bytes, _Span]) -> Iterator[tuple[list[bytes], _Span | None]]:
    """What one query asks for: all that these have, or somebody's part. Asked for both, SQLite would look at all rows there are."""
    whole = [uid for uid, span in spans.items() if span.before is None and span.end is None]
    if whole:
        yield whole, None
    yield from (([uid], span) for uid, span in spans.items() if uid not in whole and span.first)
