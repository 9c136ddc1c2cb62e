"""An engine that fails on purpose, with what its driver raises: SQLAlchemy's events stand where the database would have its say."""

import time
from typing import Any

import sqlalchemy as sa

from vault.server.faults.catalogue import SLOW_DATABASE_S, Fault, Faults

_FORBID_WRITES = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}
_ALLOW_WRITES = {"sqlite": "PRAGMA query_only = OFF"}
"""Where the other statement outlives its transaction."""


def make_faulty(engine: sa.Engine, faults: Faults) -> None:
    """Have an engine fail as ``faults`` says before each use.

    A transaction under way when the database goes is lost with its next statement, or while it commits.
    """

    def check(*_: Any) -> None:
        if Fault.DB_DOWN in faults():
            raise _lost(engine.dialect)

    def begin(connection: sa.Connection) -> None:
        on = faults()
        if Fault.DB_SLOW in on:
            time.sleep(SLOW_DATABASE_S)
        statements = _FORBID_WRITES if Fault.DB_READ_ONLY in on else _ALLOW_WRITES
        if statement := statements.get(engine.dialect.name):
            connection.exec_driver_sql(statement)

    for event in ("checkout", "before_cursor_execute", "commit"):
        sa.event.listen(engine, event, check)
    sa.event.listen(engine, "begin", begin, insert=True)  # before an SQLite transaction takes the writer's place


def _lost(dialect: sa.Dialect) -> sa.exc.OperationalError:
    """What comes of a connection that broke: an error of the driver without any code."""
    driver: Any = dialect.loaded_dbapi
    return sa.exc.OperationalError("", None, driver.OperationalError("the connection is lost, on purpose"))
