"""Forgetting what requests about a subject did and were, but not that there were any: repeated within 24 hours they are refused.

Their digests can be tried for values that were deleted since, by whoever has the key they are under. Whoever was in many requests
has most of them blanked in parts beforehand, so that the transaction which erases or re-keys finds as few as anybody's.
"""

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.engine import reading

FEW = 500
"""Requests of one subject that are left to the transaction which erases or re-keys it."""
PART_ROWS = 5000
"""Requests that are blanked in one transaction before that."""

_BLANK = {"digest_key": b"", "digest": b"", "results": b"", "mac": b""}
_PATIENCE_S = 60.0


def blank_requests(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> None:
    """Blank all requests about a subject, within the connection's transaction.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    _blank(connection, _ALL, tenant_uid, subject_uid)


def blank_next(engine: sa.Engine, tenant_uid: bytes, subject_uids: Collection[bytes]) -> int:
    """Blank the next requests of the first of these subjects who was in many, in a transaction: how many; 0 once each was in few.

    Requests that come in meanwhile are refused nothing: they are among the next ones, or among the few that are left.

    Args:
        engine: of either database.
        tenant_uid: whose subjects.
        subject_uids: some hundreds at most; those that are not there any more don't count.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(engine, _PATIENCE_S) as connection:
        subject_uid = connection.scalar(_with_many(tenant_uid, subject_uids))
    if subject_uid is None:
        return 0
    with engine.begin() as connection:
        return _blank_part(connection, tenant_uid, subject_uid)


def _with_many(tenant_uid: bytes, subject_uids: Collection[bytes]) -> sa.Select[bytes]:
    s, about = t.subject.c, t.idempotency_subject.c
    beyond = (
        sa.select(about.request_id)
        .where(about.tenant_uid == tenant_uid, about.subject_uid == s.uid)
        .order_by(about.request_id)
        .offset(FEW)
        .limit(1)
        .scalar_subquery()
    )
    own = (s.tenant_uid == tenant_uid) & s.uid.in_(subject_uids)
    return sa.select(s.uid).where(own, beyond.is_not(None)).order_by(s.uid).limit(1)


def _blank_part(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes) -> int:
    """Blank the first ``PART_ROWS`` requests, in the order of their ids, and those that share the last one's id."""
    c = t.idempotency_subject.c
    own = (c.tenant_uid == tenant_uid) & (c.subject_uid == subject_uid)
    ids = connection.scalars(sa.select(c.request_id).where(own).order_by(c.request_id).limit(PART_ROWS)).all()
    if ids:
        _blank(connection, _BETWEEN, tenant_uid, subject_uid, first=ids[0], last=ids[-1])
    return len(ids)


def _blank(connection: sa.Connection, statements: "_Statements", tenant_uid: bytes, subject_uid: bytes, **more: bytes) -> None:
    """Blank requests about a subject; nobody needs to find blank ones, so they lead to it no more."""
    own = {"of_tenant": tenant_uid, "of_subject": subject_uid, **more}
    connection.execute(statements.blank, own)
    connection.execute(statements.forget, own)


class _Statements(NamedTuple):
    """What blanks requests, and then lets them lead to nobody; made once, since a re-keying runs them for each subject."""

    blank: sa.Update
    forget: sa.Delete


def _statements(which: sa.ColumnElement[bool], among: sa.ColumnElement[bool]) -> _Statements:
    """The statements.

    Args:
        which: of the rows that say whom requests are about.
        among: the same of requests, so that no plan looks at the tenant's others.
    """
    about, request = t.idempotency_subject.c, t.idempotency.c
    tenant_uid: sa.BindParameter[bytes] = sa.bindparam("of_tenant")
    subject_uid: sa.BindParameter[bytes] = sa.bindparam("of_subject")
    own = (about.tenant_uid == tenant_uid) & (about.subject_uid == subject_uid) & which
    named = sa.tuple_(request.request_id, request.principal_uid).in_(sa.select(about.request_id, about.principal_uid).where(own))
    whole = (request.tenant_uid == tenant_uid) & among & (request.digest != b"")
    # One that was made since the first statement is whole, and must be found later.
    same = (request.request_id == about.request_id) & (request.principal_uid == about.principal_uid)
    forget = t.idempotency_subject.delete().where(own, ~sa.exists().where(whole, same))
    return _Statements(t.idempotency.update().where(whole, named).values(_BLANK), forget)


_ALL = _statements(sa.true(), sa.true())
_BETWEEN = _statements(
    *(c.request_id.between(sa.bindparam("first"), sa.bindparam("last")) for c in (t.idempotency_subject.c, t.idempotency.c))
)
