"""What the runner does not believe of its database: its clock, that it kept what it was given, and that a key names one row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from tests.use_cases.inside import Inside
from tests.use_cases.requests import describe, new_email, new_subject, reveal, tokenize, tokens_of, update

from vault.audit.chain import MAX_SKEW_S, Chain
from vault.errors import VaultError
from vault.store import tables as t
from vault.store.runner import Runner
from vault.store.writes import insert


def store(vault: Inside, **fields: Any) -> str:
    """The token of one new e-mail address."""
    return tokens_of(vault.ask(tokenize((new_subject(), "email", new_email()), **fields)))[0]


def reasons_of(answers: Any) -> list[str]:
    """The reason of each refusal."""
    return [answer.reason_name if isinstance(answer, VaultError) else "" for answer in answers]


@pytest.mark.parametrize("ahead_s", [-MAX_SKEW_S - 5, MAX_SKEW_S + 5])
def test_while_its_clock_is_far_from_ours_nothing_is_served(open_vault: Inside, ahead_s: float) -> None:
    token = store(open_vault)
    with open_vault.engine.connect() as connection:
        now = "clock_timestamp()" if open_vault.is_postgres else "unixepoch('subsec')"
        seconds = f"extract(epoch FROM {now})" if open_vault.is_postgres else now
        database_s = float(connection.exec_driver_sql(f"SELECT {seconds}").scalar_one())
    node = open_vault.node
    skewed = Runner(open_vault.engine, node.keys, lambda: node.runner.chain, lambda: database_s + ahead_s)
    before = open_vault.count()
    calls = [open_vault.call(reveal(token)), open_vault.call(describe(token))]
    open_vault.keys()
    assert reasons_of(skewed.run(calls)) == ["CLOCK_SKEW"] * 2
    assert open_vault.count() == before
    near = Runner(open_vault.engine, node.keys, lambda: node.runner.chain, lambda: database_s + ahead_s * 0.7)
    assert reasons_of(near.run(calls[:1])) == [""]


@contextmanager
def swallowing(engine: sa.Engine, table: sa.Table) -> Iterator[None]:
    """A trigger that drops each row inserted into a table, without an error."""
    name, undo = table.name, f"DROP TRIGGER swallow ON {table.name}"
    statements = [f"CREATE TRIGGER swallow BEFORE INSERT ON {name} BEGIN SELECT RAISE(IGNORE); END"]
    if engine.dialect.name == "postgresql":
        statements = [
            "CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            f"CREATE TRIGGER swallow BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION swallow()",
        ]
    else:
        undo = "DROP TRIGGER swallow"
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(undo)


@pytest.mark.parametrize("table", [t.audit_pending, t.token, t.item, t.idempotency], ids=lambda table: table.name)
def test_a_call_whose_rows_are_swallowed_is_not_answered(open_vault: Inside, table: sa.Table) -> None:
    (token, other) = store(open_vault, max_reveals=1), store(open_vault)
    before = open_vault.count()
    with swallowing(open_vault.engine, table):
        answers = open_vault.answers([open_vault.call(tokenize((new_subject(), "email", new_email())))])
        if table is t.audit_pending:
            answers += open_vault.answers([open_vault.call(describe(other)), open_vault.call(reveal(other))])
    assert set(reasons_of(answers)) == {"INTEGRITY"}
    after = open_vault.count()
    assert {name for name in after if after[name] != before[name]} == ({"audit_pending"} if table is not t.audit_pending else set())
    assert open_vault.ask(reveal(token))


@contextmanager
def without_keys(engine: sa.Engine, table: sa.Table) -> Iterator[None]:
    """A table without primary key and unique constraints, as whoever owns it could leave it; undone with what was added."""
    columns = ", ".join(table.columns.keys())
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} RENAME TO kept")
        connection.exec_driver_sql(f"CREATE TABLE {table.name} AS SELECT {columns} FROM kept")  # noqa: S608  names are our own
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {table.name}")
        connection.exec_driver_sql(f"ALTER TABLE kept RENAME TO {table.name}")


def test_of_two_rows_for_one_key_neither_is_used_and_other_calls_go_on(open_vault: Inside) -> None:
    token, other = store(open_vault, max_reveals=1), store(open_vault)
    row = open_vault.row(t.token, text=token)
    with without_keys(open_vault.engine, t.token):
        with open_vault.engine.begin() as connection:
            insert(connection, t.token, [row])
        with open_vault.events() as events:
            answers = open_vault.answers([open_vault.call(reveal(token)), open_vault.call(reveal(other))])
    assert reasons_of(answers) == ["INTEGRITY", ""]
    assert len(events) == 2
    principal = open_vault.row(t.principal, tenant_uid=open_vault.tenant().uid, name=open_vault.caller("plain").name)
    with without_keys(open_vault.engine, t.principal):
        with open_vault.engine.begin() as connection:
            insert(connection, t.principal, [principal])
        answers = open_vault.answers([open_vault.call(reveal(other), "plain"), open_vault.call(reveal(other))])
    assert reasons_of(answers) == ["INTEGRITY", ""]
    assert open_vault.ask(reveal(token))


def test_a_key_fetched_for_a_boot_that_has_ended_is_fetched_again_so_that_the_new_one_is_endorsed(open_vault: Inside) -> None:
    token = store(open_vault)
    keys, ended = open_vault.keys(), open_vault.node.runner.chain
    open_vault.node.runner.chain = Chain("test-1")
    open_vault.node.keys.put(keys)
    assert open_vault.ask(reveal(token))
    assert open_vault.keys().boot_id == open_vault.node.runner.chain.boot_id != ended.boot_id
    assert open_vault.node.runner.chain.is_endorsed(open_vault.tenant().uid)


def test_one_call_in_many_that_can_t_be_run_costs_few_transactions(open_vault: Inside) -> None:
    token = store(open_vault)
    calls = [open_vault.call(describe(token)) for _ in range(128)]
    conflicting = update((token, new_email()))
    calls[77:77] = [open_vault.call(conflicting), open_vault.call(update((token, new_email())))]
    with open_vault.statements() as run:
        answers = open_vault.answers(calls)
    assert set(reasons_of(answers)) == {""}
    begun = sum("FROM principal" in statement.replace("\n", " ") for statement in run)
    assert 2 <= begun <= 20
