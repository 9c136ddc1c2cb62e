"""How long PostgreSQL may keep the logs' keeper waiting: who holds a lock for longer than milliseconds is none of ours."""

import sqlalchemy as sa

_SET_LIMITS = sa.select(
    sa.func.set_config("statement_timeout", "30s", True),
    sa.func.set_config("idle_in_transaction_session_timeout", "30s", True),
    sa.func.set_config("lock_timeout", sa.bindparam("lock_timeout"), True),
)
_LOCK_NOT_AVAILABLE = "55P03"

LOCK_MS = 200
"""How long a lock is waited for; the publisher and another integrator are done with a row in less."""
SHORT_LOCK_MS = 20
"""The same once such time was lost: the logs that come after must not pay for those before."""


def limit(connection: sa.Connection, lock_ms: int = LOCK_MS) -> None:
    """Let PostgreSQL give up, within this transaction, what would hold up the log, or others who wait for it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SET_LIMITS, {"lock_timeout": f"{lock_ms}ms"})


def is_locked(error: sa.exc.DBAPIError) -> bool:
    """Whether a lock was not to be had."""
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE
