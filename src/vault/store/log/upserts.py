"""Rows of a log that may be there already: what takes their place, or is added to them.

Statements are put together once a table and kind of database: that takes longer than running them on the few rows of a round.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vault.store import tables as t
from vault.store.log.rows import BootRow, CountRow, FacetRow
from vault.store.writes import RowsSwallowedError


def insert_facets(connection: sa.Connection, rows: Sequence[FacetRow]) -> None:
    """Insert those that are not there yet."""
    if rows:
        connection.execute(_facets(connection.dialect.name), [row._asdict() for row in rows])


def add_counts(connection: sa.Connection, rows: Sequence[CountRow]) -> None:
    """Insert counts; those that are there already are added up.

    Raises:
        RowsSwallowedError: the database took fewer.
    """
    _upsert(connection, _counts(connection.dialect.name), rows)


def put_boots(connection: sa.Connection, rows: Sequence[BootRow]) -> None:
    """Insert boots; their progress takes the place of what is there.

    Raises:
        RowsSwallowedError: the database took fewer.
    """
    _upsert(connection, _boots(connection.dialect.name), rows)


def _upsert(connection: sa.Connection, statement: Any, rows: Sequence[CountRow | BootRow]) -> None:
    if rows:
        rowcount = {"preserve_rowcount": True}
        written = connection.execute(statement, [row._asdict() for row in rows], execution_options=rowcount).rowcount
        if written != len(rows):
            raise RowsSwallowedError


@lru_cache
def _facets(dialect: str) -> Any:
    return _insert(dialect, t.audit_facet).on_conflict_do_nothing()


@lru_cache
def _counts(dialect: str) -> Any:
    table, statement = t.audit_count, _insert(dialect, t.audit_count)
    sums = {name: table.c[name] + statement.excluded[name] for name in ("events", "items")}
    return statement.on_conflict_do_update(index_elements=table.primary_key.columns.keys(), set_=sums)


@lru_cache
def _boots(dialect: str) -> Any:
    table, statement = t.audit_boot, _insert(dialect, t.audit_boot)
    keys = table.primary_key.columns.keys()
    changes = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def _insert(dialect: str, table: sa.Table) -> Any:
    module: Any = postgresql if dialect == "postgresql" else sqlite
    return module.insert(table)
