"""Who of the erased is in the tables again, as a restore or whoever edits the database brings them back.

A subject is found by its uid: in a backup that is older than a re-keying it has other keys than those that were destroyed. A key
that was, and is there with somebody who wasn't erased, stops it: one of the two was written by nobody of us.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from vault.errors import VaultError
from vault.kms.tenant_keys import Authority
from vault.store import tables as t
from vault.store.rows import ErasureRow
from vault.store.sealing import fits
from vault.store.states import ErasureState
from vault.v1 import common_pb2

_AT_ONCE = 500
"""Ids in one statement."""


class Erased(NamedTuple):
    """Whom the KMS remembers as erased, each with the erasure; and the keys that were destroyed: ids of 16 bytes."""

    by_subject: Mapping[bytes, bytes]
    key_ids: frozenset[bytes]


def come_back(connection: sa.Connection, tenant_uid: bytes, erased: Erased) -> dict[bytes, bytes]:
    """The erased of whom there is a subject or a key, and by which erasure they were erased.

    Raises:
        VaultError: INTEGRITY, if a key that was destroyed is with somebody who was not erased.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    owners = set(_owners(connection, tenant_uid, erased.key_ids))
    if not owners <= erased.by_subject.keys():
        raise _misplaced()
    return {uid: erased.by_subject[uid] for uid in owners.union(_subjects(connection, tenant_uid, erased.by_subject))}


def are_under_way(connection: sa.Connection, authority: Authority, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> bool:
    """Whether all these erasures have begun and are not done, as their MACs say: any node finishes them.

    What a subject's own row says of it is not asked: whoever edits the database could have somebody pass for one who just goes.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.erasure.c
    begun = set[bytes]()
    for some in _groups(erasure_uids):
        found = connection.execute(sa.select(t.erasure).where(c.tenant_uid == tenant_uid, c.uid.in_(some)))
        rows = map(ErasureRow._make, found)
        begun |= {row.uid for row in rows if row.state == ErasureState.BEGUN and fits(authority, row)}
    return begun.issuperset(erasure_uids)


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
