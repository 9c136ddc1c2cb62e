"""A tenant's erasures, some at a time, by whether their horizon is reached: rows as they stand, their MACs are for who asks."""

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.rows import ErasureRow


def waiting(connection: sa.Connection, tenant_uid: bytes, after: bytes, limit: int) -> list[ErasureRow]:
    """The next erasures whose horizon is not reached, in the order of their uids (16 bytes), after one of them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    return _page(connection, tenant_uid, t.erasure.c.horizon_us == 0, after, limit)


def reached(connection: sa.Connection, tenant_uid: bytes, after: bytes, limit: int) -> list[ErasureRow]:
    """Those whose horizon is; else as ``waiting``."""
    return _page(connection, tenant_uid, t.erasure.c.horizon_us > 0, after, limit)


def _page(
    connection: sa.Connection, tenant_uid: bytes, which: sa.ColumnElement[bool], after: bytes, limit: int
) -> list[ErasureRow]:
    c = t.erasure.c
    page = sa.select(t.erasure).where(c.tenant_uid == tenant_uid, which, c.uid > after).order_by(c.uid).limit(limit)
    return list(map(ErasureRow._make, connection.execute(page)))
