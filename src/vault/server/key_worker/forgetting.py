"""The end of the KMS's notes of erasures: once no copy can bring somebody back, nothing of them has to be remembered."""

from collections.abc import Mapping

from vault.keys.horizon import MAX_ERASURES
from vault.keys.notes import ForgetAct, is_past
from vault.keys.schedule import schedule_of
from vault.server.key_worker.held_operation import HeldOperation
from vault.store.clock import now_us
from vault.store.reading.erasures import schedule_row
from vault.store.rotation import horizons
from vault.store.rotation.turnstile import pinning
from vault.store.sealing import fits


def forget(held: HeldOperation, details: Mapping[str, str], after: bytes) -> bytes | None:
    """Have the KMS forget the next erasures whose horizon was reached longer ago than any copy is kept. The log names them before.

    An erasure whose row was altered is remembered for good.

    Args:
        held: the destruction of which it is the last phase.
        details: what the log says besides.
        after: the uid of the last erasure that was looked at, empty at first.

    Returns:
        The uid of the last one now; None if there was none.

    Raises:
        VaultError: of the KMS; INTEGRITY, TENANT_SEALED.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    desk, keys = held.desk, held.keys()
    with pinning(desk.engine, keys) as (connection, _):
        schedule = schedule_of(schedule_row(connection, keys.tenant_uid), keys.authority)
        # Only to look for what may be due: the act goes by a time that is held against the node's clock.
        about_us = now_us(connection)
        rows = horizons.reached(connection, keys.tenant_uid, after, MAX_ERASURES)
    if not rows:
        return None
    noted = desk.manager.noted(keys.tenant_uid)
    due = [row for row in rows if row.uid in noted and fits(keys.authority, row) and is_past(row, schedule, about_us)]
    if due:
        act = ForgetAct(held.caller, details, [row.uid for row in due])
        desk.act(act)
        desk.administrator.forget_destroyed(keys.tenant_uid, act.forgotten)
    return rows[-1].uid
