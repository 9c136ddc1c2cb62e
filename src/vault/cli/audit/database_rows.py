"""Reading a vault's tables to compare them with its log: one snapshot, row by row, with SQL of its own; and what is found wrong."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from vault.server.backends import postgres_engine
from vault.server.config import DatabaseSettings, load, postgres_url

Row = Any
"""A row with its columns as attributes and by number, whose types the statement decides."""

_SNAPSHOT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "sqlite": {"pdvault_begin": "BEGIN"},  # where the engine begins a transaction that writes (vault.store.engine)
}
_MAX_NAMED = 20


class Findings:
    """What is wrong with a tenant's rows: the first ones in words, all of them in number."""

    def __init__(self, tenant_uid: bytes) -> None:
        self.named: list[str] = []
        self.count = 0
        self._tenant = tenant_uid.hex()

    @property
    def unnamed(self) -> int:
        """How many there are besides those in words."""
        return self.count - len(self.named)

    def add(self, table: str, what: str) -> None:
        """Note something."""
        self.count += 1
        if len(self.named) < _MAX_NAMED:
            self.named.append(f"{table} of tenant {self._tenant}: {what}")


@contextmanager
def snapshot(url: str | None, config_file: Path | None) -> Iterator[sa.Connection]:
    """A connection of which all statements see the same moment, and none of which writes.

    Args:
        url: of a PostgreSQL, with a role that may read all tables.
        config_file: instead: a vault's configuration. Its KMS is asked only for the key of an SQLite file, of which no server
            must be running.

    Raises:
        UsageError: the URL can't be used.
        ConfigError: the configuration can't be used.
        VaultError: the KMS does not answer, or a server has the SQLite file.
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    with ExitStack() as stack:
        engine = _engine(url, config_file, stack)
        connection = stack.enter_context(engine.connect())
        connection.execution_options(**_SNAPSHOT[engine.dialect.name])
        yield connection


def _engine(url: str | None, config_file: Path | None, stack: ExitStack) -> sa.Engine:
    if url is not None:
        try:
            database = DatabaseSettings(url=postgres_url(url))
        except ValueError:  # its text might hold a password
            raise click.UsageError("--database must be a URL like postgresql+psycopg://user@host:5432/vault") from None
    else:
        config = load(config_file or Path())
        database = config.database
        if database.sqlite_file:
            from vault.cli.opening import opened

            return stack.enter_context(opened(config)).engine
    engine = postgres_engine(database)
    stack.callback(engine.dispose)
    return engine


def select(connection: sa.Connection, statement: str, tenant_uid: bytes) -> Iterator[Row]:
    """The rows of a statement with the parameter ``tenant``, fetched as they are asked for."""
    options = {"stream_results": True, "yield_per": 1000}
    return iter(connection.execute(sa.text(statement), {"tenant": tenant_uid}, execution_options=options))


class ByIndex:
    """Rows in the order of their column ``leaf_index``, given out to whoever goes through the log in the same order."""

    def __init__(self, rows: Iterator[Row], table: str, findings: Findings) -> None:
        self._groups = groupby(rows, lambda row: int(row.leaf_index))
        self._table = table
        self._findings = findings
        self._ahead: tuple[int, list[Row]] | None = None
        self._advance()

    def take(self, index: int) -> list[Row]:
        """The rows of an entry. Those of entries before it that nobody asked for are of none."""
        while self._ahead and self._ahead[0] < index:
            self._drop()
        if self._ahead and self._ahead[0] == index:
            rows = self._ahead[1]
            self._advance()
            return rows
        return []

    def rest(self) -> Iterator[tuple[int, list[Row]]]:
        """What nobody has taken, entry by entry."""
        while self._ahead:
            yield self._ahead
            self._advance()

    def drop_rest(self) -> None:
        """Note that all that is left belongs to no entry."""
        while self._ahead:
            self._drop()

    def _drop(self) -> None:
        if self._ahead:
            self._findings.add(self._table, f"there is no entry {self._ahead[0]} in the log, and yet a row")
            self._advance()

    def _advance(self) -> None:
        index, rows = next(self._groups, (None, None))
        self._ahead = None if index is None or rows is None else (index, list(rows))
