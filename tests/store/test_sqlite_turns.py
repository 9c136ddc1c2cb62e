"""Writers of one SQLite file take turns, and however a transaction ends, the next one's turn comes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlcipher3 import dbapi2 as sqlcipher

from vault.crypto.keys import Key
from vault.store import engine as engines
from vault.store.engine import reading
from vault.store.sqlite_turns import TurnTaking

WRITERS, EACH = 8, 25


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = engines.sqlite(tmp_path / "some.db", Key.generate())
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE number (value INTEGER PRIMARY KEY)")
    yield engine
    engine.dispose()


def add(engine: sa.Engine, value: int) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO number VALUES (?)", (value,))


def numbers(engine: sa.Engine) -> int:
    with reading(engine, 1.0) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM number").scalar_one())


def test_all_who_write_at_once_come_to_their_turn(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        threads = [pool.submit(lambda first: [add(engine, first + n) for n in range(EACH)], who * EACH) for who in range(WRITERS)]
        for thread in threads:
            thread.result(60)
    assert numbers(engine) == WRITERS * EACH


def test_who_only_reads_does_not_wait_for_a_writer(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO number VALUES (1)")
        assert numbers(engine) == 0
    assert numbers(engine) == 1


@pytest.mark.parametrize("end", ["rollback", "close", "invalidate", "error"])
def test_however_a_transaction_ends_the_next_one_can_begin(engine: sa.Engine, end: str) -> None:
    connection = engine.connect()
    connection.begin()
    connection.exec_driver_sql("INSERT INTO number VALUES (1)")
    if end == "error":
        with pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql("INSERT INTO number VALUES (1)")
        connection.close()
    else:
        getattr(connection, end)()
    add(engine, 2)
    assert numbers(engine) == 1
    connection.close()


def test_a_commit_that_fails_keeps_the_turn_only_until_its_transaction_is_over(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE child (value INTEGER REFERENCES number DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO child VALUES (7)")
    add(engine, 7)
    assert numbers(engine) == 1


def test_whoever_waits_too_long_is_told_that_the_database_is_locked(engine: sa.Engine) -> None:
    with impatient(engine), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO number VALUES (1)")
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            add(engine, 2)
    add(engine, 2)
    assert numbers(engine) == 2


def test_another_process_s_transaction_does_not_keep_the_turn(tmp_path: Path) -> None:
    key = Key.generate()
    ours, theirs = (engines.sqlite(tmp_path / "one.db", key) for _ in range(2))
    with theirs.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE number (value INTEGER PRIMARY KEY)")
        with impatient(ours), pytest.raises(sa.exc.OperationalError, match="locked"):
            add(ours, 1)
    add(ours, 1)
    assert numbers(theirs) == 1
    ours.dispose()
    theirs.dispose()


@contextmanager
def impatient(engine: sa.Engine) -> Iterator[None]:
    """Nobody waits for others for more than a moment."""

    def hurry(driver: sqlcipher.Connection, *_: object) -> None:
        driver.execute("PRAGMA busy_timeout = 50")

    sa.event.listen(engine, "checkout", hurry)
    yield
    sa.event.remove(engine, "checkout", hurry)


def test_a_turn_is_passed_on_once(tmp_path: Path) -> None:
    turn = threading.Lock()
    first, second = (TurnTaking(str(tmp_path / "plain.db"), isolation_level=None, turn=turn) for _ in range(2))
    first.take_turn()
    first.commit()
    second.take_turn()
    first.close()
    assert turn.locked()
    second.close()
    assert not turn.locked()
