"""Re-wrapping: subject keys, and the keys of requests' digests and receipts' openings, move to the current epoch.

Rows are updated by key and old content, never inserted, so what was erased meanwhile stays erased. Rows that somebody else has
locked are left for another pass.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from vault.crypto import binding
from vault.crypto.envelope import DecryptionError, key_version
from vault.crypto.keys import LABEL_DIGEST_KEY, LABEL_OPENING, LABEL_WRAP, unwrap, wrap
from vault.kms.tenant_keys import TenantKeys
from vault.store import tables as t
from vault.store.rotation.census import is_older
from vault.store.rows import ErasureRow, IdempotencyRow, SubjectKeyRow
from vault.store.sealing import check, sealed


class Pass(NamedTuple):
    """What one step did: rows moved, rows looked at that could not be (altered ones), and the key of the last; None at the end."""

    done: int
    refused: int
    last: bytes | None


_UPDATE_ON_POSTGRESQL = (
    "UPDATE subject_key AS k SET wrapped = v.wrapped, epoch = %(epoch)s "
    "FROM unnest(%(uids)s::bytea[], %(kinds)s::text[], %(versions)s::bigint[], %(wrapped)s::bytea[]) "
    "AS v(subject_uid, kind, version, wrapped) "
    "WHERE k.tenant_uid = %(tenant)s AND k.subject_uid = v.subject_uid AND k.kind = v.kind AND k.version = v.version"
)


def rewrap_subject_keys(connection: sa.Connection, keys: TenantKeys, epoch: int, after: bytes, limit: int) -> Pass:
    """Move the next subject keys to the current epoch, in the order of subjects' uids.

    Args:
        connection: in a transaction.
        keys: the tenant's, with the old epochs.
        epoch: the current one.
        after: the uid of the last subject of the step before; empty at first.
        limit: about how many rows.

    Raises:
        KeysMissingError: an epoch is not among the keys.
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
    """
    c = t.subject_key.c
    uids = sa.select(c.subject_uid).where(c.tenant_uid == keys.tenant_uid, c.epoch != epoch, c.subject_uid > after)
    chosen = sorted(set(connection.scalars(uids.order_by(c.subject_uid).limit(limit))))
    if not chosen:
        return Pass(0, 0, None)
    theirs = sa.select(t.subject_key).where(c.tenant_uid == keys.tenant_uid, c.subject_uid.in_(chosen), c.epoch != epoch)
    rows = list(map(SubjectKeyRow._make, connection.execute(theirs.with_for_update(skip_locked=True))))
    moved = [new for row in rows if (new := _moved(keys, row, epoch))]
    _update(connection, keys.tenant_uid, epoch, moved)
    return Pass(len(moved), len(rows) - len(moved), chosen[-1])


def rewrap_requests(connection: sa.Connection, keys: TenantKeys, epoch: int) -> Pass:
    """Move the keys of all requests' digests: those of a day.

    Raises:
        KeysMissingError, sqlalchemy.exc.SQLAlchemyError: as ``rewrap_subject_keys``.
    """
    c = t.idempotency.c
    select = sa.select(t.idempotency).where(c.tenant_uid == keys.tenant_uid, c.digest_key != b"")
    rows = [row for row in map(IdempotencyRow._make, connection.execute(select)) if is_older(row.digest_key, epoch)]
    done = 0
    for row in rows:
        bound = partial(binding.digest_key, row.tenant_uid, row.request_id, row.principal_uid)
        envelope = _reopened(keys, row.digest_key, epoch, LABEL_DIGEST_KEY, bound)
        if envelope is not None:
            check(keys.authority, row)  # what was altered must not get a good MAC by being moved
            new = sealed(keys.authority, row._replace(digest_key=envelope))
            same = (c.tenant_uid == row.tenant_uid, c.request_id == row.request_id, c.principal_uid == row.principal_uid)
            update = t.idempotency.update().where(*same, c.mac == row.mac)
            done += connection.execute(update.values(digest_key=new.digest_key, mac=new.mac)).rowcount
    return Pass(done, len(rows) - done, None)


def rewrap_openings(connection: sa.Connection, keys: TenantKeys, epoch: int) -> Pass:
    """Move the keys of all receipts' openings: those of a day.

    Raises:
        KeysMissingError, sqlalchemy.exc.SQLAlchemyError: as ``rewrap_subject_keys``.
    """
    c = t.erasure.c
    select = sa.select(t.erasure).where(c.tenant_uid == keys.tenant_uid, c.opening.is_not(None))
    found = [(row, row.opening) for row in map(ErasureRow._make, connection.execute(select))]
    older = [(row, opening) for row, opening in found if opening and is_older(opening, epoch)]
    done = 0
    for row, opening in older:
        bound = partial(binding.opening, row.tenant_uid, row.uid)
        envelope = _reopened(keys, opening, epoch, LABEL_OPENING, bound)
        if envelope is not None:
            same = (c.tenant_uid == row.tenant_uid, c.uid == row.uid, c.opening == opening)
            done += connection.execute(t.erasure.update().where(*same).values(opening=envelope)).rowcount
    return Pass(done, len(older) - done, None)


def _moved(keys: TenantKeys, row: SubjectKeyRow, epoch: int) -> SubjectKeyRow | None:
    """The row under the current epoch; None if it can't be opened, which the scan at the end reports."""
    place = (row.tenant_uid, row.subject_uid, row.kind, row.version, row.key_id)
    old = keys.epoch(row.epoch).derive(LABEL_WRAP)
    try:
        key = unwrap(old, row.wrapped, binding.subject_key(*place, row.epoch))
    except DecryptionError:
        return None
    wrapped = wrap(keys.epoch(epoch).derive(LABEL_WRAP), epoch, key, binding.subject_key(*place, epoch))
    return row._replace(epoch=epoch, wrapped=wrapped)


def _reopened(keys: TenantKeys, envelope: bytes, epoch: int, label: str, bound: Callable[[int], bytes]) -> bytes | None:
    try:
        under = key_version(envelope)
        key = unwrap(keys.epoch(under).derive(label), envelope, bound(under))
    except DecryptionError:
        return None
    return wrap(keys.epoch(epoch).derive(label), epoch, key, bound(epoch))


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
