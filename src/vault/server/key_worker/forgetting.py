"""The end of the KMS's notes of erasures: once no copy can bring somebody back, nothing of them has to be remembered."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.keys.horizon import MAX_ERASURES
from vault.keys.notes import ForgetAct, is_past
from vault.keys.schedule import schedule_of
from vault.server.key_worker.desk import Desk
from vault.store import tables as t
from vault.store.queries import now_us
from vault.store.rotation.turnstile import pinning
from vault.store.rows import ErasureRow, KeyScheduleRow
from vault.store.sealing import fits


def forget(desk: Desk, caller: Caller, details: Mapping[str, str], after: bytes) -> bytes | None:
    """Have the KMS forget the next erasures whose horizon was reached longer ago than any copy is kept. The log names them before.

    An erasure whose row was altered is remembered for good.

    Args:
        desk: what it takes.
        caller: the key worker, in the tenant's log.
        details: what the log says besides.
        after: the uid of the last erasure that was looked at, empty at first.

    Returns:
        The uid of the last one now; None if there was none.

    Raises:
        VaultError: of the KMS; INTEGRITY, TENANT_SEALED.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    keys = desk.keys(caller.tenant_uid)
    with pinning(desk.engine, keys) as (connection, _):
        found = connection.execute(sa.select(t.key_schedule).where(t.key_schedule.c.tenant_uid == keys.tenant_uid)).first()
        schedule = schedule_of(KeyScheduleRow(*found) if found else None, keys.authority)
        about_us = now_us(
            connection
        )  # only to look for what may be due: the act goes by a time that is held against the node's clock
        c = t.erasure.c
        old = (c.tenant_uid == keys.tenant_uid) & (c.horizon_us > 0) & (c.uid > after)
        page = sa.select(t.erasure).where(old).order_by(c.uid).limit(MAX_ERASURES)
        rows = list(map(ErasureRow._make, connection.execute(page)))
    if not rows:
        return None
    noted = desk.manager.noted(keys.tenant_uid)
    due = [row for row in rows if row.uid in noted and fits(keys.authority, row) and is_past(row, schedule, about_us)]
    if due:
        act = ForgetAct(caller, details, [row.uid for row in due])
        desk.act(act)
        desk.administrator.forget_destroyed(keys.tenant_uid, act.forgotten)
    return rows[-1].uid
