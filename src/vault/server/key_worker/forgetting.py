"""The end of the KMS's notes of erasures: once no copy can bring somebody back, nothing of them has to be remembered."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.administration import Act, nothing
from vault.audit.events import Caller
from vault.keys.horizon import MAX_ERASURES
from vault.keys.schedule import copies_s
from vault.server.key_worker.desk import Desk
from vault.store import tables as t
from vault.store.queries import now_us
from vault.store.rotation.turnstile import pinning
from vault.store.rows import ErasureRow, KeyScheduleRow
from vault.store.sealing import check, fits

ACTION = "NotesForgotten"


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
        schedule = KeyScheduleRow(*found) if found else None
        if schedule:
            check(keys.authority, schedule)
        before_us = now_us(connection) - copies_s(schedule) * 1_000_000
        c = t.erasure.c
        old = (c.tenant_uid == keys.tenant_uid) & c.horizon_us.between(1, before_us) & (c.uid > after)
        page = sa.select(t.erasure).where(old).order_by(c.uid).limit(MAX_ERASURES)
        rows = list(map(ErasureRow._make, connection.execute(page)))
    if not rows:
        return None
    noted = desk.manager.noted(keys.tenant_uid)
    uids = [row.uid for row in rows if row.uid in noted and fits(keys.authority, row)]
    if uids:
        desk.act(Act(caller, ACTION, "", {**details, "erasures": ",".join(uid.hex() for uid in uids)}, nothing))
        desk.administrator.forget_destroyed(keys.tenant_uid, uids)
    return rows[-1].uid
