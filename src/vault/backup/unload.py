"""A table's rows as one stream (``row_stream``), read in whatever transaction the connection is in."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from vault.backup.row_stream import HEADER, TRAILER, encode, kind_of

_AT_ONCE = 1000
"""Rows of SQLite that are in memory at once."""
_PIECE = 1 << 20


def unload(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[bytes, int]]:
    """The stream in pieces of about 1 MiB, each with the number of rows that have come so far.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
    """
    pieces = _copied(connection, table) if connection.dialect.name == "postgresql" else _encoded(connection, table)
    held, rows = bytearray(), 0
    for data, rows in pieces:
        held += data
        if len(held) >= _PIECE:
            yield bytes(held), rows
            held.clear()
    yield bytes(held), rows


def _copied(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[bytes, int]]:
    cursor = connection.connection.cursor()
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = 0
    with cursor.copy(f'COPY "{table.name}" ({names}) TO STDOUT (FORMAT binary)') as copy:
        for data in copy:  # a message a row: the first one holds the header too, the last one is the trailer
            yield bytes(data), rows
            rows += 1
    yield b"", cursor.rowcount


def _encoded(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[bytes, int]]:
    kinds, rows = [kind_of(column.type) for column in table.columns], 0
    yield HEADER, rows
    options: dict[str, Any] = {"stream_results": True, "yield_per": _AT_ONCE}
    for some in connection.execute(sa.select(table), execution_options=options).partitions():
        rows += len(some)
        yield encode(kinds, some), rows
    yield TRAILER, rows


def count(connection: sa.Connection, table: sa.Table) -> int:
    """How many rows a table has."""
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
