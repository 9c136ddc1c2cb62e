"""What calls read of subjects as a whole: who they are, all that belongs to one, and all that there are, page by page."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reading.joined import KNOWN, known_from
from vault.store.reads import Belongings, Head, Reads, Rows
from vault.store.rows import AliasRow, HoldRow, SubjectKeyRow

_Owned = dict[tuple[bytes, bytes], Belongings]


def fetch_belongings(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in what belongs to subjects, one query a table; nothing belongs to those that are not there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    owned: _Owned = {(head.tenant_uid, uid): Belongings() for head, reads, _ in needs for uid in reads.belongings}
    if not owned:
        return
    for table, kind, name in ((t.subject_alias, AliasRow, "aliases"), (t.subject_hold, HoldRow, "holds")):
        _collect(connection, table, kind, name, (table.c.uid,), owned)
    _collect(connection, t.subject_key, SubjectKeyRow, "keys", (t.subject_key.c.kind, t.subject_key.c.version), owned)
    _count(connection, owned)
    for head, reads, rows in needs:
        rows.belongings |= {uid: owned[head.tenant_uid, uid] for uid in reads.belongings}


def fetch_subject_pages(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in pages of all subjects for whoever asked for them. Rare, so one query a call.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    for head, reads, rows in needs:
        page = reads.subject_page
        if page:
            select = KNOWN.where(t.subject.c.tenant_uid == head.tenant_uid, t.subject.c.uid > page.after)
            rows.subject_page = [
                known_from(row) for row in connection.execute(select.order_by(t.subject.c.uid).limit(page.size + 1))
            ]


def _collect(
    connection: sa.Connection, table: sa.Table, kind: Any, name: str, order: tuple[sa.Column[Any], ...], owned: _Owned
) -> None:
    for row in map(kind._make, connection.execute(sa.select(table).where(_of(table, owned)).order_by(*order))):
        getattr(owned[row.tenant_uid, row.subject_uid], name).append(row)


def _count(connection: sa.Connection, owned: _Owned) -> None:
    item, token, number = t.item.c, t.token.c, sa.func.count()
    of_class = item.data_class + ""  # no column of an index: SQLite would walk through the tenant's items for the order
    items = sa.select(item.tenant_uid, item.subject_uid, of_class, number).where(_of(t.item, owned))
    grouped = items.group_by(item.tenant_uid, item.subject_uid, of_class).order_by(of_class)
    for tenant_uid, subject_uid, data_class, count in connection.execute(grouped):
        owned[tenant_uid, subject_uid].items[data_class] = count
    tokens = sa.select(token.tenant_uid, token.subject_uid, number).where(_of(t.token, owned))
    for tenant_uid, subject_uid, count in connection.execute(tokens.group_by(token.tenant_uid, token.subject_uid)):
        owned[tenant_uid, subject_uid].tokens = count


def _of(table: sa.Table, owned: _Owned) -> sa.ColumnElement[bool]:
    """Whether a row belongs to one of the subjects; by tenant, since databases plan lists of pairs many times slower."""
    uids = defaultdict[bytes, list[bytes]](list)
    for tenant_uid, subject_uid in owned:
        uids[tenant_uid].append(subject_uid)
    return sa.or_(*((table.c.tenant_uid == tenant_uid) & table.c.subject_uid.in_(some) for tenant_uid, some in uids.items()))
