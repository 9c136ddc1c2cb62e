"""Database errors in the vault's words. Driver texts can hold values and statements, so none is passed on or chained."""

import sqlite3
from typing import Any

import psycopg
import sqlalchemy as sa

from vault.errors import VaultError
from vault.store.writes import RowsSwallowedError, WriteConflictError
from vault.v1 import common_pb2

RETRY_AFTER_S = 1.0

_CONFLICTS = frozenset({"23505", "23503", "40001", "40P01", "55P03"})  # unique, foreign key, serialisation, deadlock, lock
_READ_ONLY = frozenset({"25006", "53100"})  # read-only transaction, disk full
_CANCELLED = "57014"  # statement_timeout
_NOT_ALLOWED = "42501"
_NO_SUCH_TABLE = frozenset({"42P01", "42703"})
_OUTAGES = frozenset(
    {
        common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE,
        common_pb2.ERROR_REASON_DATABASE_READ_ONLY,
        common_pb2.ERROR_REASON_CLOCK_SKEW,
    }
)
_SQLITE_READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})

_DEFECTS = (
    *(sa.exc.DataError, sa.exc.IntegrityError, sa.exc.NotSupportedError, sa.exc.ProgrammingError),
    *(psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError, psycopg.ProgrammingError),
)


class ClockSkewError(Exception):
    """The database's clock and the node's are too far apart to believe either."""


class SlowTransactionError(Exception):
    """A transaction took longer than any may."""


_FORESEEN = (
    sa.exc.DBAPIError,
    sa.exc.TimeoutError,
    psycopg.Error,
    WriteConflictError,
    RowsSwallowedError,
    ClockSkewError,
    SlowTransactionError,
)

DATABASE_ERRORS = (sa.exc.SQLAlchemyError, psycopg.Error)
"""What reading, writing and committing may raise: COPY goes past SQLAlchemy's wrapping."""


def is_conflict(error: Exception) -> bool:
    """Whether another call changed what this one rested on, so that deciding again makes sense."""
    driver = _driver_error(error)
    if isinstance(error, WriteConflictError | sa.exc.IntegrityError):
        return True
    return isinstance(driver, psycopg.Error) and driver.sqlstate in _CONFLICTS


def is_outage(error: Exception) -> bool:
    """Whether the database itself is at fault, so that running each call alone would only fail again, one by one."""
    return not is_defect(error) and translate(error).reason in _OUTAGES


def is_defect(error: Exception) -> bool:
    """Whether what was asked of the database is at fault, or the code that asked: most likely for one call of a group only."""
    if is_conflict(error) or getattr(_driver_error(error), "sqlstate", None) in _NO_SUCH_TABLE:
        return False
    return isinstance(error, _DEFECTS) or not isinstance(error, _FORESEEN)


def is_refused_commit(error: Exception) -> bool:
    """Whether a commit that failed has certainly not happened: SQLite rolls back when the disk is full."""
    return getattr(_driver_error(error), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def translate(error: Exception) -> VaultError:
    """The refusal that stands for a database error. Raise it ``from None``."""
    driver = _driver_error(error)
    if isinstance(error, ClockSkewError):
        return VaultError(
            common_pb2.ERROR_REASON_CLOCK_SKEW, "the clocks of server and database are more than 30 s apart; nothing is served"
        )
    if isinstance(error, RowsSwallowedError):
        return VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            "the database dropped rows it was given, so nothing was done; the operator must investigate",
        )
    if is_conflict(error):
        return VaultError(common_pb2.ERROR_REASON_CONFLICT, "other calls kept changing the same rows; retry the call")
    if isinstance(driver, psycopg.Error) and driver.sqlstate == _CANCELLED:
        return VaultError(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed before anything was written")
    if isinstance(driver, psycopg.Error) and driver.sqlstate in _NO_SUCH_TABLE:
        return VaultError(
            common_pb2.ERROR_REASON_SCHEMA_UNKNOWN, "the database has another schema than this server; run `pdvault db upgrade`"
        )
    if _is_read_only(driver):
        return VaultError(
            common_pb2.ERROR_REASON_DATABASE_READ_ONLY,
            "the database takes no writes, so no call can be audited and nothing is released; make room or make it writable",
            retry_after_s=RETRY_AFTER_S,
        )
    if isinstance(driver, psycopg.Error) and driver.sqlstate == _NOT_ALLOWED:
        problem = "the database refuses its role what the vault needs: the operator grants it by `pdvault db upgrade`"
    else:
        problem = "the database does not answer"
    return VaultError(
        common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE,
        f"{problem}; nothing was written or released, so try again later",
        retry_after_s=RETRY_AFTER_S,
    )


def _driver_error(error: Exception) -> Any:
    return error.orig if isinstance(error, sa.exc.DBAPIError) else error


def _is_read_only(driver: Any) -> bool:
    if isinstance(driver, psycopg.Error):
        return driver.sqlstate in _READ_ONLY
    code = getattr(driver, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _SQLITE_READ_ONLY
