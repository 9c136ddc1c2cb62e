"""Taking a subject out of the tables: everything that leads to it, and the keys without which no copy of the rest can be read."""

import sqlalchemy as sa

from vault.store import tables as t

LEFT = (t.token, t.item, t.subject_alias, t.subject_hold, t.subject_key, t.idempotency_subject)
"""The tables with rows of a subject's own, besides its own row."""

_BLANK = {"digest_key": b"", "digest": b"", "results": b"", "mac": b""}


def erase_subject(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> None:
    """Delete all rows of a subject within the connection's transaction; nothing happens if there are none.

    Requests that were about the subject are blanked and not deleted: repeated within 24 hours they are refused, where a row less
    would let them make the person anew (docs/decisions/0008).

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    blank_requests(connection, tenant_uid, subject_uid)
    for table in LEFT:
        connection.execute(table.delete().where(table.c.tenant_uid == tenant_uid, table.c.subject_uid == subject_uid))
    connection.execute(t.subject.delete().where(t.subject.c.tenant_uid == tenant_uid, t.subject.c.uid == subject_uid))


def rows_left(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> dict[str, int]:
    """How many rows of a subject each table has, by the table's name; tables without any are left out.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    owners = [(table, table.c.subject_uid) for table in LEFT] + [(t.subject, t.subject.c.uid)]
    counted = {
        table.name: connection.scalar(
            sa.select(sa.func.count()).select_from(table).where(table.c.tenant_uid == tenant_uid, owner == subject_uid)
        )
        for table, owner in owners
    }
    return {name: count for name, count in counted.items() if count}


def blank_requests(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> None:
    """Forget what requests about a subject did and were, but not that there were any, within the connection's transaction.

    Their digests can be tried for values that were deleted since, by whoever has the key they are under.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    about, request = t.idempotency_subject.c, t.idempotency.c
    select = sa.select(about.request_id, about.principal_uid).where(
        about.tenant_uid == tenant_uid, about.subject_uid == subject_uid
    )
    named = [{"request": row.request_id, "principal": row.principal_uid} for row in connection.execute(select)]
    if named:
        one = (request.request_id == sa.bindparam("request")) & (request.principal_uid == sa.bindparam("principal"))
        connection.execute(t.idempotency.update().where(request.tenant_uid == tenant_uid, one).values(_BLANK), named)
