"""What calls read of the work on keys: a tenant's wrapped keys, and its operations. Rare, so one query a call."""

from collections.abc import Sequence

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import OperationRow, TenantKeyRow

_NEWEST = 100


def fetch_key_work(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in tenants' keys and operations for whoever asked for them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    operation = t.operation.c
    for head, reads, rows in needs:
        if reads.tenant_keys:
            rows.tenant_keys = key_rows(connection, head.tenant_uid)
        if reads.live_operations:
            live = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid, operation.live_kind.is_not(None))
            rows.live_operations = list(map(OperationRow._make, connection.execute(live)))
        if reads.newest_operations:
            newest = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid).order_by(operation.create_us.desc())
            rows.newest_operations = list(map(OperationRow._make, connection.execute(newest.limit(_NEWEST))))
        if reads.operations:
            named = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid, operation.uid.in_(reads.operations))
            rows.operations |= {row.uid: row for row in map(OperationRow._make, connection.execute(named))}


def key_rows(connection: sa.Connection, tenant_uid: bytes) -> list[TenantKeyRow]:
    """A tenant's keys of all kinds and states; errors as ``fetch_key_work``."""
    c = t.tenant_key.c
    keys = sa.select(t.tenant_key).where(c.tenant_uid == tenant_uid).order_by(c.kind, c.version)
    return list(map(TenantKeyRow._make, connection.execute(keys)))
