"""Erasures that a restore undid, done again: the KMS remembers, out of the database's reach, which keys each one destroyed."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.erasing import erase_subject
from vault.store.returned import come_back
from vault.subjects.destroyed_note import read_notes


class Repeated(NamedTuple):
    """A subject that was erased again: by which erasure it had been, and its tokens with their classes."""

    erasure_uid: bytes
    subject_uid: bytes
    tokens: list[tuple[bytes, str]]


def erase_again(connection: sa.Connection, tenant_uid: bytes, destroyed: Mapping[bytes, str]) -> list[Repeated]:
    """Erase, in the connection's transaction, whoever was erased before.

    Args:
        connection: in a transaction that may delete.
        tenant_uid: whose subjects.
        destroyed: as ``KeyManager.destroyed`` gave it.

    Raises:
        VaultError: INTEGRITY, if the KMS holds what is no entry of an erasure, or a key that was destroyed is with somebody who was
            not erased: nothing is erased, since nothing may be left out, and nobody may go by mistake.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    found = come_back(connection, tenant_uid, read_notes(destroyed))
    return [_erase(connection, tenant_uid, subject_uid, found[subject_uid]) for subject_uid in sorted(found)]


def _erase(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes, erasure_uid: bytes) -> Repeated:
    token, item = t.token.c, t.item.c
    own = (token.tenant_uid == tenant_uid) & (token.subject_uid == subject_uid)
    same = (item.tenant_uid == token.tenant_uid) & (item.subject_uid == token.subject_uid) & (item.uid == token.item_uid)
    select = sa.select(token.uid, item.data_class).join_from(t.token, t.item, same).where(own).order_by(token.uid)
    tokens = [(uid, data_class) for uid, data_class in connection.execute(select)]
    erase_subject(connection, tenant_uid, subject_uid)
    return Repeated(erasure_uid, subject_uid, tokens)
