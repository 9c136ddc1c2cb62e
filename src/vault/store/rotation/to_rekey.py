"""Who is to get a new store key: a tenant's subjects, some at a time, with how far the re-keying of each is and what it moves."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reading.whole_subjects import MAX_ITEMS
from vault.store.reads import STORE

ITEM_BYTES = 32 * 1024
"""An item whose envelope has more weighs as much as several."""


class Due(NamedTuple):
    """A subject with something deleted or replaced since its store key was made; else one that a re-keying has left in between.

    ``weight`` is what the first part of its re-keying weighs, in items.
    """

    uid: bytes
    rekey_due: bool
    weight: int


class Standing(NamedTuple):
    """How far a subject's re-keying is: the version of its newest store key, and whether an older one is there."""

    uid: bytes
    store_key_version: int
    has_older: bool
    weight: int


def due(connection: sa.Connection, tenant_uid: bytes, after: bytes, limit: int) -> list[Due]:
    """The next subjects that are due, in the order of their uids (16 bytes), after one of them.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.subject.c
    wanted = sa.select(c.uid, c.rekey_due, _weight()).where(c.tenant_uid == tenant_uid, c.uid > after, c.rekey_due | _has_older())
    return list(map(Due._make, connection.execute(wanted.order_by(c.uid).limit(limit))))


def following(connection: sa.Connection, tenant_uid: bytes, only: bytes, after: bytes, limit: int) -> list[tuple[bytes, int]]:
    """The next subjects after one, due or not, each with the version of its store key; ``only`` one of them, or empty for all.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.subject.c
    wanted = sa.select(c.uid, c.store_key_version).where(_wanted(tenant_uid, only), c.uid > after).order_by(c.uid).limit(limit)
    return [(uid, version) for uid, version in connection.execute(wanted)]


def count(connection: sa.Connection, tenant_uid: bytes, only: bytes) -> int:
    """How many subjects there are in all; arguments and errors as ``following``."""
    return connection.scalar(sa.select(sa.func.count()).select_from(t.subject).where(_wanted(tenant_uid, only))) or 0


def standing(connection: sa.Connection, tenant_uid: bytes, uids: Iterable[bytes]) -> Mapping[bytes, Standing]:
    """How far those of these subjects are that are still there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.subject.c
    asked = sa.select(c.uid, c.store_key_version, _has_older(), _weight()).where(c.tenant_uid == tenant_uid, c.uid.in_(uids))
    return {row.uid: row for row in map(Standing._make, connection.execute(asked))}


def _wanted(tenant_uid: bytes, only: bytes) -> sa.ColumnElement[bool]:
    c = t.subject.c
    return (c.tenant_uid == tenant_uid) & ((c.uid == only) if only else sa.true())


def _has_older() -> sa.ColumnElement[bool]:
    """Whether a subject has an older store key than its newest: a re-keying in parts was not brought to its end."""
    k, s = t.subject_key.c, t.subject.c
    own = (k.tenant_uid == s.tenant_uid) & (k.subject_uid == s.uid) & (k.kind == STORE)
    return sa.exists().where(own, k.version < s.store_key_version)


def _weight() -> sa.ColumnElement[int]:
    """What the first part of a subject's re-keying weighs, in items; no more of these are looked at than one part has."""
    i, s = t.item.c, t.subject.c
    own = (i.tenant_uid == s.tenant_uid) & (i.subject_uid == s.uid)
    first = sa.select(i.envelope_size).where(own).correlate(t.subject).limit(MAX_ITEMS).subquery()
    heavier = first.c.envelope_size // ITEM_BYTES
    weighed = sa.select(sa.func.coalesce(sa.func.sum(1 + heavier), 0)).correlate(t.subject)
    return sa.cast(weighed.scalar_subquery(), sa.BigInteger)
