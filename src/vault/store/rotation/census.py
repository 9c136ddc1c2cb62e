"""Counting what still hangs on old keys: before a rotation begins, and at its end, when nothing must be left."""

from typing import NamedTuple

import sqlalchemy as sa

from vault.crypto.envelope import opening_bytes
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
        subject_keys=count(t.subject_key, under_older_epoch(epoch)),
        requests=count(t.idempotency, under_another(t.idempotency.c.digest_key, epoch)),
        openings=count(t.erasure, under_another(t.erasure.c.opening, epoch)),
        subjects=count(t.subject, t.subject.c.index_key_version != index_key_version),
        aliases=count(t.subject_alias, t.subject_alias.c.index_key_version != index_key_version),
        items=count(t.item, t.item.c.index_key_version != index_key_version),
        rekey_due=count(t.subject, t.subject.c.rekey_due),
    )


def under_older_epoch(epoch: int) -> sa.ColumnElement[bool]:
    """Whether a subject key is under another epoch, or its row says so: the row is under no MAC, its envelope is bound to all."""
    c = t.subject_key.c
    return (c.epoch != epoch) | under_another(c.wrapped, epoch)


def under_another(column: "sa.ColumnElement[bytes]", epoch: int) -> sa.ColumnElement[bool]:
    """Whether an envelope was sealed under another epoch than this one; one that can't be read counts, one that was taken away not.

    Envelopes say so themselves, in their first bytes.
    """
    begins = opening_bytes(epoch)
    return column.is_not(None) & (column != b"") & (sa.func.substr(column, 1, len(begins)) != begins)
