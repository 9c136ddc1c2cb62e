"""Counting what still hangs on old keys: before a rotation begins, and at its end, when nothing must be left."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.hanging import ON_EPOCHS, ON_INDEX_KEYS


class Census(NamedTuple):
    """Rows of a tenant under epochs and index keys older than the current ones, or due for a new store key.

    The kinds are those of ``vault.store.hanging``.
    """

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
        return not any(self.hanging().values())

    def hanging(self) -> Mapping[str, int]:
        """By kind, what keeps an old key alive: all but the subjects that are due for a new one."""
        return {kind: count for kind, count in self._asdict().items() if kind != "rekey_due"}


def census(connection: sa.Connection, tenant_uid: bytes, epoch: int, index_key_version: int) -> Census:
    """Count what is older than this epoch and this index key.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """

    def count(table: sa.Table, older: sa.ColumnElement[bool]) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.tenant_uid == tenant_uid, older)) or 0

    left = {each.kind: count(each.table, each.is_under_another(epoch)) for each in ON_EPOCHS}
    left |= {each.kind: count(each.table, each.is_under_another(index_key_version)) for each in ON_INDEX_KEYS}
    return Census(**left, rekey_due=count(t.subject, t.subject.c.rekey_due))
