"""The schema's version: brought up to date by ``pdvault db upgrade``, only compared by a starting server."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.faults import DATABASE_ERRORS, translate
from vault.v1 import common_pb2

_LOCATION = str(Path(__file__).parent / "migrations")

SERVER_MAY: dict[sa.Table, str] = {
    t.tenant: "SELECT",
    t.tenant_ca: "SELECT",
    t.principal: "SELECT",
    t.tenant_key: "SELECT",
    t.subject: "SELECT, INSERT, UPDATE, DELETE",
    t.subject_key: "SELECT, INSERT, UPDATE, DELETE",
    t.item: "SELECT, INSERT, UPDATE, DELETE",
    t.token: "SELECT, INSERT, UPDATE, DELETE",
    t.audit_pending: "SELECT, INSERT",
    t.idempotency: "SELECT, INSERT, DELETE",
}
"""What the serving role may do on PostgreSQL: it neither edits nor deletes audit events, and it grants nothing to anybody."""


def upgrade(engine: sa.Engine) -> str:
    """Run every migration that is missing; answers the schema's version afterwards."""
    with engine.begin() as connection:
        command.upgrade(_config(connection), "head")
        return _version(connection) or ""


def check(engine: sa.Engine) -> None:
    """Refuse a database with another schema than this code knows.

    Raises:
        VaultError: SCHEMA_UNKNOWN; DATABASE_UNAVAILABLE.
    """
    try:
        with engine.connect() as connection:
            found = _version(connection)
            known = ScriptDirectory.from_config(_config(connection)).get_current_head()
    except DATABASE_ERRORS as error:
        raise translate(error) from None
    if found != known:
        raise VaultError(
            common_pb2.ERROR_REASON_SCHEMA_UNKNOWN,
            f"the database has schema {found or 'none'}, this server knows {known}: run `pdvault db upgrade`, "
            "or a server of the version that wrote the schema",
        )


def grant(engine: sa.Engine, role: str) -> None:
    """Give the serving role on PostgreSQL exactly what ``SERVER_MAY`` lists.

    Raises:
        ValueError: ``role`` is not a plain identifier.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise ValueError("a role's name has lower-case letters, digits and underscores")
    with engine.begin() as connection:
        connection.exec_driver_sql(f'GRANT SELECT ON alembic_version TO "{role}"')
        for table, rights in SERVER_MAY.items():
            connection.exec_driver_sql(f'REVOKE ALL ON "{table.name}" FROM "{role}"')
            connection.exec_driver_sql(f'GRANT {rights} ON "{table.name}" TO "{role}"')


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", _LOCATION)
    config.attributes["connection"] = connection
    return config


def _version(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
