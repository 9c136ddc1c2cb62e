"""Erasures that somebody has to finish, and how far the operations are that they are part of. Each function is short work.

The serving role may do all of it. Whoever finishes an erasure reads it again, with its MAC, and by MACs it is counted
how many are done.
"""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher

from vault.kms.tenant_keys import Authority
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.engine import BUSY_S, reading
from vault.store.erasing import rows_left
from vault.store.rows import ErasureRow, OperationRow
from vault.store.sealing import check
from vault.store.states import ErasureState, OperationKind, OperationState, TenantState
from vault.v1.subject_service_pb2 import BulkEraseResult

_LIMIT = 1000
_PATIENCE_S = 5.0
_READERS_MS = 200
"""How long is waited for those who read what was before: everybody who wants to write waits as well."""
_ONE = sa.select(t.erasure).where(t.erasure.c.tenant_uid == sa.bindparam("tenant"), t.erasure.c.uid == sa.bindparam("erasure"))


class Begun(NamedTuple):
    """An erasure that is not done."""

    tenant_uid: bytes
    uid: bytes


def begun(engine: sa.Engine, older_than_s: float) -> list[Begun]:
    """Erasures that began longer ago, and those of operations at once: at most 1,000, as many of each tenant as of another.

    Which of a tenant's is left to chance, lest those that can't be finished keep others from it for ever.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.erasure.c
    with reading(engine, _PATIENCE_S) as connection:
        before = now_us(connection) - round(older_than_s * 1e6)
        due = (c.state == ErasureState.BEGUN) & ((c.begin_us <= before) | c.operation_uid.is_not(None))
        # The keys of one that is sealed can't be had.
        served = sa.exists().where(t.tenant.c.uid == c.tenant_uid, t.tenant.c.state == TenantState.ACTIVE)
        turn = sa.func.row_number().over(partition_by=c.tenant_uid, order_by=sa.func.random())
        rows = connection.execute(sa.select(c.tenant_uid, c.uid).where(due, served).order_by(turn).limit(_LIMIT))
        return [Begun(row.tenant_uid, row.uid) for row in rows]


def read(engine: sa.Engine, tenant_uid: bytes, uid: bytes) -> ErasureRow | None:
    """One erasure.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(engine, _PATIENCE_S) as connection:
        row = connection.execute(_ONE, {"tenant": tenant_uid, "erasure": uid}).first()
    return ErasureRow(*row) if row else None


def read_back(engine: sa.Engine, tenant_uid: bytes, subject_uid: bytes) -> dict[str, int]:
    """What is left of a subject, by table; see ``rows_left``.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(engine, _PATIENCE_S) as connection:
        return rows_left(connection, tenant_uid, subject_uid)


def bulk_under_way(engine: sa.Engine) -> list[tuple[bytes, bytes]]:
    """Tenant and uid of each bulk erasure that has not ended.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.operation.c
    with reading(engine, _PATIENCE_S) as connection:
        return [
            (row.tenant_uid, row.uid)
            for row in connection.execute(sa.select(c.tenant_uid, c.uid).where(c.live_kind == OperationKind.BULK_ERASE))
        ]


def note_progress(engine: sa.Engine, authority: Authority, tenant_uid: bytes, operation_uid: bytes) -> None:
    """Write down how many of an operation's erasures are done; once all are that it was asked for, it has ended.

    Raises:
        VaultError: INTEGRITY, if the operation or one of them was altered.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.operation.c
    own = (c.tenant_uid == tenant_uid) & (c.uid == operation_uid) & (c.live_kind == OperationKind.BULK_ERASE)
    with engine.begin() as connection:
        found = connection.execute(sa.select(t.operation).where(own).with_for_update()).first()
        if found is None:
            return
        row = OperationRow(*found)
        check(authority, row)
        asked = frozenset(BulkEraseResult.FromString(row.request).erasure_uids)
        done = len(asked & _done(connection, authority, tenant_uid, operation_uid))
        if done == row.done and done < len(asked):
            return
        changed: dict[str, object] = {"done": done, "update_us": now_us(connection)}
        if done == len(asked):
            changed |= {"state": OperationState.DONE, "live_kind": None, "result": row.request}
        connection.execute(t.operation.update().where(own).values(changed))


def _done(connection: sa.Connection, authority: Authority, tenant_uid: bytes, operation_uid: bytes) -> frozenset[bytes]:
    """Which of an operation's erasures are done, as their MACs say."""
    c = t.erasure.c
    of_it = (c.tenant_uid == tenant_uid) & (c.operation_uid == operation_uid) & (c.state == ErasureState.DONE)
    rows = list(map(ErasureRow._make, connection.execute(sa.select(t.erasure).where(of_it))))
    for row in rows:
        check(authority, row)
    return frozenset(row.uid for row in rows)


def clean_files(engine: sa.Engine) -> bool:
    """Have SQLite's log written into its file and cut off, so that neither holds what was deleted (the file is overwritten).

    PostgreSQL does the like by itself, in its own time. Answers False while somebody reads what was before.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    if engine.dialect.name != "sqlite":
        return True
    pooled = engine.raw_connection()
    connection: Any = pooled.driver_connection
    try:
        connection.take_turn()
        connection.execute(f"PRAGMA busy_timeout = {_READERS_MS}")  # writers wait meanwhile
        ((is_busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlcipher.OperationalError as error:
        raise sa.exc.OperationalError("wal_checkpoint", None, error) from None
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
        connection.pass_turn()
        pooled.close()
    return not is_busy
