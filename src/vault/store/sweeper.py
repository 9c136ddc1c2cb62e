"""Removing what nobody needs any more.

What is kept of requests for 24 hours, so that their retries do nothing twice; and for 90 days, to be looked at, approvals that have
expired and operations that have ended. What they were stays in the log.
"""

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.rows import LIVE_STATES, RETENTION_US
from vault.store.states import ErasureState

_SHOWN_US = 90 * 24 * 3600 * 1_000_000


def sweep(engine: sa.Engine) -> int:
    """Delete expired idempotency rows, by the database's clock; answers how many. And let go of what opens old erasures.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection:
        now = now_us(connection)
        _close_erasures(connection, now - RETENTION_US)  # they have no column for its end
        _forget(connection, now - _SHOWN_US)
        connection.execute(t.idempotency_subject.delete().where(t.idempotency_subject.c.expire_us <= now))
        return connection.execute(t.idempotency.delete().where(t.idempotency.c.expire_us <= now)).rowcount


def _forget(connection: sa.Connection, before_us: int) -> None:
    operation = t.operation.c
    connection.execute(t.approval.delete().where(t.approval.c.expire_us <= before_us))
    connection.execute(t.operation.delete().where(operation.state.not_in(LIVE_STATES), operation.update_us <= before_us))


def _close_erasures(connection: sa.Connection, before_us: int) -> None:
    """From now on nothing here leads from a request, or from who made it, to an erasure."""
    c = t.erasure.c
    old = (c.state == ErasureState.DONE) & (c.begin_us <= before_us) & c.request_id.is_not(None)
    connection.execute(t.erasure.update().where(old).values(request_id=None, principal_uid=None, opening=None))
