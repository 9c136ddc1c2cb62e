"""Re-wrapping: subject keys, and the keys of requests' digests and receipts' openings, move to the current epoch.

Rows are updated by key and old content, never inserted, so what was erased meanwhile stays erased. Rows that somebody else has
locked are left for another pass.
"""

import time
from collections.abc import Sequence

import sqlalchemy as sa

from vault.crypto.envelope import DecryptionError
from vault.errors import VaultError
from vault.kms.tenant_keys import KeysMissingError, TenantKeys
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.envelopes import (
    as_wrapped,
    open_digest_key,
    open_opening,
    open_subject_key,
    seal_digest_key,
    seal_opening,
    seal_subject_key,
)
from vault.store.hanging import SUBJECT_KEYS, under_another
from vault.store.reads import STORE
from vault.store.request_results import subject_uids
from vault.store.rotation.pass_part import Moved, PassPart
from vault.store.rows import RETENTION_US, ErasureRow, IdempotencyRow, SubjectKeyRow
from vault.store.sealing import check, sealed
from vault.store.states import ErasureState

_UNOPENED = (DecryptionError, KeysMissingError, VaultError)
"""What is wrong with a row that stays where it is. All living epochs are at hand: who names another was altered, or put back."""
_UPDATE_ON_POSTGRESQL = (
    "UPDATE subject_key AS k SET wrapped = v.wrapped, epoch = %(epoch)s "
    "FROM unnest(%(uids)b::bytea[], %(kinds)s::text[], %(versions)b::bigint[], %(wrapped)b::bytea[]) "
    "AS v(subject_uid, kind, version, wrapped) "
    "WHERE k.tenant_uid = %(tenant)s AND k.subject_uid = v.subject_uid AND k.kind = v.kind AND k.version = v.version"
)


def rewrap_subject_keys(part: PassPart, epoch: int) -> Moved:
    """Move the next subject keys to the current epoch, in the order of subjects' uids; all keys of a subject at once.

    Two kinds don't move: a key of somebody who was erased, which was put back there, and a store key that something deleted was
    under: that of a subject which is to get a new one, or an older one than the newest, which goes with the last item under it.

    Args:
        part: which; its cursor is the uid of the last subject (16 bytes).
        epoch: the current one.

    Raises:
        KeysMissingError: the current epoch is not among the keys.
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
    """
    c, tenant_uid = t.subject_key.c, part.keys.tenant_uid
    older = (c.tenant_uid == tenant_uid) & SUBJECT_KEYS.is_under_another(epoch)
    uids = sa.select(c.subject_uid).where(older, c.subject_uid > part.after).order_by(c.subject_uid).limit(part.limit)
    last = part.connection.scalar(sa.select(uids.subquery().c.subject_uid).order_by(sa.desc("subject_uid")).limit(1))
    if last is None:
        return Moved(0, 0, None)
    owner = (t.subject.c.tenant_uid == c.tenant_uid) & (t.subject.c.uid == c.subject_uid)
    lasting = (c.kind != STORE) | (~t.subject.c.rekey_due & (c.version == t.subject.c.store_key_version))
    theirs = (
        sa.select(t.subject_key).join(t.subject, owner).where(older, c.subject_uid > part.after, c.subject_uid <= last, lasting)
    )
    locked = theirs.with_for_update(of=t.subject_key, skip_locked=part.passes_by)
    rows = list(map(SubjectKeyRow._make, part.connection.execute(locked)))
    moved = [new for row in rows if row.subject_uid not in part.erased and (new := _moved(part.keys, row, epoch))]
    _update(part.connection, tenant_uid, epoch, moved)
    return Moved(len(moved), len(rows) - len(moved), last)


def rewrap_requests(part: PassPart, epoch: int) -> Moved:
    """Move the keys of the next requests' digests, in the order of request ids; of none that was about somebody erased.

    Args:
        part: which; its cursor is request id and principal's uid of the last one (32 bytes).
        epoch: the current one.

    Raises:
        KeysMissingError, sqlalchemy.exc.SQLAlchemyError: as ``rewrap_subject_keys``.
    """
    c, after = t.idempotency.c, part.after
    order = (c.request_id, c.principal_uid)
    older = (c.tenant_uid == part.keys.tenant_uid) & under_another(c.digest_key, epoch)
    page = sa.select(t.idempotency).where(older, sa.tuple_(*order) > sa.tuple_(after[:16], after[16:])).order_by(*order)
    found = part.connection.execute(page.limit(part.limit).with_for_update(skip_locked=part.passes_by))
    rows = list(map(IdempotencyRow._make, found))
    moved = [(row, new) for row in rows if (new := _moved_request(part, row, epoch))]
    same = (c.tenant_uid == sa.bindparam("tenant")) & (c.request_id == sa.bindparam("request"))
    same &= (c.principal_uid == sa.bindparam("principal")) & (c.mac == sa.bindparam("old"))
    update = t.idempotency.update().where(same).values(digest_key=sa.bindparam("key"), mac=sa.bindparam("new"))
    cells = [
        {"tenant": old.tenant_uid, "request": old.request_id, "principal": old.principal_uid, "old": old.mac}
        | {"key": new.digest_key, "new": new.mac}
        for old, new in moved
    ]
    if cells:
        part.connection.execute(update, cells)
    return Moved(len(moved), len(rows) - len(moved), rows[-1].request_id + rows[-1].principal_uid if rows else None)


