"""All that a group of calls needs: tenants are locked before anything else is read, and heads, who calls, come last."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.reading.approvals import fetch_approvals
from vault.store.reading.by_key import fetch_by_key
from vault.store.reading.conditions import among, put_once
from vault.store.reading.erasures import fetch_erasures
from vault.store.reading.key_work import fetch_key_work
from vault.store.reading.pages import fetch_pages
from vault.store.reading.subjects import fetch_belongings, fetch_subject_pages
from vault.store.reading.whole_subjects import fetch_whole_subjects
from vault.store.reads import Head, Reads, Rows
from vault.store.rows import CaRow, IdempotencyRow, PrincipalRow, TenantRow
from vault.store.tenant_locks import own, pin

Need = tuple[Head, Reads, Rows]


def fetch(connection: sa.Connection, calls: Sequence[tuple[Head, Reads]]) -> list[Rows]:
    """Answer the needs of a group of calls.

    Heads come last: if they say that the tenant's keys are still those by whose index keys hashes were looked up, a rotation had
    not begun to move anything when the hashes were looked for.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: whatever the database says; the runner translates it.
    """
    needs = [(head, reads, Rows()) for head, reads in calls]
    fetch_data(connection, needs)
    _fetch_heads(connection, needs)
    return [rows for _, _, rows in needs]


def fetch_data(connection: sa.Connection, needs: Sequence[Need]) -> None:
    """Fill in what calls need besides their heads; also for what a call found it needs only after it saw its rows."""
    _lock_tenants(connection, needs)
    fetch_by_key(connection, needs)
    fetch_belongings(connection, needs)
    fetch_subject_pages(connection, needs)
    fetch_key_work(connection, needs)
    fetch_whole_subjects(connection, needs)
    fetch_erasures(connection, needs)
    fetch_approvals(connection, needs)
    fetch_pages(connection, needs)
    for _, reads, rows in needs:
        rows.fetched.append(reads)


def _fetch_heads(connection: sa.Connection, needs: Sequence[Need]) -> None:
    now = now_us(connection)
    heads = [head for head, _, _ in needs]
    tenants = _by_key(connection, t.tenant, TenantRow, ("uid",), {(h.tenant_uid,) for h in heads})
    cas = _by_key(connection, t.tenant_ca, CaRow, ("sha256",), {(h.ca_sha256,) for h in heads})
    names = {(h.tenant_uid, h.principal) for h in heads}
    principals = _by_key(connection, t.principal, PrincipalRow, ("tenant_uid", "name"), names)
    requests = {
        (h.tenant_uid, h.request_id, principals[key].uid) for h in heads if (key := (h.tenant_uid, h.principal)) in principals
    }
    done = _by_key(connection, t.idempotency, IdempotencyRow, ("tenant_uid", "request_id", "principal_uid"), requests)
    for head, _, rows in needs:
        rows.now_us = now
        rows.tenant = tenants.get((head.tenant_uid,))
        rows.ca = cas.get((head.ca_sha256,))
        rows.principal = principals.get((head.tenant_uid, head.principal))
        if rows.principal:
            rows.idempotency = done.get((head.tenant_uid, head.request_id, rows.principal.uid))


def _lock_tenants(connection: sa.Connection, needs: Sequence[Need]) -> None:
    """Before anything else is read that rests on the tenants' keys and names: the turnstile of docs/decisions/0008."""
    owned = {head.tenant_uid for head, reads, _ in needs if reads.owning}
    pinned = {head.tenant_uid for head, reads, _ in needs if reads.locking or reads.pinning} - owned
    rows = dict[bytes, TenantRow]()
    for uids, lock in ((owned, own), (pinned, pin)):
        if uids:
            rows |= {row.uid: row for row in lock(connection, uids)}
    for head, _, found in needs:
        if head.tenant_uid in rows:
            found.tenant = rows[head.tenant_uid]


def _by_key(
    connection: sa.Connection, table: sa.Table, kind: Any, columns: tuple[str, ...], keys: set[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Any]:
    if not keys:
        return {}
    select = sa.select(table).where(among([table.c[name] for name in columns], keys))
    found: dict[tuple[Any, ...], Any] = {}
    for row in map(kind._make, connection.execute(select)):
        put_once(found, tuple(getattr(row, name) for name in columns), row)
    return found
