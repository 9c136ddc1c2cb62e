"""When the database fails: nothing is released that was not surely committed, and the log stays whole."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from deploy.local_stack.postgres import PostgresServer
from tests.audit.verifier import verify_log
from tests.harness import NewVault, Vault, make_vault
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import describe, new_email, new_subject, reveal, tokenize, tokens_of, update

from vault.errors import VaultError
from vault.store import tables as t


def store(vault: Inside, **fields: Any) -> str:
    """The token of one new e-mail address."""
    return tokens_of(vault.ask(tokenize((new_subject(), "email", new_email()), **fields)))[0]


def reasons_of(answers: Any) -> list[str]:
    """The reason of each refusal."""
    return [answer.reason_name if isinstance(answer, VaultError) else "" for answer in answers]


@contextmanager
def at(engine: sa.Engine, event: str, do: Any) -> Iterator[None]:
    """Let something happen at an event of the engine, for the time of the block."""
    sa.event.listen(engine, event, do)
    yield
    sa.event.remove(engine, event, do)


def log_is_whole(vault: Inside, tenant: str = "acme") -> bool:
    """Whether a verifier that knows only the leaves and the log's public key finds nothing wrong."""
    public_key = vault.node.key_manager.log_public_key(vault.tenant(tenant).uid)
    return verify_log([row.leaf for row in vault.leaves(tenant)], vault.tenant(tenant).uid, public_key) == []


def lose_before(connection: sa.Connection) -> None:
    """The database goes away before it has committed."""
    if connection.dialect.name != "postgresql":
        raise sa.exc.OperationalError("COMMIT", None, Exception("lost"))
    backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with connection.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({backend}, 5000)")


def lose_after(connection: sa.Connection) -> None:
    """The database goes away after it has committed, and before it has said so."""
    connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
    raise sa.exc.OperationalError("COMMIT", None, Exception("lost"))


def quiet(hook: Any) -> Any:
    """The hook for one commit of the runner, and for none that happens meanwhile."""
    done: list[bool] = []

    def once(connection: sa.Connection) -> None:
        if not done:
            done.append(True)
            hook(connection)

    return once


@pytest.mark.parametrize("lose", [lose_before, lose_after])
def test_a_commit_of_unknown_end_releases_nothing_and_begins_a_new_boot(open_vault: Inside, lose: Any) -> None:
    token = store(open_vault, max_reveals=1)
    subject, runner = new_subject(), open_vault.node.runner
    stored = tokenize((subject, "email", new_email()))
    calls = [open_vault.call(reveal(token)), open_vault.call(stored)]
    boot = runner.chain.boot_id
    with at(open_vault.engine, "commit", quiet(lose)):
        answers = runner.run(calls)
    assert reasons_of(answers) == ["DATABASE_UNAVAILABLE"] * 2
    assert "may have taken effect" in str(answers[0])
    assert runner.chain.boot_id != boot
    assert open_vault.row(t.token, text=token).reveals_used == (1 if lose is lose_after else 0)
    (again,) = tokens_of(open_vault.ask(stored))
    assert len(open_vault.rows(t.item, subject_uid=open_vault.row(t.token, text=again).subject_uid)) == 1
    spent = open_vault.answers([open_vault.call(reveal(token))])
    assert reasons_of(spent) == ["TOKEN_USED_UP" if lose is lose_after else ""]
    assert {row.boot_id for row in open_vault.leaves()} >= {boot, runner.chain.boot_id}
    assert log_is_whole(open_vault)


