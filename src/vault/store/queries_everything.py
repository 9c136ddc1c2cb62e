"""What a re-keying reads: subjects with their rows and values, taken FOR UPDATE so that nobody writes to them meanwhile.

Of each subject as many items are read as one transaction can seal anew in time; the others are read for the next part.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Everything, Head, Reads, Rows
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow

MAX_ITEMS = 1000
"""Items of one subject that are read at once."""
MAX_BYTES = 16 * 1024 * 1024
"""Bytes of their envelopes, unless one alone has more."""

_COLUMNS = len(ItemRow._fields)


def fetch_everything(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in what was asked for, one query a table and tenant.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    wanted, behind = defaultdict[bytes, set[bytes]](set), defaultdict[bytes, set[bytes]](set)
    for head, reads, _ in needs:
        wanted[head.tenant_uid] |= reads.everything | reads.behind
        behind[head.tenant_uid] |= reads.behind
    found = {
        (tenant, uid): one for tenant, uids in wanted.items() if uids for uid, one in _of(connection, tenant, uids, behind[tenant])
    }
    for head, reads, rows in needs:
        uids = reads.everything | reads.behind
        rows.everything |= {uid: found[head.tenant_uid, uid] for uid in uids if (head.tenant_uid, uid) in found}


def _of(
    connection: sa.Connection, tenant_uid: bytes, uids: Collection[bytes], behind: Collection[bytes]
) -> Iterable[tuple[bytes, Everything]]:
    c = t.subject.c
    locked = sa.select(t.subject).where(c.tenant_uid == tenant_uid, c.uid.in_(uids)).order_by(c.uid).with_for_update()
    subjects = [SubjectRow(*row) for row in connection.execute(locked)]
    every = {row.uid: Everything(row, [], [], [], {}, has_more=False) for row in subjects}

    def theirs(table: sa.Table) -> list[Any]:
        return list(connection.execute(sa.select(table).where(table.c.tenant_uid == tenant_uid, table.c.subject_uid.in_(every))))

    for key in map(SubjectKeyRow._make, theirs(t.subject_key)):
        every[key.subject_uid].keys.append(key)
    for alias in map(AliasRow._make, theirs(t.subject_alias)):
        every[alias.subject_uid].aliases.append(alias)
    counts = dict[bytes, int]()
    for row in connection.execute(_items(tenant_uid, every, behind)):
        item = ItemRow(*row[:_COLUMNS])
        every[item.subject_uid].items.append(item)
        counts[item.subject_uid] = row.of_subject
    for token in _tokens(connection, tenant_uid, every):
        every[token.subject_uid].tokens.setdefault(token.item_uid, []).append(token.uid)
    return [(uid, one._replace(has_more=counts.get(uid, 0) > len(one.items))) for uid, one in every.items()]


def _items(tenant_uid: bytes, uids: Collection[bytes], behind: Collection[bytes]) -> sa.Select[Any]:
    """The first items of each subject, in the order of their uids, and how many there are of the subject."""
    i, s = t.item.c, t.subject.c
    following: dict[str, Any] = {"partition_by": i.subject_uid, "order_by": i.uid}
    numbered = (
        sa.select(
            i.subject_uid,
            i.uid,
            sa.func.row_number().over(**following).label("number"),
            sa.func.sum(i.envelope_size).over(**following).label("size"),
            sa.func.count().over(partition_by=i.subject_uid).label("of_subject"),
        )
        .join_from(t.item, t.subject, (s.tenant_uid == i.tenant_uid) & (s.uid == i.subject_uid))
        .where(i.tenant_uid == tenant_uid, i.subject_uid.in_(uids))
        .where(i.subject_uid.not_in(behind) | (i.store_key_version < s.store_key_version))
        .subquery()
    )
    n = numbered.c
    within = (n.number == 1) | ((n.number <= MAX_ITEMS) & (n.size <= MAX_BYTES))
    own = (i.tenant_uid == tenant_uid) & (i.subject_uid == n.subject_uid) & (i.uid == n.uid)
    return sa.select(t.item, n.of_subject).join_from(numbered, t.item, own).where(within).order_by(i.subject_uid, i.uid)


def _tokens(connection: sa.Connection, tenant_uid: bytes, every: Mapping[bytes, Everything]) -> Iterable[Any]:
    """The tokens of the items that were read, of each subject from the first one to the last."""
    c = t.token.c
    spans = [(uid, one.items[0].uid, one.items[-1].uid) for uid, one in every.items() if one.items]
    if not spans:
        return []
    among = sa.or_(*((c.subject_uid == uid) & c.item_uid.between(first, last) for uid, first, last in spans))
    return connection.execute(sa.select(c.subject_uid, c.item_uid, c.uid).where(c.tenant_uid == tenant_uid, among))
