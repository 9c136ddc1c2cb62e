"""How far a subject's re-keying is, and how much it moves: what whoever queries subjects asks of each besides."""

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.queries_everything import MAX_ITEMS
from vault.store.reads import STORE

ITEM_BYTES = 32 * 1024
"""An item whose envelope has more weighs as much as several."""


def has_older_key() -> sa.ColumnElement[bool]:
    """Whether a subject has an older store key than its newest: a re-keying in parts was not brought to its end."""
    k, s = t.subject_key.c, t.subject.c
    own = (k.tenant_uid == s.tenant_uid) & (k.subject_uid == s.uid) & (k.kind == STORE)
    return sa.exists().where(own, k.version < s.store_key_version)


def weight() -> sa.ColumnElement[int]:
    """What the first part of a subject's re-keying weighs, in items; no more of these are looked at than one part has."""
    i, s = t.item.c, t.subject.c
    own = (i.tenant_uid == s.tenant_uid) & (i.subject_uid == s.uid)
    first = sa.select(i.envelope_size).where(own).correlate(t.subject).limit(MAX_ITEMS).subquery()
    heavier = first.c.envelope_size // ITEM_BYTES
    weighed = sa.select(sa.func.coalesce(sa.func.sum(1 + heavier), 0)).correlate(t.subject)
    return sa.cast(weighed.scalar_subquery(), sa.BigInteger)
