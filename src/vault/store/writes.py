"""The writing half of the runner's transaction: one COPY or ``executemany`` a table.

A row that is replaced or deleted is named by its key *and its old MAC*, which covers all its columns. If the row is no longer in
the state that the decision rested on, another call was faster: the group is rolled back and its calls are decided again.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.blanking import blank_requests
from vault.store.copying import copy_text
from vault.store.erasing import erase_subject
from vault.store.rows import (
    LIVE_STATES,
    TABLES,
    AliasRow,
    HoldRow,
    IdempotencyRow,
    IdempotencySubjectRow,
    ItemRow,
    OperationRow,
    Row,
    SealedRow,
    SubjectKeyRow,
    TenantKeyRow,
    TenantRow,
)


class WriteConflictError(Exception):
    """A row is no longer in the state that the decision rested on."""


class RowsSwallowedError(Exception):
    """The database took fewer rows than it was given, as a trigger can make it do: the call must not go on without its event."""


@dataclass
class Writes:
    """What a call writes. Rows are complete, MACs included.

    An item is deleted with all its tokens; ``dropped`` rows go alone, ``removed`` ones may be gone already; ``erased`` are pairs of
    tenant and subject uid, and so are ``forgotten``, of whom only what their requests did goes; ``keys`` are pairs of a tenant's
    key as it is and as it will be; ``steered`` pairs of an operation and the state that it gets, if it is still in the one that was
    read.
    """

    inserted: list[Row] = field(default_factory=list)
    replaced: list[tuple[SealedRow, SealedRow]] = field(default_factory=list)
    deleted: list[ItemRow] = field(default_factory=list)
    removed: list[IdempotencyRow | IdempotencySubjectRow | SubjectKeyRow] = field(default_factory=list)
    dropped: list[AliasRow | HoldRow] = field(default_factory=list)
    erased: list[tuple[bytes, bytes]] = field(default_factory=list)
    forgotten: list[tuple[bytes, bytes]] = field(default_factory=list)
    keys: list[tuple[TenantKeyRow, TenantKeyRow]] = field(default_factory=list)
    steered: list[tuple[OperationRow, str]] = field(default_factory=list)

    def extend(self, other: "Writes") -> None:
        """Add what another call of the group writes."""
        self.inserted += other.inserted
        self.replaced += other.replaced
        self.deleted += other.deleted
        self.removed += other.removed
        self.dropped += other.dropped
        self.erased += other.erased
        self.forgotten += other.forgotten
        self.keys += other.keys
        self.steered += other.steered

    def changed_keys(self) -> dict[bytes, int]:
        """The tenants whose keys in memory are no longer those that nodes are to have, with the key generation that is new."""
        tenants = ((old, new) for old, new in self.replaced if isinstance(old, TenantRow) and isinstance(new, TenantRow))
        return {old.uid: new.key_generation for old, new in tenants if old.key_generation != new.key_generation}


def apply(connection: sa.Connection, writes: Writes) -> None:
    """Write everything within the connection's transaction.

    Raises:
        WriteConflictError: a row to replace or delete has changed meanwhile.
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: whatever the database says; the runner translates it.
    """
    _apply_lives(connection, writes)
    if writes.deleted:
        _delete_items(connection, writes.deleted)
    for dropped in writes.dropped:
        _drop(connection, TABLES[type(dropped)], dropped)
    replaced = defaultdict[type[Row], list[tuple[SealedRow, SealedRow]]](list)
    for old, new in writes.replaced:
        replaced[type(old)].append((old, new))
    for kind, pairs in replaced.items():
        _replace(connection, TABLES[kind], pairs)
    inserted = defaultdict[type[Row], list[Row]](list)
    for row in writes.inserted:
        inserted[type(row)].append(row)
    for kind in TABLES:
        if inserted[kind]:
            insert(connection, TABLES[kind], inserted[kind])


def _apply_lives(connection: sa.Connection, writes: Writes) -> None:
    """What becomes of keys, long work, erased subjects and requests."""
    for old_key, new_key in writes.keys:
        _change_key(connection, old_key, new_key)
    for operation, state in writes.steered:
        _steer(connection, operation, state)
    for tenant_uid, subject_uid in writes.erased:
        erase_subject(connection, tenant_uid, subject_uid)
    for tenant_uid, subject_uid in writes.forgotten:
        blank_requests(connection, tenant_uid, subject_uid)
    for removable in (IdempotencyRow, IdempotencySubjectRow, SubjectKeyRow):
        _remove(connection, TABLES[removable], [row for row in writes.removed if type(row) is removable])


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows in bulk: COPY on PostgreSQL, ``executemany`` elsewhere.

    Raises:
        RowsSwallowedError: the database took fewer rows than it was given.
    """
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if connection.dialect.name == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
            copy.write(copy_text(table, rows))
        written = cursor.rowcount
    else:
        marks = ", ".join("?" * len(table.columns))
        statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608  names are our own
        written = connection.exec_driver_sql(statement, list(map(tuple, rows))).rowcount
    if written != len(rows):
        raise RowsSwallowedError


