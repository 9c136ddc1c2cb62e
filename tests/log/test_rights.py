"""The role that keeps the logs: it can do that and nothing else; a server whose role can't says so before it serves."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.harness import Server, Vault, make_vault
from tests.server.requests import tokenize

from vault.server.config import ConfigError
from vault.server.serve import serve
from vault.store import schema
from vault.store import tables as t
from vault.v1.audit_pb2 import AuditEvent


@dataclass
class Roles:
    """A vault on PostgreSQL with a role that serves and one that keeps the logs; URLs of both."""

    vault: Vault
    owner: sa.Engine
    serving: str
    keeping: str
    names: tuple[str, str]

    def configure(self, *lines: str) -> None:
        """Replace the section ``database``."""
        file = self.vault.folder / "vault.toml"
        before, _, rest = file.read_text().partition("[database]\n")
        after = rest.partition("[kms]")[2]
        file.write_text("\n".join([f"{before}[database]", *lines, f"[kms]{after}"]))


@pytest.fixture
def roles(new_postgres_url: Callable[[], str], tmp_path: Path) -> Iterator[Roles]:
    url = new_postgres_url()
    vault = make_vault(tmp_path, database=f'url = "{url}"')
    owner = sa.create_engine(url)
    names, urls = (f"serving_{secrets.token_hex(4)}", f"keeping_{secrets.token_hex(4)}"), []
    for name, rights in zip(names, (schema.SERVER_MAY, schema.INTEGRATOR_MAY), strict=True):
        password = secrets.token_hex(8)
        with owner.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}'")
        schema.grant(owner, name, rights)
        urls.append(sa.make_url(url).set(username=name, password=password).render_as_string(hide_password=False))
    yield Roles(vault, owner, urls[0], urls[1], names)
    with owner.begin() as connection:
        for name in names:
            connection.exec_driver_sql(f'DROP OWNED BY "{name}"')
            connection.exec_driver_sql(f'DROP ROLE "{name}"')
    owner.dispose()


def test_a_server_with_two_roles_serves_and_keeps_its_logs(roles: Roles) -> None:
    roles.configure(f'url = "{roles.serving}"', f'log_url = "{roles.keeping}"')
    with Server(roles.vault) as server:
        server.caller("all").call(tokenize("phone"))
        assert server.stop() == 0
    with roles.owner.connect() as connection:
        actions = [AuditEvent.FromString(leaf).action for leaf in connection.scalars(sa.select(t.audit_entry.c.leaf))]
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.audit_pending)) == 0
        assert connection.scalar(sa.select(sa.func.bool_and(t.audit_log.c.size == t.audit_log.c.checkpoint_size)))
    assert "Tokenize" in actions


def test_the_log_s_role_may_be_read_from_a_file(roles: Roles) -> None:
    (roles.vault.folder / "log.url").write_text(roles.keeping)
    roles.configure(f'url = "{roles.serving}"', 'log_url_file = "log.url"')
    with roles.vault.node() as node, node.log_engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == roles.names[1]


@pytest.mark.parametrize("log_url", [None, "serving"])
def test_a_server_that_may_not_keep_its_logs_does_not_start(roles: Roles, log_url: str | None) -> None:
    roles.configure(f'url = "{roles.serving}"', *([f'log_url = "{roles.serving}"'] if log_url else []))
    with pytest.raises(ConfigError, match=r"lacks DELETE on audit_pending, .*--grant-log-to") as caught:
        serve(roles.vault.config)
    assert roles.serving not in str(caught.value)


@pytest.mark.parametrize("right", ["DELETE ON audit_pending", "UPDATE ON audit_log", "INSERT ON audit_mention"])
def test_a_right_that_was_taken_away_is_named(roles: Roles, right: str) -> None:
    roles.configure(f'url = "{roles.serving}"', f'log_url = "{roles.keeping}"')
    with roles.owner.begin() as connection:
        connection.exec_driver_sql(f'REVOKE {right} FROM "{roles.names[1]}"')
    with pytest.raises(ConfigError, match=f"lacks {right.replace(' ON ', ' on ')};"):
        serve(roles.vault.config)


FORBIDDEN = (
    "INSERT INTO audit_pending SELECT * FROM audit_pending",
    "UPDATE audit_pending SET time_us = 0",
    "INSERT INTO audit_log SELECT * FROM audit_log",
    "DELETE FROM audit_log",
    "UPDATE audit_entry SET leaf = ''",
    "DELETE FROM audit_entry",
    "UPDATE audit_node SET hash = ''",
    "DELETE FROM audit_node",
    "UPDATE audit_facet SET action = ''",
    "DELETE FROM audit_event",
    "UPDATE audit_mention SET time_us = 0",
    "DELETE FROM audit_count",
    "DELETE FROM audit_boot",
    "DELETE FROM audit_lease",
    "DELETE FROM audit_cosignature",
    "TRUNCATE audit_entry",
    "SELECT * FROM item",
    "SELECT * FROM token",
    "SELECT * FROM subject",
    "SELECT * FROM subject_key",
    "SELECT * FROM tenant_key",
    "SELECT * FROM tenant",
    "SELECT * FROM principal",
    "SELECT * FROM idempotency",
    "CREATE TABLE mine (x integer)",
)


def test_the_log_s_role_neither_changes_what_is_in_logs_nor_sees_anything_else(roles: Roles) -> None:
    engine = sa.create_engine(roles.keeping)
    with engine.connect() as connection:
        for statement in FORBIDDEN:
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                connection.exec_driver_sql(statement)
            connection.rollback()
    engine.dispose()
