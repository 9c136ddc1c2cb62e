"""Erasures that a restore undid, done again: the KMS remembers, out of the database's reach, which keys each one destroyed.

A subject is found by its uid and by the ids of its keys: in a backup that is older than a re-keying it has others than those that
were destroyed, and the same uid.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import sqlalchemy as sa

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.erasing import erase_subject
from vault.v1 import common_pb2

_UID_BYTES = 16
_AT_ONCE = 500
"""Ids in one statement."""


def erase_again(connection: sa.Connection, tenant_uid: bytes, destroyed: Mapping[bytes, str]) -> list[bytes]:
    """Erase, in the connection's transaction, whoever was erased before; answers their uids, in order.

    Args:
        connection: in a transaction that may delete.
        tenant_uid: whose subjects.
        destroyed: as ``KeyManager.destroyed`` gave it.

    Raises:
        VaultError: INTEGRITY, if the KMS holds what is no entry of an erasure: nothing is erased, since nothing could be left out.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    entries = [_parse(erasure_uid, text) for erasure_uid, text in destroyed.items()]
    subject_uids = [subject_uid for subject_uid, _ in entries]
    key_ids = [key_id for _, some in entries for key_id in some]
    found = sorted({*_subjects(connection, tenant_uid, subject_uids), *_owners(connection, tenant_uid, key_ids)})
    for subject_uid in found:
        erase_subject(connection, tenant_uid, subject_uid)
    return found


def _subjects(connection: sa.Connection, tenant_uid: bytes, uids: Sequence[bytes]) -> Iterator[bytes]:
    c = t.subject.c
    for some in _groups(uids):
        yield from connection.scalars(sa.select(c.uid).where(c.tenant_uid == tenant_uid, c.uid.in_(some)))


def _owners(connection: sa.Connection, tenant_uid: bytes, key_ids: Sequence[bytes]) -> Iterator[bytes]:
    c = t.subject_key.c
    for some in _groups(key_ids):
        yield from connection.scalars(sa.select(c.subject_uid).where(c.tenant_uid == tenant_uid, c.key_id.in_(some)))


def _groups(uids: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(uids)
    while group := list(islice(rest, _AT_ONCE)):
        yield group


def _parse(erasure_uid: bytes, text: str) -> tuple[bytes, list[bytes]]:
    try:
        said = json.loads(text)
        subject_uid, key_ids = bytes.fromhex(said["subject_uid"]), [bytes.fromhex(key_id) for key_id in said["key_ids"]]
        if any(len(uid) != _UID_BYTES for uid in (subject_uid, *key_ids)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"what the KMS remembers of the erasure {erasure_uid.hex()} can't be read; nothing was erased again, and nothing is "
            "served; the operator must investigate",
        ) from None
    return subject_uid, key_ids
