"""Erasures that a restore undid, done again: the KMS remembers, out of the database's reach, which keys each one destroyed.

A subject is found by its uid: in a backup that is older than a re-keying it has other keys than those that were destroyed. A key
that was, and is there with somebody who wasn't erased, stops it: one of the two was written by nobody of us.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.erasing import erase_subject
from vault.store.states import SubjectState
from vault.subjects.destroyed_note import read_note
from vault.v1 import common_pb2

_AT_ONCE = 500
"""Ids in one statement."""


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
    found = come_back(connection, tenant_uid, destroyed)
    return [_erase(connection, tenant_uid, subject_uid, found[subject_uid]) for subject_uid in sorted(found)]


def is_any_back(connection: sa.Connection, tenant_uid: bytes, destroyed: Mapping[bytes, str]) -> bool:
    """Whether somebody who was erased is there again; an erasure that is under way, which any node finishes, does not count.

    Raises:
        VaultError: INTEGRITY, as ``erase_again``.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.subject.c
    select = sa.select(c.uid).where(c.tenant_uid == tenant_uid, c.state == SubjectState.ERASING)
    return not come_back(connection, tenant_uid, destroyed).keys() <= set(connection.scalars(select))


def come_back(connection: sa.Connection, tenant_uid: bytes, destroyed: Mapping[bytes, str]) -> dict[bytes, bytes]:
    """The erased of whom there is a subject or a key, and by which erasure they were erased.

    Raises:
        VaultError: INTEGRITY, as ``erase_again``.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    by_subject, gone = dict[bytes, bytes](), set[bytes]()
    for erasure_uid, text in destroyed.items():
        subject_uid, key_ids = read_note(erasure_uid, text)
        by_subject[subject_uid] = erasure_uid
        gone.update(key_ids)
    owners = set(_owners(connection, tenant_uid, gone))
    if not owners <= by_subject.keys():
        raise _misplaced()
    return {uid: by_subject[uid] for uid in owners.union(_subjects(connection, tenant_uid, by_subject))}


def subjects_of(destroyed: Mapping[bytes, str]) -> Iterator[bytes]:
    """The subjects that these entries say were erased.

    Raises:
        VaultError: INTEGRITY, if one can't be read.
    """
    return (read_note(erasure_uid, text).subject_uid for erasure_uid, text in destroyed.items())


def _erase(connection: sa.Connection, tenant_uid: bytes, subject_uid: bytes, erasure_uid: bytes) -> Repeated:
    token, item = t.token.c, t.item.c
    own = (token.tenant_uid == tenant_uid) & (token.subject_uid == subject_uid)
    same = (item.tenant_uid == token.tenant_uid) & (item.subject_uid == token.subject_uid) & (item.uid == token.item_uid)
    select = sa.select(token.uid, item.data_class).join_from(t.token, t.item, same).where(own).order_by(token.uid)
    tokens = [(uid, data_class) for uid, data_class in connection.execute(select)]
    erase_subject(connection, tenant_uid, subject_uid)
    return Repeated(erasure_uid, subject_uid, tokens)


def _subjects(connection: sa.Connection, tenant_uid: bytes, uids: Iterable[bytes]) -> Iterator[bytes]:
    c = t.subject.c
    for some in _groups(uids):
        yield from connection.scalars(sa.select(c.uid).where(c.tenant_uid == tenant_uid, c.uid.in_(some)))


def _owners(connection: sa.Connection, tenant_uid: bytes, key_ids: Iterable[bytes]) -> Iterator[bytes]:
    """With whom these keys are, as far as they are there."""
    c = t.subject_key.c
    for some in _groups(key_ids):
        yield from connection.scalars(sa.select(c.subject_uid).where(c.tenant_uid == tenant_uid, c.key_id.in_(some)))


def _misplaced() -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        "a key that was destroyed is in the database again, with a subject that was not erased; nobody was erased again, and "
        "nothing is served; the operator must investigate",
    )


def _groups(uids: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(uids)
    while group := list(islice(rest, _AT_ONCE)):
        yield group
