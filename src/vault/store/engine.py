"""Engines: PostgreSQL through psycopg 3, and one encrypted SQLite file through SQLCipher.

SQLite is for one process: whoever opens it for writing holds a lock file beside it, and everybody else is refused. Its page key
is given as 32 raw bytes and never appears in a URL.
"""

import fcntl
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher

from vault.crypto.keys import Key
from vault.errors import VaultError
from vault.store.sqlite_turns import TurnTaking
from vault.v1 import common_pb2

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PINNED = {
    "search_path": "public,pg_temp",  # the catalogue comes before both: its clock and its locks are nobody else's functions
    "default_transaction_isolation": r"read\ committed",
    "row_security": "off",  # a policy that hides rows becomes an error
    "synchronous_commit": "on",
}
"""What a connection to PostgreSQL does not leave to whoever may alter the database's or a role's defaults."""
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""For one transaction. As an option of the connection it would leave it asking to write, also of a database that must not."""
_WRITING = "BEGIN IMMEDIATE"
BUSY_S = 10.0
"""How long SQLite waits for another connection's transaction."""

sqlcipher.register_adapter(bytes, bytes)  # else the driver looks for one, in vain, for each parameter: two fifths of a bulk insert


def postgres(url: str) -> sa.Engine:
    """An engine for PostgreSQL; ``url`` begins with ``postgresql+psycopg://``.

    Across a network the server's certificate is verified unless the URL says otherwise (``sslmode``): whoever is on the wire would
    be a database administrator. A peer that has vanished is noticed within seconds, since one lane waits for it. What the URL
    has of ``options`` comes after ``_PINNED``, as for a schema of another name.
    """
    parsed = sa.make_url(url)
    return sa.create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        pool_timeout=5,
        connect_args={"connect_timeout": 5, "tcp_user_timeout": 10_000, "options": _pinned(parsed), **_verified(parsed)},
        hide_parameters=True,  # else they would stand in the text of errors
    )


def _pinned(url: sa.URL) -> str:
    return " ".join([*(f"-c {name}={value}" for name, value in _PINNED.items()), str(url.query.get("options", ""))])


def _verified(url: sa.URL) -> dict[str, str]:
    host = str(url.query.get("host") or url.host or "")
    if not host or host.startswith("/") or host in _LOOPBACK or "sslmode" in url.query:
        return {}
    return {"sslmode": "verify-full", "sslrootcert": str(url.query.get("sslrootcert", "system"))}


def sqlite(path: Path, key: Key) -> sa.Engine:
    """An engine for the SQLCipher file at ``path``, made if it does not exist, with 0600."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    turn = threading.Lock()

    def connect() -> Any:
        connection = TurnTaking(str(path), isolation_level=None, timeout=BUSY_S, check_same_thread=False, turn=turn)
        connection.execute(f"PRAGMA key = \"x'{key.raw.hex()}'\"")
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "temp_store = MEMORY",
            "cache_size = -32768",  # KiB; a page that is not there has to be decrypted
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = sa.create_engine(
        "sqlite://", module=sqlcipher, creator=connect, poolclass=sa.QueuePool, pool_size=4, hide_parameters=True
    )
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def apart(engine: sa.Engine) -> sa.Engine:
    """An engine for the same PostgreSQL with connections of its own, lest who reads much takes those that calls need.

    For SQLite, where connections cost nothing, it is the same one.
    """
    return engine if engine.dialect.name == "sqlite" else postgres(engine.url.render_as_string(hide_password=False))


@contextmanager
def reading(engine: sa.Engine, patience_s: float) -> Iterator[sa.Connection]:
    """A connection for one transaction that only reads: all its statements see one snapshot, and no writer waits for it.

    Args:
        engine: of either database.
        patience_s: how long one statement may take, where the database can be told so.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(_SNAPSHOT)
            connection.execute(sa.select(sa.func.set_config("statement_timeout", str(math.ceil(patience_s * 1000)), True)))
        else:
            connection.execution_options(pdvault_begin="BEGIN")
        yield connection


def _begin_sqlite(connection: sa.Connection) -> None:
    """A transaction takes the writer's place when it begins, lest it finds it taken when it has already read."""
    statement = connection.get_execution_options().get("pdvault_begin", _WRITING)
    driver: Any = connection.connection.driver_connection
    try:
        if statement == _WRITING:
            driver.take_turn()
        connection.exec_driver_sql(statement)
    except sqlcipher.OperationalError as error:
        raise sa.exc.OperationalError(statement, None, error) from None
    except BaseException:
        driver.pass_turn()
        raise


class SingleProcessLock:
    """Held by the one process that has the SQLite file open; released when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            VaultError: DATABASE_UNAVAILABLE if another process holds it.
        """
        self._file = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise VaultError(
                common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE,
                "another process has this SQLite vault open; stop it first, or use PostgreSQL for more than one process",
            ) from None

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._file)
