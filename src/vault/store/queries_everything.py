"""What a re-keying reads: subjects with all their rows and values, taken FOR UPDATE so that nobody writes to them meanwhile."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Everything, Head, Reads, Rows
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow


def fetch_everything(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in what was asked for, one query a table and tenant.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    wanted = defaultdict[bytes, set[bytes]](set)
    for head, reads, _ in needs:
        wanted[head.tenant_uid] |= reads.everything
    found = {(tenant, uid): one for tenant, uids in wanted.items() if uids for uid, one in _of(connection, tenant, uids).items()}
    for head, reads, rows in needs:
        rows.everything |= {uid: found[head.tenant_uid, uid] for uid in reads.everything if (head.tenant_uid, uid) in found}


def _of(connection: sa.Connection, tenant_uid: bytes, uids: set[bytes]) -> dict[bytes, Everything]:
    c = t.subject.c
    locked = sa.select(t.subject).where(c.tenant_uid == tenant_uid, c.uid.in_(uids)).order_by(c.uid).with_for_update()
    subjects = [SubjectRow(*row) for row in connection.execute(locked)]
    every = {row.uid: Everything(row, [], [], [], {}) for row in subjects}

    def theirs(table: sa.Table) -> list[Any]:
        return list(connection.execute(sa.select(table).where(table.c.tenant_uid == tenant_uid, table.c.subject_uid.in_(every))))

    for key in map(SubjectKeyRow._make, theirs(t.subject_key)):
        every[key.subject_uid].keys.append(key)
    for alias in map(AliasRow._make, theirs(t.subject_alias)):
        every[alias.subject_uid].aliases.append(alias)
    for item in map(ItemRow._make, theirs(t.item)):
        every[item.subject_uid].items.append(item)
    for token in theirs(t.token):
        every[token.subject_uid].tokens.setdefault(token.item_uid, []).append(token.uid)
    return every
