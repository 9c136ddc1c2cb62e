"""Removing what nobody needs any more: idempotency rows past their 24 hours."""

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.queries import now_us


def sweep(engine: sa.Engine) -> int:
    """Delete expired idempotency rows, by the database's clock; answers how many.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection:
        now = now_us(connection)
        connection.execute(t.idempotency_subject.delete().where(t.idempotency_subject.c.expire_us <= now))
        return connection.execute(t.idempotency.delete().where(t.idempotency.c.expire_us <= now)).rowcount
