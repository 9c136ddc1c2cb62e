"""What callers get while the database is gone, locked, full, read-only or another: a reason, no value, service once it is back."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from deploy.local_stack.postgres import PostgresServer
from tests.harness import Caller, Server, Vault, make_vault, reveal_request
from tests.server.canaries import traces
from tests.server.conftest import Served
from tests.server.ledger import Ledger, all_leaves
from tests.server.refusal import Refusal, refusal_of, refused
from tests.server.requests import good, tokenize, value

from vault import principals
from vault.errors import VaultError
from vault.server.serve import serve
from vault.store import tables as t
from vault.v1 import audit_pb2, common_pb2

Until = Callable[[Callable[[], Any]], None]
KIB = 1024


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this module's own, since it gets killed."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def mortal(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A vault on that PostgreSQL."""
    url = postgres.create_database("vault")
    vault = make_vault(tmp_path_factory.mktemp("mortal"), database=f'url = "{url}"')
    with Server(vault) as server:
        ledger = Ledger(vault.config)
        yield Served(vault, server, ledger)
        ledger.close()


@pytest.fixture
def caller(mortal: Served) -> Caller:
    caller = mortal.server.caller("all")
    caller.call(good("ListDataClasses"))
    return caller


@pytest.fixture
def token(caller: Caller) -> str:
    """A token with one reveal."""
    return str(caller.call(tokenize("phone", max_reveals=1)).results[0].token)


def _check_outage(refusal: Refusal, *reasons: str) -> None:
    assert (refusal.code, refusal.domain) == ("UNAVAILABLE", "vault.v1")
    assert refusal.reason in reasons
    assert refusal.retry_after_s
    assert not traces(refusal.everything)
    assert not any(word in refusal.everything for word in (b"psycopg", b"sqlalchemy", b"SQL", b"relation", b"socket"))


def test_a_database_that_dies_under_load_makes_calls_unavailable_until_it_is_back(
    postgres: PostgresServer, mortal: Served, caller: Caller, token: str, until: Until
) -> None:
    tokens: list[str] = []

    def store_until_refused(number: int) -> None:
        mine = mortal.server.caller("all")
        refusals = 0
        while refusals < 3:
            try:
                tokens.append(mine.call(tokenize("phone", subject_id=f"person {number}")).results[0].token)
            except grpc.RpcError as error:
                _check_outage(refusal_of(error), "DATABASE_UNAVAILABLE")
                refusals += 1

    with ThreadPoolExecutor(8) as pool:
        threads = [pool.submit(store_until_refused, number) for number in range(8)]
        until(lambda: len(tokens) > 40)
        postgres.kill()
        for thread in threads:
            thread.result(30)
    _check_outage(refused(lambda: caller.call(reveal_request(token))), "DATABASE_UNAVAILABLE")
    postgres.start()
    until(lambda: _answers(caller))
    assert caller.call(reveal_request(token)).results[0].value == value("phone")
    for start in range(0, len(tokens), 1000):
        results = caller.call(reveal_request(*tokens[start : start + 1000])).results
        assert all(result.value == value("phone") for result in results)


def _answers(caller: Caller) -> bool:
    try:
        caller.call(good("ListDataClasses"))
    except grpc.RpcError:
        return False
    return True


