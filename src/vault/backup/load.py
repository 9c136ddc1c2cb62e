"""A table's stream of rows (``row_stream``) into an empty table, in whatever transaction the connection is in."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa

from vault.backup.manifest import Table, refusal
from vault.backup.row_stream import StreamError, decode, kind_of

_AT_ONCE = 1000
"""Rows that are in memory at once on their way to SQLite."""
_REFUSED = (sa.exc.DataError, sa.exc.IntegrityError, psycopg.DataError, psycopg.IntegrityError, StreamError)


def check_tables(connection: sa.Connection, tables: Sequence[Table], besides: str) -> None:
    """Refuse tables that are not those of the database, column by column.

    Args:
        connection: of the database.
        tables: as a manifest names them.
        besides: a table of the database that backups don't hold.

    Raises:
        VaultError: INTEGRITY.
    """
    there = sa.inspect(connection)
    wanted = set(there.get_table_names()) - {besides}
    if missing := sorted(wanted - {table.name for table in tables}):
        raise refusal(f"the table {missing[0]} is missing from it")
    if len(tables) != len(wanted):
        raise refusal("it has a table twice, or one that its schema does not know")
    for table in tables:
        columns = sorted((column["name"], kind_of(column["type"])) for column in there.get_columns(table.name))
        if sorted((column.name, column.kind) for column in table.columns) != columns:
            raise refusal(f"the columns of its table {table.name} are not those of its schema")


def load(connection: sa.Connection, table: Table, chunks: Iterable[bytes]) -> None:
    """Insert all rows of a table; ``check_tables`` has looked at its name and columns.

    Raises:
        VaultError: INTEGRITY, if these are no rows of it, or not as many as the manifest says.
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
    """
    try:
        rows = _copy(connection, table, chunks) if connection.dialect.name == "postgresql" else _insert(connection, table, chunks)
    except _REFUSED:  # its text might hold what a row holds
        raise refusal(f"the rows of its table {table.name} are none that the table can have") from None
    if rows != table.rows:
        raise refusal(f"its table {table.name} has {rows} rows instead of {table.rows}")


def _copy(connection: sa.Connection, table: Table, chunks: Iterable[bytes]) -> int:
    cursor = connection.connection.cursor()
    with cursor.copy(f'COPY "{table.name}" ({_names(table)}) FROM STDIN (FORMAT binary)') as copy:
        for chunk in chunks:
            copy.write(chunk)
    return int(cursor.rowcount)


def _insert(connection: sa.Connection, table: Table, chunks: Iterable[bytes]) -> int:
    marks = ", ".join("?" * len(table.columns))
    statement = f'INSERT INTO "{table.name}" ({_names(table)}) VALUES ({marks})'  # noqa: S608  the names are those of our tables
    count = 0
    for rows in _groups(decode([column.kind for column in table.columns], chunks)):
        count += connection.exec_driver_sql(statement, rows).rowcount
    return count


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _groups(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while group := list(itertools.islice(rows, _AT_ONCE)):
        yield group