def _in_old_state(table: sa.Table) -> sa.ColumnElement[bool]:
    keys = (column == sa.bindparam(f"old_{column.name}") for column in table.primary_key.columns)
    return sa.and_(*keys, table.c.mac == sa.bindparam("old_mac"))


def _old(table: sa.Table, row: SealedRow) -> dict[str, object]:
    return {f"old_{name}": getattr(row, name) for name in (*table.primary_key.columns.keys(), "mac")}


@cache
def _replacement(table: sa.Table) -> sa.Update:
    """Put together once a table, which takes longer than running it."""
    return table.update().where(_in_old_state(table)).values({column.name: sa.bindparam(column.name) for column in table.c})


def _replace(connection: sa.Connection, table: sa.Table, pairs: Sequence[tuple[SealedRow, SealedRow]]) -> None:
    statement = _replacement(table)
    _must_hit(connection.execute(statement, [_old(table, old) | new._asdict() for old, new in pairs]), len(pairs))


def _delete_items(connection: sa.Connection, items: Sequence[ItemRow]) -> None:
    _must_hit(
        connection.execute(t.item.delete().where(_in_old_state(t.item)), [_old(t.item, item) for item in items]),
        len(items),
    )
    tokens = t.token.delete().where(
        t.token.c.tenant_uid == sa.bindparam("tenant"),
        t.token.c.subject_uid == sa.bindparam("subject"),
        t.token.c.item_uid == sa.bindparam("item"),
    )
    connection.execute(tokens, [{"tenant": i.tenant_uid, "subject": i.subject_uid, "item": i.uid} for i in items])


def _drop(connection: sa.Connection, table: sa.Table, row: AliasRow | HoldRow) -> None:
    _must_hit(connection.execute(table.delete().where(_in_old_state(table)), _old(table, row)), 1)


def _change_key(connection: sa.Connection, old: TenantKeyRow, new: TenantKeyRow) -> None:
    same = (column == getattr(old, column.name) for column in t.tenant_key.columns)
    _must_hit(connection.execute(t.tenant_key.update().where(*same).values(new._asdict())), 1)


def _steer(connection: sa.Connection, operation: OperationRow, state: str) -> None:
    c = t.operation.c
    same = (c.tenant_uid == operation.tenant_uid) & (c.uid == operation.uid) & (c.state == operation.state)
    live_kind = operation.live_kind if state in LIVE_STATES else None
    steered = t.operation.update().where(same).values(state=state, live_kind=live_kind)
    _must_hit(connection.execute(steered), 1)


def _remove(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        where = sa.and_(*(column == sa.bindparam(f"old_{column.name}") for column in table.primary_key.columns))
        names = table.primary_key.columns.keys()
        connection.execute(table.delete().where(where), [{f"old_{n}": getattr(row, n) for n in names} for row in rows])


def _must_hit(result: sa.CursorResult[object], count: int) -> None:
    if result.rowcount != count:
        raise WriteConflictError