def rewrap_openings(part: PassPart, epoch: int, index: int) -> Moved:
    """Move the keys of the next receipts' openings, in the order of erasures' uids.

    With it an erasure's horizon moves on: whoever has the new epoch's key can try names against what the opening belongs to. So one
    that is older than a day, with which horizons reckon, is taken away instead, as the sweeper would.

    Args:
        part: which; its cursor is the uid of the last erasure (16 bytes).
        epoch: the current one.
        index: the current index key's version.

    Raises:
        KeysMissingError, sqlalchemy.exc.SQLAlchemyError: as ``rewrap_subject_keys``.
    """
    c = t.erasure.c
    older = (c.tenant_uid == part.keys.tenant_uid) & under_another(c.opening, epoch) & (c.uid > part.after)
    page = sa.select(t.erasure).where(older).order_by(c.uid).limit(part.limit).with_for_update(skip_locked=part.passes_by)
    rows = list(map(ErasureRow._make, part.connection.execute(page)))
    done, old_us = 0, _newest_us(part.connection) - RETENTION_US
    for row in rows:
        new = _moved_opening(part.keys, row, epoch, index, old_us)
        if new:
            same = (c.tenant_uid == row.tenant_uid) & (c.uid == row.uid) & (c.mac == row.mac)
            done += part.connection.execute(t.erasure.update().where(same).values(new._asdict())).rowcount
    return Moved(done, len(rows) - done, rows[-1].uid if rows else None)


def _moved(keys: TenantKeys, row: SubjectKeyRow, epoch: int) -> SubjectKeyRow | None:
    """The row under the current epoch; None if it can't be opened, which the scan at the end reports."""
    try:
        key = open_subject_key(keys, as_wrapped(row))
    except _UNOPENED:
        return None
    return seal_subject_key(keys, row, epoch, key)


def _moved_request(part: PassPart, row: IdempotencyRow, epoch: int) -> IdempotencyRow | None:
    """The row under the current epoch; None if it was altered, lest it get a good MAC by being moved, or names somebody erased."""
    keys = part.keys
    try:
        check(keys.authority, row)
        key = open_digest_key(keys, row)
    except _UNOPENED:
        return None
    if part.erased & subject_uids(row.results):
        return None
    return sealed(keys.authority, seal_digest_key(keys, row, epoch, key))


def _newest_us(connection: sa.Connection) -> int:
    """Now, by the clock that is ahead: whoever sets the database's back has no more moved."""
    return max(now_us(connection), time.time_ns() // 1000)


def _moved_opening(keys: TenantKeys, row: ErasureRow, epoch: int, index: int, old_us: int) -> ErasureRow | None:
    """The row with its opening under the current epoch, or without one if it began before; None if it was altered."""
    try:
        check(keys.authority, row)
        if row.state == ErasureState.DONE and row.begin_us <= old_us:
            return row._replace(opening=None, request_id=None, principal_uid=None)
        key = open_opening(keys, row)
    except _UNOPENED:
        return None
    return sealed(keys.authority, seal_opening(keys, row, epoch, key)._replace(epoch=epoch, index_key_version=index))


def _update(connection: sa.Connection, tenant_uid: bytes, epoch: int, rows: Sequence[SubjectKeyRow]) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        columns = {
            "uids": [row.subject_uid for row in rows],
            "kinds": [row.kind for row in rows],
            "versions": [row.version for row in rows],
            "wrapped": [row.wrapped for row in rows],
        }
        connection.exec_driver_sql(_UPDATE_ON_POSTGRESQL, {"tenant": tenant_uid, "epoch": epoch, **columns})
        return
    statement = (
        "UPDATE subject_key SET wrapped = ?, epoch = ? WHERE tenant_uid = ? AND subject_uid = ? AND kind = ? AND version = ?"
    )
    cells = [(row.wrapped, epoch, tenant_uid, row.subject_uid, row.kind, row.version) for row in rows]
    connection.exec_driver_sql(statement, cells)
