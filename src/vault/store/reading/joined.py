"""The joins that most needs are read by: tokens, names and keys with the subjects and keys that belong to them."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.reading.conditions import same
from vault.store.reads import FIELD, STORE, FieldHeld, Held, Known
from vault.store.rows import AliasRow, ItemRow, SubjectKeyRow, SubjectRow, TokenRow

CURRENT_KEY = same(t.subject, t.subject_key, uid="subject_uid", store_key_version="version") & (t.subject_key.c.kind == STORE)
"""Joins a subject with its current store key."""
KNOWN = sa.select(
    *(column.label(f"{table.name}_{column.name}") for table in (t.subject, t.subject_key) for column in table.c)
).select_from(t.subject.outerjoin(t.subject_key, CURRENT_KEY))
"""Subjects with them."""

_ENVELOPE = sa.case((t.item.c.envelope_size <= sa.bindparam("envelopes"), t.item.c.envelope))
HELD = sa.select(
    *(
        (_ENVELOPE if column is t.item.c.envelope else column).label(f"{table.name}_{column.name}")
        for table in (t.token, t.item, t.subject, t.subject_key)
        for column in table.c
    )
).select_from(
    t.token.join(t.item, same(t.token, t.item, subject_uid="subject_uid", item_uid="uid"))
    .join(t.subject, same(t.item, t.subject, subject_uid="uid"))
    .join(
        t.subject_key,
        same(t.item, t.subject_key, subject_uid="subject_uid", store_key_version="version") & (t.subject_key.c.kind == STORE),
    )
)
"""Tokens with all that stands behind them; no more of an envelope than the parameter ``envelopes`` says."""
ALIASED = sa.select(
    *(column.label(f"{table.name}_{column.name}") for table in (t.subject_alias, t.subject, t.subject_key) for column in table.c)
).select_from(
    t.subject_alias.join(t.subject, same(t.subject_alias, t.subject, subject_uid="uid")).outerjoin(t.subject_key, CURRENT_KEY)
)
"""Other names of subjects, with them and their current store keys."""

_OF_FIELD_KIND = t.subject_key.c.kind == sa.literal_column(f"'{FIELD}'")  # a literal, so that the index of field keys serves it
FIELD_HELD = (
    sa.select(*(column.label(f"{table.name}_{column.name}") for table in (t.subject, t.subject_key) for column in table.c))
    .select_from(t.subject_key.join(t.subject, same(t.subject_key, t.subject, subject_uid="uid")))
    .where(_OF_FIELD_KIND)
)
"""Field keys with the subjects whose they are."""


def known_from(row: Iterable[Any]) -> Known:
    """A row of ``KNOWN``. Instead of a key that is missing stands one that does not open: whose it is can still be erased."""
    cells = iter(row)
    subject = SubjectRow(*islice(cells, len(SubjectRow._fields)))
    key = SubjectKeyRow(*islice(cells, len(SubjectKeyRow._fields)))
    if key.key_id is None:
        key = SubjectKeyRow(subject.tenant_uid, subject.uid, STORE, subject.store_key_version, b"", 0, b"")
    return Known(subject, key)


def held(row: Iterable[Any]) -> Held:
    """A row of ``HELD``."""
    cells = iter(row)
    return Held(
        TokenRow(*islice(cells, len(TokenRow._fields))),
        ItemRow(*islice(cells, len(ItemRow._fields))),
        SubjectRow(*islice(cells, len(SubjectRow._fields))),
        SubjectKeyRow(*cells),
    )


def field_held(row: Iterable[Any]) -> FieldHeld:
    """A row of ``FIELD_HELD``."""
    cells = iter(row)
    return FieldHeld(SubjectRow(*islice(cells, len(SubjectRow._fields))), SubjectKeyRow(*cells))


def aliased(row: Iterable[Any]) -> Known:
    """A row of ``ALIASED``."""
    cells = iter(row)
    alias = AliasRow(*islice(cells, len(AliasRow._fields)))
    return known_from(cells)._replace(alias=alias)
