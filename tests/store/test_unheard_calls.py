"""Each call leaves an event of its own or is reported as one that could not, whatever happens to the database meanwhile."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.store.test_database_faults import at, log_is_whole, lose_after, lose_before, quiet, reasons_of, store
from tests.use_cases.inside import PATIENCE_S, Inside
from tests.use_cases.requests import delete, describe, new_email, new_subject, reveal, tokenize

from vault.errors import VaultError
from vault.store import tables as t
from vault.store import writes
from vault.store.writes import insert
from vault.v1 import audit_pb2

UNKNOWN = "ema_000000000000000000000000003"


@contextmanager
def reported(vault: Inside) -> Iterator[Counter[tuple[str, str]]]:
    """Fills in (method, reason) of the calls that are reported in the block."""
    found: Counter[tuple[str, str]] = Counter()
    runner = vault.node.runner
    before = runner.on_unheard
    runner.on_unheard = lambda call, reason: found.update([(call.action, reason)])
    yield found
    runner.on_unheard = before


def four(vault: Inside, token: str) -> list[Any]:
    """Calls that are allowed, denied and failed."""
    requests = (reveal(token), tokenize((new_subject(), "email", new_email())), delete(UNKNOWN))
    return [*(vault.call(request) for request in requests), vault.call(reveal(token), "masked")]


def test_what_is_allowed_denied_or_failed_has_its_event(open_vault: Inside) -> None:
    calls = four(open_vault, store(open_vault))
    with reported(open_vault) as found, open_vault.events() as events:
        answers = open_vault.answers(calls)
    assert reasons_of(answers) == ["", "", "TOKEN_NOT_FOUND", "POLICY_DENIED"]
    assert [event.action for event in events] == ["Reveal", "Tokenize", "Delete", "Reveal"]
    assert not found


def test_keys_that_are_missing_are_no_end_of_a_call(open_vault: Inside) -> None:
    call = open_vault.call(describe(store(open_vault)))
    open_vault.node.keys.clear()
    with reported(open_vault) as found, open_vault.events() as events:
        assert reasons_of(open_vault.answers([call])) == [""]
    assert [event.action for event in events] == ["Describe"]
    assert not found


def test_a_call_whose_deadline_passed_before_it_began_is_reported(open_vault: Inside) -> None:
    token = store(open_vault)
    with reported(open_vault) as found, open_vault.events() as events:
        late, ready = open_vault.call(reveal(token), seconds=0.0), open_vault.call(describe(token))
        assert reasons_of(open_vault.answers([late, ready])) == ["DEADLINE_EXCEEDED", ""]
    assert [event.action for event in events] == ["Describe"]
    assert found == {("Reveal", "DEADLINE_EXCEEDED"): 1}


@pytest.mark.parametrize("lose", [lose_before, lose_after])
def test_calls_of_an_uncertain_commit_are_reported_and_the_next_boot_names_the_one_it_ended(open_vault: Inside, lose: Any) -> None:
    token, runner = store(open_vault), open_vault.node.runner
    calls = four(open_vault, token)
    ended = runner.chain.boot_id
    with reported(open_vault) as found, at(open_vault.engine, "commit", quiet(lose)), open_vault.events() as events:
        answers = runner.run(calls)
    assert not any(isinstance(answer, bytes) for answer in answers)
    assert found == {("Reveal", "COMMIT_UNCERTAIN"): 2, ("Tokenize", "COMMIT_UNCERTAIN"): 1, ("Delete", "COMMIT_UNCERTAIN"): 1}
    assert len(events) == (4 if lose is lose_after else 0)
    assert open_vault.ask(reveal(token))
    assert runner.chain.boot_id != ended
    started = [event for event in boot_events(open_vault, runner.chain.boot_id) if event.action == "BootStarted"]
    assert [dict(event.details) for event in started] == [{"after": ended.hex()}]
    assert log_is_whole(open_vault)


def test_a_boot_that_follows_a_clean_end_names_no_other(open_vault: Inside) -> None:
    store(open_vault)
    open_vault.node.runner.end()
    store(open_vault)
    (started,) = [e for e in boot_events(open_vault, open_vault.node.runner.chain.boot_id) if e.action == "BootStarted"]
    assert not started.details


def boot_events(vault: Inside, boot_id: bytes) -> list[audit_pb2.AuditEvent]:
    return [audit_pb2.AuditEvent.FromString(row.leaf) for row in vault.leaves() if row.boot_id == boot_id]


def full(vault: Inside) -> Exception:
    """What the driver says when the disk is full."""
    if vault.is_postgres:
        return psycopg.errors.DiskFull("could not extend file")
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize("when", ["writing", "committing"])
def test_a_disk_that_is_full_releases_nothing_and_each_call_is_reported_once(open_vault: Inside, when: str) -> None:
    token = store(open_vault, max_reveals=1)
    calls = four(open_vault, token)
    before = open_vault.count()

    def fail(*_: Any) -> None:
        raise sa.exc.OperationalError("", None, full(open_vault))

    def insert_or_fail(connection: sa.Connection, table: sa.Table, rows: Any) -> None:
        fail() if table is t.audit_pending else insert(connection, table, rows)

    open_vault.keys()
    with pytest.MonkeyPatch.context() as patch, reported(open_vault) as found, ExitStack() as failing:
        if when == "writing":
            patch.setattr(writes, "insert", insert_or_fail)
        else:
            failing.enter_context(at(open_vault.engine, "commit", fail))
        answers = open_vault.node.runner.run(calls)
    uncertain = when == "committing" and open_vault.is_postgres
    assert set(reasons_of(answers)) == {"DATABASE_UNAVAILABLE" if uncertain else "DATABASE_READ_ONLY"}
    assert {reason for _, reason in found} == {"COMMIT_UNCERTAIN" if uncertain else "DATABASE_READ_ONLY"}
    assert found.total() == len(calls)
    assert open_vault.count() == before
    assert open_vault.ask(reveal(token))
    assert log_is_whole(open_vault)


def test_calls_that_wait_for_a_locked_log_are_reported_and_consume_nothing(open_vault: Inside) -> None:
    token = store(open_vault, max_reveals=1)
    seconds = 0.3 if open_vault.is_postgres else PATIENCE_S
    calls = [open_vault.call(reveal(token), seconds=seconds), open_vault.call(describe(token), seconds=seconds)]
    with reported(open_vault) as found, locked(open_vault):
        answers = open_vault.answers(calls)
    reason = "DEADLINE_EXCEEDED" if open_vault.is_postgres else "DATABASE_UNAVAILABLE"
    assert reasons_of(answers) == [reason] * 2
    assert found == {("Reveal", reason): 1, ("Describe", reason): 1}
    assert open_vault.ask(reveal(token))


@contextmanager
def locked(vault: Inside) -> Iterator[None]:
    """Nobody else can write events; on SQLite, which has one writer, nobody can write at all."""
    with vault.engine.connect() as other, other.begin():
        if vault.is_postgres:
            other.exec_driver_sql(f"LOCK TABLE {t.audit_pending.name} IN EXCLUSIVE MODE")
            yield
        else:
            with at(vault.engine, "checkout", lambda dbapi, *_: dbapi.execute("PRAGMA busy_timeout = 100")):
                yield
    vault.engine.dispose()  # connections that wait as long as they should


def test_a_call_that_can_be_neither_run_nor_noted_is_reported(open_vault: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    call = open_vault.call(describe(store(open_vault)))

    def broken(*_: Any) -> None:
        raise TypeError("nobody foresaw this")

    monkeypatch.setattr("vault.store.runner.fetch", broken)
    with reported(open_vault) as found:
        (answer,) = open_vault.answers([call])
    assert isinstance(answer, VaultError)
    assert answer.reason_name == "INTERNAL"
    assert found == {("Describe", "INTERNAL"): 1}
