"""Taking a subject out of the tables: everything that leads to it, and the keys without which no copy of the rest can be read."""

from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.blanking import blank_requests

LEFT = (t.token, t.item, t.subject_alias, t.subject_hold, t.subject_key, t.idempotency_subject)
"""The tables with rows of a subject's own, besides its own row."""
PART_ROWS = 5000
"""Rows of one table that go in one transaction: whoever has more items and tokens is erased in parts."""


def _statements() -> tuple[list[sa.Delete], sa.CompoundSelect[Any]]:
    """What deletes a subject's rows, table by table, and what counts all of them. Made once: that takes longer than to run them."""
    deletes, counts = [], []
    for table, owner in (*((table, table.c.subject_uid) for table in LEFT), (t.subject, t.subject.c.uid)):
        own = (table.c.tenant_uid == sa.bindparam("tenant")) & (owner == sa.bindparam("subject"))
        deletes.append(table.delete().where(own))
        name = sa.literal_column(f"'{table.name}'", sa.Text)
        counts.append(sa.select(name, sa.func.count()).select_from(table).where(own))
    return deletes, sa.union_all(*counts)


_DELETES, _COUNTS = _statements()


def erase_subject(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> None:
    """Delete all rows of a subject within the connection's transaction; nothing happens if there are none.

    Requests that were about the subject are blanked and not deleted: repeated within 24 hours they are refused, where a row less
    would let them make the person anew (docs/decisions/0008).

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    blank_requests(connection, tenant_uid, subject_uid)
    for delete in _DELETES:
        connection.execute(delete, {"tenant": tenant_uid, "subject": subject_uid})


def erase_part(engine: sa.Engine, tenant_uid: bytes, subject_uid: bytes) -> bool:
    """Delete the next tokens and items of a subject whose erasure has begun, in a transaction; False once there are none.

    What the last transaction of the erasure finds is then as small as anybody's, however much there was.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection:
        return any([_delete_next(connection, table, tenant_uid, subject_uid) for table in (t.token, t.item)])


def _delete_next(connection: sa.Connection, table: sa.Table, tenant_uid: bytes, subject_uid: bytes) -> bool:
    """Whether there were rows of a subject, of which the first ``PART_ROWS`` are deleted now, in the order of their uids."""
    c = table.c
    own = (c.tenant_uid == tenant_uid) & (c.subject_uid == subject_uid)
    beyond = connection.scalar(sa.select(c.uid).where(own).order_by(c.uid).offset(PART_ROWS).limit(1))
    deleted = connection.execute(table.delete().where(own, c.uid < beyond if beyond else sa.true()))
    return deleted.rowcount > 0


def rows_left(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> dict[str, int]:
    """How many rows of a subject each table has, by the table's name; tables without any are left out.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    counted = connection.execute(_COUNTS, {"tenant": tenant_uid, "subject": subject_uid})
    return {name: count for name, count in counted if count}
