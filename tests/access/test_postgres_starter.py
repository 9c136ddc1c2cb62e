"""The PostgreSQL that tests and the demo use starts, stops, dies and comes back with its data."""

import os
import stat
from pathlib import Path

import pytest
from deploy.local_stack.postgres import PostgresError, PostgresServer
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def test_data_survives_a_shutdown_and_a_crash_and_ends_with_the_server():
    with PostgresServer() as server:
        url = server.create_database("vault")
        run(url, "CREATE TABLE kept (number int)")
        for end in (server.stop, server.kill):
            run(url, "INSERT INTO kept SELECT count(*) FROM kept")
            end()
            with pytest.raises(OperationalError):
                run(url, "SELECT 1")
            server.start()
        assert run(url, "SELECT number FROM kept ORDER BY number") == [(0,), (1,)]
        with pytest.raises(PostgresError, match="already"):
            server.start()

        server.create_role("serving")
        with pytest.raises(ProgrammingError, match="permission denied"):
            run(server.url("vault", "serving"), "SELECT * FROM kept")
        run(url, "GRANT SELECT ON kept TO serving")
        assert len(run(server.url("vault", "serving"), "SELECT * FROM kept")) == 2
        with pytest.raises(ProgrammingError, match="permission denied"):
            run(server.url("vault", "serving"), "DELETE FROM kept")

        folder = Path(str(make_url(url).query["host"]))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert run(url, "SHOW listen_addresses") == [("",)]
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_open():
    before = os.listdir("/proc/self/fd")
    with pytest.raises(PostgresError, match="no_such_setting"), PostgresServer({"no_such_setting": "1"}):
        pass
    assert len(os.listdir("/proc/self/fd")) == len(before)
