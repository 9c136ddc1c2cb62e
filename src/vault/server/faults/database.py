"""An engine that fails on purpose, with what its driver raises: SQLAlchemy's events stand where the database would have its say."""

import time
from typing import Any

import sqlalchemy as sa

from vault.server.faults.catalogue import SLOW_DATABASE_S, Fault, Faults


def make_faulty(engine: sa.Engine, faults: Faults) -> None:
    """Have an engine fail as ``faults`` says before each use.

    A transaction under way when the database goes is lost with its next statement, or while it commits.
    """

    def pause(*_: Any) -> None:
        if Fault.DB_SLOW in faults():
            time.sleep(SLOW_DATABASE_S)  # the fault itself

    def lose(*_: Any) -> None:
        if Fault.DB_DOWN in faults():
            raise _lost(engine.dialect)

    def forbid_writes(driver_connection: Any, *_: Any) -> None:
        driver_connection.execute(f"PRAGMA query_only = {Fault.DB_READ_ONLY in faults():d}")

    def begin_without_writes(connection: sa.Connection) -> None:
        if Fault.DB_READ_ONLY in faults():
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    sa.event.listen(engine, "checkout", pause)  # before an SQLite transaction takes the writer's place
    for event in ("checkout", "before_cursor_execute", "commit"):
        sa.event.listen(engine, event, lose)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "checkout", forbid_writes)
    else:
        sa.event.listen(engine, "begin", begin_without_writes)


def _lost(dialect: sa.Dialect) -> sa.exc.OperationalError:
    """What comes of a connection that broke: an error of the driver without any code."""
    driver: Any = dialect.loaded_dbapi
    return sa.exc.OperationalError("", None, driver.OperationalError("the connection is lost, on purpose"))