def test_a_backend_that_ends_before_the_commit_leaves_no_doubt_and_no_trace(open_vault: Inside) -> None:
    boot, before = open_vault.node.runner.chain.boot_id, open_vault.count()
    calls = [open_vault.call(tokenize((new_subject(), "email", new_email()))) for _ in range(2)]
    done: list[bool] = []

    def lose(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM tenant " in statement.replace("\n", " ") and not done:
            done.append(True)
            lose_before(connection)

    open_vault.keys()
    with at(open_vault.engine, "before_cursor_execute", lose):
        assert reasons_of(open_vault.node.runner.run(calls)) == ["DATABASE_UNAVAILABLE"] * 2
    assert open_vault.count() == before
    assert open_vault.node.runner.chain.boot_id == boot
    assert reasons_of(open_vault.answers(calls)) == ["", ""]
    assert log_is_whole(open_vault)


def test_a_statement_that_waits_too_long_ends_with_its_call_s_deadline(new_vault: NewVault, tmp_path: Path) -> None:
    with inside(new_vault("postgres", tmp_path)) as vault:
        token = store(vault)
        before = vault.count()
        with vault.engine.connect() as other, other.begin():
            other.execute(sa.select(t.item).with_for_update())
            (answer,) = vault.answers([vault.call(update((token, new_email())), seconds=0.3)])
        assert reasons_of([answer]) == ["DEADLINE_EXCEEDED"]
        assert vault.count() == before
        assert vault.ask(describe(token)).results[0].description.revision == 1


def vault_on(server: PostgresServer, folder: Path) -> Vault:
    """A vault on a server of its own."""
    return make_vault(folder, database=f'url = "{server.create_database("down")}"')


def test_while_the_database_is_down_every_call_is_refused_at_once_and_it_serves_again_when_it_is_back(tmp_path: Path) -> None:
    with PostgresServer() as server, inside(vault_on(server, tmp_path)) as vault:
        token = store(vault)
        calls = [vault.call(describe(token)) for _ in range(200)]
        attempts = []

        def count(*_: Any) -> None:
            attempts.append(time.monotonic())

        server.kill()
        with at(vault.engine, "do_connect", count):
            answers = vault.answers(calls)
        assert set(reasons_of(answers)) == {"DATABASE_UNAVAILABLE"}
        assert all(answer.retry_after_s for answer in answers if isinstance(answer, VaultError))
        assert len(attempts) <= 2
        server.start()
        assert set(reasons_of(vault.answers(calls))) == {""}
        assert log_is_whole(vault)


def test_a_database_that_takes_no_writes_releases_nothing(open_vault: Inside) -> None:
    token = store(open_vault)

    def read_only(connection: sa.Connection) -> None:
        on = "SET TRANSACTION READ ONLY" if open_vault.is_postgres else "PRAGMA query_only = ON"
        connection.exec_driver_sql(on)

    with at(open_vault.engine, "begin", read_only):
        answers = open_vault.answers([open_vault.call(reveal(token)), open_vault.call(describe(token))])
    if not open_vault.is_postgres:
        open_vault.engine.dispose()
    assert reasons_of(answers) == ["DATABASE_READ_ONLY"] * 2
    assert open_vault.ask(reveal(token))


def test_no_refusal_holds_a_word_of_the_driver(open_vault: Inside) -> None:
    call = open_vault.call(tokenize((new_subject(), "email", new_email())))

    def fail(*_: Any) -> None:
        raise sa.exc.OperationalError("SELECT secret", {"p": "secret"}, Exception("secret"))

    with at(open_vault.engine, "before_cursor_execute", fail):
        (answer,) = open_vault.answers([call])
    assert isinstance(answer, VaultError)
    assert "secret" not in f"{answer} {answer.to_status()} {answer.__cause__} {answer.__context__}"


def test_two_threads_never_share_the_one_connection_that_writes(open_vault: Inside) -> None:
    """Reading while the runner writes: SQLite lets one of them wait, PostgreSQL neither."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        while not stop.is_set():
            try:
                open_vault.node.loader.load(open_vault.tenant().uid)
            except BaseException as error:  # noqa: BLE001
                failures.append(error)
                return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        tokens = [store(open_vault) for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert len(open_vault.ask(describe(*tokens)).results) == 20
