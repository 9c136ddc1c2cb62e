"""What calls read of erasures, and of how long copies live outside of the vault. Rare, so one query a call."""

from collections.abc import Sequence

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import ErasureRow, KeyScheduleRow


def fetch_erasures(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in erasures and the tenant's schedule for whoever asked for them; whoever owns the tenant gets them FOR UPDATE.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    c = t.erasure.c
    for head, reads, rows in needs:
        own = sa.select(t.erasure).where(c.tenant_uid == head.tenant_uid)
        if reads.owning:
            own = own.with_for_update()
        if reads.erasures:
            named = connection.execute(own.where(c.uid.in_(reads.erasures)))
            rows.erasures |= {row.uid: row for row in map(ErasureRow._make, named)}
        if reads.requested_erasures:
            same = (c.request_id == head.request_id) & c.principal_uid.in_(_uid_of(head))
            rows.requested_erasures = list(map(ErasureRow._make, connection.execute(own.where(same))))
        if reads.schedule:
            rows.schedule = schedule_row(connection, head.tenant_uid)


def schedule_row(connection: sa.Connection, tenant_uid: bytes) -> KeyScheduleRow | None:
    """A tenant's schedule as its row stands; errors as ``fetch_erasures``."""
    found = connection.execute(sa.select(t.key_schedule).where(t.key_schedule.c.tenant_uid == tenant_uid)).first()
    return KeyScheduleRow(*found) if found else None


def _uid_of(head: Head) -> sa.Select[tuple[bytes]]:
    """The caller's uid: who it is, is read only after this."""
    c = t.principal.c
    return sa.select(c.uid).where(c.tenant_uid == head.tenant_uid, c.name == head.principal)
