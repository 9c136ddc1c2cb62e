"""What calls read of the lives of keys: a tenant's wrapped keys and the long work on them. Rare, so one query a call."""

from collections.abc import Sequence

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import ErasureRow, OperationRow, TenantKeyRow

_NEWEST = 100
_AT_ONCE = 1000


def fetch_lives(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in tenants' keys and operations for whoever asked for them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    key, operation = t.tenant_key.c, t.operation.c
    for head, reads, rows in needs:
        if reads.tenant_keys:
            keys = sa.select(t.tenant_key).where(key.tenant_uid == head.tenant_uid).order_by(key.kind, key.version)
            rows.tenant_keys = list(map(TenantKeyRow._make, connection.execute(keys)))
        if reads.live_operations:
            live = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid, operation.live_kind.is_not(None))
            rows.live_operations = list(map(OperationRow._make, connection.execute(live)))
        if reads.newest_operations:
            newest = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid).order_by(operation.create_us.desc())
            rows.newest_operations = list(map(OperationRow._make, connection.execute(newest.limit(_NEWEST))))
        if reads.operations:
            named = sa.select(t.operation).where(operation.tenant_uid == head.tenant_uid, operation.uid.in_(reads.operations))
            rows.operations |= {row.uid: row for row in map(OperationRow._make, connection.execute(named))}
        if reads.covered_erasures:
            rows.covered_erasures = _covered(connection, head.tenant_uid, *reads.covered_erasures)


def _covered(connection: sa.Connection, tenant_uid: bytes, epoch: int, index_key_version: int) -> list[ErasureRow]:
    c = t.erasure.c
    waiting = sa.select(t.erasure).where(c.tenant_uid == tenant_uid, c.horizon_us == 0, c.state == "DONE")
    covered = waiting.where(c.epoch <= epoch, c.index_key_version <= index_key_version).order_by(c.begin_us, c.uid)
    return list(map(ErasureRow._make, connection.execute(covered.limit(_AT_ONCE))))
