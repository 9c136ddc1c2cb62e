"""The locks of the turnstile (docs/decisions/0008): tenants' rows, pinned by many or owned by one, each in its turn.

On PostgreSQL a row that is locked FOR SHARE lets in whoever wants the same, also while somebody waits for it FOR UPDATE, who would
wait for ever behind writers that overlap. So an advisory lock comes before the row's: these are granted in the order of asking.
"""

from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.rows import TenantRow


def pin(connection: sa.Connection, tenant_uids: Collection[bytes]) -> list[TenantRow]:
    """Tenants' rows as they stay until the end of the transaction, in the order of their uids.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    select = _of(connection, tenant_uids, sa.func.pg_advisory_xact_lock_shared).with_for_update(read=True)
    return _rows(connection, select)


def own(connection: sa.Connection, tenant_uids: Collection[bytes]) -> list[TenantRow]:
    """The same, and nobody else pins or owns them until then.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    return _rows(connection, _of(connection, tenant_uids, sa.func.pg_advisory_xact_lock).with_for_update())


def _of(connection: sa.Connection, tenant_uids: Collection[bytes], lock: Callable[..., Any]) -> sa.Select[Any]:
    c = t.tenant.c
    columns: list[Any] = [*c]
    if connection.dialect.name == "postgresql":  # what is selected is computed before the row is locked
        columns.append(lock(sa.func.hashtextextended(sa.func.encode(c.uid, "hex"), 0)).label("turn"))
    return sa.select(*columns).where(c.uid.in_(tenant_uids)).order_by(c.uid)


def _rows(connection: sa.Connection, select: sa.Select[Any]) -> list[TenantRow]:
    width = len(TenantRow._fields)
    return [TenantRow(*row[:width]) for row in connection.execute(select)]
