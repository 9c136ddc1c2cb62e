"""What calls read of approvals, and of the principals who asked and decided. Rare, so one query a call."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import ApprovalRow, PrincipalRow
from vault.store.states import ApprovalState

_NEWEST = 100


def fetch_approvals(connection: sa.Connection, needs: Sequence[tuple[Head, Reads, Rows]]) -> None:
    """Fill in approvals, with whoever asked and decided, for whoever asked for them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    c = t.approval.c
    for head, reads, rows in needs:
        own = sa.select(t.approval).where(c.tenant_uid == head.tenant_uid)
        found = list[ApprovalRow]()
        if reads.approvals:
            found += map(ApprovalRow._make, connection.execute(own.where(c.uid.in_(reads.approvals))))
            rows.approvals |= {row.uid: row for row in found}
        if reads.pending_approvals:
            pending = own.where(c.state.in_((ApprovalState.ASKED, ApprovalState.APPROVED))).order_by(c.ask_us.desc(), c.uid)
            rows.pending_approvals = list(map(ApprovalRow._make, connection.execute(pending.limit(_NEWEST))))
            found += rows.pending_approvals
        if found:
            rows.principals |= _parties(connection, head.tenant_uid, found)


def _parties(connection: sa.Connection, tenant_uid: bytes, approvals: Iterable[ApprovalRow]) -> dict[bytes, PrincipalRow]:
    uids = {uid for row in approvals for uid in (row.asked_by, row.decided_by) if uid}
    select = sa.select(t.principal).where(t.principal.c.tenant_uid == tenant_uid, t.principal.c.uid.in_(uids))
    return {row.uid: row for row in map(PrincipalRow._make, connection.execute(select))}
