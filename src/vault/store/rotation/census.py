"""Counting what still hangs on old keys: before a rotation begins, and at its end, when nothing must be left."""

from typing import NamedTuple

import sqlalchemy as sa

from vault.crypto.envelope import DecryptionError, key_version
from vault.store import tables as t


class Census(NamedTuple):
    """Rows of a tenant under epochs and index keys older than the current ones, or due for a new store key."""

    subject_keys: int
    requests: int
    openings: int
    subjects: int
    aliases: int
    items: int
    rekey_due: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that would keep an old key alive; subjects may have become due for a new key since."""
        return not any(self._replace(rekey_due=0))


def census(connection: sa.Connection, tenant_uid: bytes, epoch: int, index_key_version: int) -> Census:
    """Count what is older than this epoch and this index key.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """

    def count(table: sa.Table, older: sa.ColumnElement[bool]) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.tenant_uid == tenant_uid, older)) or 0

    return Census(
        subject_keys=count(t.subject_key, t.subject_key.c.epoch != epoch),
        requests=_older(connection, t.idempotency.c.digest_key, tenant_uid, epoch),
        openings=_older(connection, t.erasure.c.opening, tenant_uid, epoch),
        subjects=count(t.subject, t.subject.c.index_key_version != index_key_version),
        aliases=count(t.subject_alias, t.subject_alias.c.index_key_version != index_key_version),
        items=count(t.item, t.item.c.index_key_version != index_key_version),
        rekey_due=count(t.subject, t.subject.c.rekey_due),
    )


def _older(connection: sa.Connection, column: "sa.Column[bytes]", tenant_uid: bytes, epoch: int) -> int:
    """Envelopes say themselves by which epoch they were sealed; a day's requests are few."""
    sealed = sa.select(column).where(column.table.c.tenant_uid == tenant_uid, column.is_not(None), column != b"")
    return sum(is_older(envelope, epoch) for envelope in connection.scalars(sealed.execution_options(yield_per=1000)))


def is_older(envelope: bytes, epoch: int) -> bool:
    """Whether an envelope was sealed under another epoch than this one; one that can't be read counts."""
    try:
        return key_version(envelope) != epoch
    except DecryptionError:
        return True
