"""The schema: migrations give what the code knows, an unknown one is refused, and the serving role may no more than it must."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.harness import Vault, make_vault
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    delete,
    describe,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault.errors import VaultError
from vault.store import schema
from vault.store import tables as t
from vault.store.sweeper import sweep

ROLE = f"vault_serving_{secrets.token_hex(4)}"


def differences(engine: sa.Engine) -> list[Any]:
    """What alembic would change, indexes and constraints included."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[Any] = compare_metadata(context, t.metadata)
        inspector = sa.inspect(connection)
        for table in t.metadata.sorted_tables:
            uniques = {frozenset(one["column_names"]) for one in inspector.get_unique_constraints(table.name)}
            wanted = {frozenset(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
            keys = inspector.get_pk_constraint(table.name)["constrained_columns"]
            nullable = {column["name"] for column in inspector.get_columns(table.name) if column["nullable"]}
            found += [] if uniques == wanted else [(table.name, uniques, wanted)]
            found += [] if keys == table.primary_key.columns.keys() else [(table.name, keys)]
            found += [] if nullable == {c.name for c in table.columns if c.nullable} else [(table.name, nullable)]
    return found


def test_migrations_give_the_tables_that_the_code_knows(open_vault: Inside) -> None:
    assert differences(open_vault.engine) == []
    with open_vault.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stray (x INTEGER)")
    assert differences(open_vault.engine) != []
    with open_vault.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE stray")


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(open_vault: Inside) -> None:
    before = open_vault.count()
    assert schema.upgrade(open_vault.engine) == "0003"
    assert open_vault.count() == before
    schema.check(open_vault.engine)


def test_servers_ask_for_the_version_of_the_newest_migration() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == schema.VERSION


@pytest.mark.parametrize(
    ("found", "named"), [("9999", "schema 9999"), ("two", "schema 0003, 9999"), (None, "no schema"), ("table gone", "no schema")]
)
def test_a_server_refuses_a_schema_that_it_does_not_know(open_vault: Inside, found: str | None, named: str) -> None:
    with open_vault.engine.begin() as connection:
        if found == "table gone":
            connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO gone")
        elif found == "two":
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('9999')")
        elif found:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        else:
            connection.exec_driver_sql("DELETE FROM alembic_version")
    try:
        with pytest.raises(VaultError) as refusal:
            open_vault.node.check()
    finally:
        with open_vault.engine.begin() as connection:
            if found == "table gone":
                connection.exec_driver_sql("ALTER TABLE gone RENAME TO alembic_version")
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0003')")
    assert refusal.value.reason_name == "SCHEMA_UNKNOWN"
    assert named in refusal.value.message
    open_vault.node.check()


def test_a_table_that_is_gone_refuses_every_call_without_taking_the_node_down(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    with open_vault.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE token RENAME TO gone")
    answers = open_vault.answers([open_vault.call(describe(token)) for _ in range(3)])
    with open_vault.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO token")
    reason = "SCHEMA_UNKNOWN" if open_vault.is_postgres else "DATABASE_UNAVAILABLE"
    assert [answer.reason_name for answer in answers if isinstance(answer, VaultError)] == [reason] * 3
    assert open_vault.ask(describe(token))


def test_another_process_can_t_open_the_same_sqlite_file(sqlite_vault: Vault) -> None:
    with sqlite_vault.node(), pytest.raises(VaultError) as refusal, sqlite_vault.node():
        raise AssertionError("two nodes have one SQLite file open")
    assert refusal.value.reason_name == "DATABASE_UNAVAILABLE"
    with sqlite_vault.node() as node:
        node.check()


@pytest.fixture
def owner(new_postgres_url: Callable[[], str], tmp_path: Path) -> Iterator[tuple[sa.Engine, Inside]]:
    """The owner's engine, and the vault opened by the serving role alone."""
    url, password = new_postgres_url(), secrets.token_hex(8)
    vault = make_vault(tmp_path, database=f'url = "{url}"')
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f'DROP ROLE IF EXISTS "{ROLE}"')
        connection.exec_driver_sql(f"CREATE ROLE \"{ROLE}\" LOGIN PASSWORD '{password}'")
    schema.grant(engine, ROLE, schema.SERVER_MAY)
    serving = sa.make_url(url).set(username=ROLE, password=password).render_as_string(hide_password=False)
    config = vault.folder / "vault.toml"
    config.write_text(config.read_text().replace(url, serving))
    with inside(vault) as opened:
        yield engine, opened
    with engine.begin() as connection:
        connection.exec_driver_sql(f'DROP OWNED BY "{ROLE}"')
        connection.exec_driver_sql(f'DROP ROLE "{ROLE}"')
    engine.dispose()


FORBIDDEN = (
    "UPDATE audit_pending SET time_us = 0",
    "DELETE FROM audit_pending",
    "TRUNCATE audit_pending",
    "DELETE FROM tenant",
    "INSERT INTO tenant SELECT * FROM tenant",
    "UPDATE principal SET roles = 'admin'",
    "INSERT INTO principal SELECT * FROM principal",
    "DELETE FROM principal",
    "UPDATE tenant_ca SET certificate = ''",
    "INSERT INTO tenant_ca SELECT * FROM tenant_ca",
    "UPDATE tenant_key SET wrapped = ''",
    "DELETE FROM tenant_key",
    "INSERT INTO audit_log SELECT * FROM audit_log",
    "UPDATE audit_log SET size = 0",
    "DELETE FROM audit_log",
    "INSERT INTO audit_entry SELECT * FROM audit_entry",
    "UPDATE audit_entry SET leaf = ''",
    "DELETE FROM audit_entry",
    "INSERT INTO audit_node SELECT * FROM audit_node",
    "UPDATE audit_node SET hash = ''",
    "INSERT INTO audit_facet SELECT * FROM audit_facet",
    "DELETE FROM audit_event",
    "INSERT INTO audit_mention SELECT * FROM audit_mention",
    "UPDATE audit_count SET events = 0",
    "UPDATE audit_boot SET next_sequence = 0",
    "UPDATE audit_lease SET until_us = 0",
    "INSERT INTO audit_lease VALUES ('x', 'x', 0)",
    "UPDATE audit_cosignature SET line = ''",
    "UPDATE alembic_version SET version_num = '9999'",
    "CREATE TABLE mine (x integer)",
    "DROP TABLE token",
    "ALTER TABLE audit_pending ADD COLUMN x integer",
    "CREATE INDEX mine ON item (purposes)",
    "ALTER TABLE item DISABLE TRIGGER ALL",
    "TRUNCATE item",
    "CREATE ROLE other",
)


def test_the_serving_role_can_do_all_that_calls_do_and_nothing_to_the_log_or_to_rights(owner: tuple[sa.Engine, Inside]) -> None:
    _, serving = owner
    serving.node.check()
    subject, email = new_subject(), new_email()
    (token,) = tokens_of(serving.ask(tokenize((subject, "email", email), token_kind=DETERMINISTIC)))
    (once,) = tokens_of(serving.ask(tokenize((subject, "email", email), max_reveals=1)))
    assert tokens_of(serving.ask(tokenize((subject, "email", email), token_kind=DETERMINISTIC))) == [token]
    for request in (reveal(token, once), verify((token, email)), search(("", None, subject)), describe(token)):
        assert serving.ask(request)
    stored = update((token, new_email()))
    assert serving.ask(stored) == serving.ask(stored)
    assert serving.ask(delete(token))
    assert serving.refused(reveal(token)) == "TOKEN_NOT_FOUND"
    assert sweep(serving.engine) == 0
    with serving.engine.connect() as connection:
        connection.exec_driver_sql(
            f'GRANT UPDATE, DELETE ON audit_pending TO "{ROLE}"'
        )  # PostgreSQL only warns, and grants nothing
        connection.commit()
        for statement in FORBIDDEN:
            with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"):
                connection.exec_driver_sql(statement)
            connection.rollback()
    assert len(serving.leaves()) >= 10


def test_rights_are_given_to_plain_names_only_and_taken_back_when_given_again(owner: tuple[sa.Engine, Inside]) -> None:
    engine, serving = owner
    with engine.begin() as connection:
        connection.exec_driver_sql(f'GRANT ALL ON audit_pending TO "{ROLE}"')
    schema.grant(engine, ROLE, schema.SERVER_MAY)
    with serving.engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.exec_driver_sql("DELETE FROM audit_pending")
    for name in ('x"; DROP TABLE token; --', "", "Großbuchstaben", "a" * 64):
        with pytest.raises(ValueError, match="lower-case"):
            schema.grant(engine, name, schema.SERVER_MAY)


def test_every_table_s_rights_are_decided(open_vault: Inside) -> None:
    assert set(schema.SERVER_MAY) == set(t.metadata.sorted_tables)
    of_the_log = {table for table in t.metadata.sorted_tables if table.name.startswith("audit_")}
    assert set(schema.INTEGRATOR_MAY) == {*of_the_log, t.restoration}
    assert schema.INTEGRATOR_MAY[t.restoration] == "SELECT"
    assert {schema.SERVER_MAY[table] for table in of_the_log - {t.audit_pending}} == {"SELECT"}
    assert schema.SERVER_MAY[t.audit_pending] == "SELECT, INSERT"
    assert not [table for table, rights in schema.INTEGRATOR_MAY.items() if "DELETE" in rights and table is not t.audit_pending]