DIE_AT_COMMIT = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER die AFTER INSERT ON audit_pending DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();
"""


def test_a_connection_that_is_lost_while_committing_ends_the_boot_and_the_retry_is_done_once(
    mortal: Served, caller: Caller
) -> None:
    request = tokenize("phone", subject_id="uncertain")
    rows, boot = mortal.ledger.rows(), mortal.ledger.events()[-1].boot_id
    mortal.ledger.execute(sa.text(DIE_AT_COMMIT))
    refusal = refused(lambda: caller.call(request))
    mortal.ledger.execute(sa.text("DROP FUNCTION die CASCADE"))
    _check_outage(refusal, "DATABASE_UNAVAILABLE")
    assert "same request_id" in refusal.message
    assert mortal.ledger.rows() == rows
    token = caller.call(request).results[0].token
    assert caller.call(request).results[0].token == token
    assert mortal.ledger.rows()["token"][0] == rows["token"][0] + 1
    assert mortal.ledger.events()[-1].boot_id != boot


def test_a_read_only_database_releases_nothing(mortal: Served, caller: Caller, token: str) -> None:
    rows = mortal.ledger.rows()
    _set_read_only(mortal, "on")
    try:
        for request in (reveal_request(token), good("Tokenize"), good("Search"), good("ListDataClasses")):
            refusal = refused(lambda request=request: caller.call(request))
            _check_outage(refusal, "DATABASE_READ_ONLY")
            assert "writable" in refusal.message
    finally:
        _set_read_only(mortal, "off")
    assert mortal.ledger.rows() == rows
    assert caller.call(reveal_request(token)).results[0].value == value("phone")


def _set_read_only(mortal: Served, switch: str) -> None:
    """As a failover does it: every session ends, and those that begin from now on may not write."""
    engine = sa.create_engine(mortal.vault.config.database.url or "", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(f"ALTER DATABASE vault SET default_transaction_read_only = {switch}")
        older = (  # one that is only just starting has no database's name yet, but the settings from before
            "FROM pg_stat_activity WHERE backend_type = 'client backend' AND coalesce(datname, 'vault') = 'vault' "
            "AND pid <> pg_backend_pid() AND backend_start <= %s"
        )
        since = connection.scalar(sa.func.clock_timestamp())
        while connection.exec_driver_sql(f"SELECT count(*) {older}", (since,)).scalar():
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 10000) {older}", (since,))
    engine.dispose()


@pytest.mark.parametrize("table", [t.audit_pending, t.token], ids=lambda table: table.name)
def test_a_locked_table_ends_calls_by_their_deadline_and_consumes_nothing(
    mortal: Served, caller: Caller, token: str, table: sa.Table, until: Until
) -> None:
    rows, leaves = mortal.ledger.rows(), mortal.ledger.leaves()
    with mortal.ledger.locked(table) as is_waited_for:
        assert refused(lambda: caller.call(reveal_request(token), timeout=1)).code == "DEADLINE_EXCEEDED"
        until(lambda: not is_waited_for())
    caller.call(good("ListDataClasses"))
    assert mortal.ledger.rows() == rows
    assert [event.action for event in mortal.ledger.events(leaves)] == ["ListDataClasses"]
    assert caller.call(reveal_request(token)).results[0].value == value("phone")


def test_a_schema_that_changes_under_the_server_is_a_failed_precondition(mortal: Served, caller: Caller) -> None:
    mortal.ledger.execute(sa.text("ALTER TABLE idempotency RENAME TO elsewhere"))
    refusal = refused(lambda: caller.call(good("Tokenize")))
    mortal.ledger.execute(sa.text("ALTER TABLE elsewhere RENAME TO idempotency"))
    assert (refusal.code, refusal.reason, refusal.domain) == ("FAILED_PRECONDITION", "SCHEMA_UNKNOWN", "vault.v1")
    assert "pdvault db upgrade" in refusal.message
    caller.call(good("Tokenize"))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("UPDATE alembic_version SET version_num = 'future'", "run `pdvault db upgrade`"),
        ("DELETE FROM alembic_version", "make a vault with `pdvault init`"),
    ],
)
def test_a_server_does_not_start_on_a_schema_it_does_not_know(
    postgres: PostgresServer, tmp_path: Path, change: str, hint: str
) -> None:
    vault = make_vault(tmp_path, database=f'url = "{postgres.create_database(f"strange_{len(change)}")}"')
    with vault.node() as node, node.engine.begin() as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(VaultError, match=hint) as caught:
        serve(vault.config)
    assert caught.value.reason == common_pb2.ERROR_REASON_SCHEMA_UNKNOWN


def test_a_server_does_not_start_without_its_database(postgres: PostgresServer, tmp_path: Path) -> None:
    vault = make_vault(tmp_path, database=f'url = "{postgres.create_database("gone")}"')
    postgres.stop()
    with pytest.raises(VaultError, match="the database does not answer") as caught:
        serve(vault.config)
    postgres.start()
    assert caught.value.reason == common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE
    assert caught.value.__suppress_context__


def test_a_database_that_stands_still_ends_calls_by_their_deadline_and_does_not_keep_the_server_from_ending(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    vault = make_vault(tmp_path, database=f'url = "{postgres.create_database("still")}"', limits="drain_s = 0")
    with Server(vault) as server:
        caller = server.caller("all")
        token = caller.call(tokenize("phone")).results[0].token
        with _standing_still(postgres):
            assert refused(lambda: caller.call(reveal_request(token), timeout=1)).code == "DEADLINE_EXCEEDED"
            assert server.stop() == 1
        assert "the database does not answer" in server.log.read_text()
    with vault.node() as node, node.engine.connect() as connection:
        assert "Reveal" not in {audit_pb2.AuditEvent.FromString(leaf).action for leaf in all_leaves(connection)}


@contextmanager
def _standing_still(postgres: PostgresServer) -> Iterator[None]:
    """All processes of a database server stopped, as on a machine that hangs: connections stay, answers don't come."""
    leader: Any = postgres._process
    children = Path(f"/proc/{leader.pid}/task/{leader.pid}/children").read_text().split()
    processes = [leader.pid, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_a_full_disk_under_sqlite_releases_nothing_and_ends_when_there_is_room(sqlite_vault: Vault, tmp_path: Path) -> None:
    with Server(sqlite_vault) as server:
        caller = server.caller("all")
        note = common_pb2.Value(text="Canary Quillfeather " * 5 * KIB)
        kept: list[str] = []

        def store() -> None:
            kept.append(str(caller.call(tokenize("free_text", value=note)).results[0].token))

        store()
        _limit_files(server, max(path.stat().st_size for path in tmp_path.glob("vault.db*")) + 300 * KIB)
        _until_full(store)
        _until_full(lambda: caller.call(reveal_request(kept[0])))
        _limit_files(server, resource.RLIM_INFINITY)
        assert all(result.value == note for result in caller.call(reveal_request(*kept)).results)
        assert server.stop() == 0
    with sqlite_vault.node() as node, node.engine.connect() as connection:
        counts = [connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (t.token, t.item)]
    assert counts == [len(kept)] * 2


def _limit_files(server: Server, size: int) -> None:
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _until_full(call: Callable[[], Any]) -> None:
    """Make the call again and again, until even its audit event finds no room."""
    for _ in range(100):
        try:
            call()
        except grpc.RpcError as error:
            # To SQLite a file that may not grow is no full disk but a broken one, and a commit that met it is uncertain.
            _check_outage(refusal_of(error), "DATABASE_READ_ONLY", "DATABASE_UNAVAILABLE")
            return
    pytest.fail("calls went on although no event could be written")


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"], ids=["read-only", "full"])
def test_a_sqlite_file_that_takes_no_writes_lets_nobody_act(sqlite_vault: Vault, pragma: str) -> None:
    with sqlite_vault.node() as node:
        sa.event.listen(node.engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
        names = [f"spiffe://pdvault/acme/{number}" for number in range(100)]
        with pytest.raises(VaultError, match="takes no writes") as caught:
            any(node.act(principals.add(sqlite_vault.tenants["acme"].uid, name, "service", ["app"])) for name in names)
    assert caught.value.reason == common_pb2.ERROR_REASON_DATABASE_READ_ONLY
