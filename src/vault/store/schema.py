"""The schema's version: brought up to date by ``pdvault db upgrade``, only compared by a starting server."""

import re
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.faults import DATABASE_ERRORS, translate
from vault.v1 import common_pb2

_LOCATION = str(Path(__file__).parent / "migrations")

VERSION = "0003"
"""The newest migration's, and so the one version that this code works on. A server compares it without loading Alembic, which is
imported below only where something migrates: it would be a tenth of every start."""

VERSION_TABLE = "alembic_version"
"""Where Alembic keeps the schema's version."""

SERVER_MAY: dict[sa.Table, str] = {
    t.tenant: "SELECT, UPDATE",  # locking it asks for UPDATE; so does sealing it
    t.tenant_ca: "SELECT",
    t.principal: "SELECT",
    t.tenant_key: "SELECT",
    t.subject: "SELECT, INSERT, UPDATE, DELETE",
    t.key_schedule: "SELECT, INSERT, UPDATE",
    t.subject_key: "SELECT, INSERT, UPDATE, DELETE",
    t.subject_alias: "SELECT, INSERT, UPDATE, DELETE",
    t.subject_hold: "SELECT, INSERT, DELETE",
    t.erasure: "SELECT, INSERT, UPDATE",
    t.operation: "SELECT, INSERT, UPDATE, DELETE",
    t.approval: "SELECT, INSERT, UPDATE, DELETE",
    t.restoration: "SELECT",
    t.item: "SELECT, INSERT, UPDATE, DELETE",
    t.token: "SELECT, INSERT, UPDATE, DELETE",
    t.audit_pending: "SELECT, INSERT",
    t.audit_log: "SELECT",
    t.audit_entry: "SELECT",
    t.audit_node: "SELECT",
    t.audit_facet: "SELECT",
    t.audit_event: "SELECT",
    t.audit_mention: "SELECT",
    t.audit_count: "SELECT",
    t.audit_boot: "SELECT",
    t.audit_lease: "SELECT",
    t.audit_cosignature: "SELECT",
    t.idempotency: "SELECT, INSERT, UPDATE, DELETE",
    t.idempotency_subject: "SELECT, INSERT, DELETE",
}
"""What the serving role may do on PostgreSQL: it neither edits nor deletes audit events, and it grants nothing to anybody."""

KEY_WORKER_MAY: dict[sa.Table, str] = {**SERVER_MAY, t.tenant_key: "SELECT, INSERT, UPDATE"}
"""What the key worker's role may do besides: it alone makes, retires and destroys a tenant's keys."""

INTEGRATOR_MAY: dict[sa.Table, str] = {
    t.audit_pending: "SELECT, DELETE",
    t.audit_log: "SELECT, UPDATE",
    t.audit_entry: "SELECT, INSERT",
    t.audit_node: "SELECT, INSERT",
    t.audit_facet: "SELECT, INSERT",
    t.audit_event: "SELECT, INSERT",
    t.audit_mention: "SELECT, INSERT",
    t.audit_count: "SELECT, INSERT, UPDATE",
    t.audit_boot: "SELECT, INSERT, UPDATE",
    t.audit_lease: "SELECT, INSERT, UPDATE",
    t.audit_cosignature: "SELECT, INSERT, UPDATE",
    t.restoration: "SELECT",
}
"""What the role may do as which the server keeps the log: no call of anybody goes through it, and it sees no item and no key."""


def upgrade(engine: sa.Engine) -> str:
    """Run every migration that is missing; answers the schema's version afterwards."""
    with engine.begin() as connection:
        return upgrade_to(connection, "head")


def upgrade_to(connection: sa.Connection, version: str) -> str:
    """Run the migrations up to a version, or to ``head``, in the connection's transaction; answers the version afterwards."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _LOCATION)
    config.attributes["connection"] = connection
    command.upgrade(config, version)
    return version_of(connection) or ""


def is_known(version: str) -> bool:
    """Whether this code has the migrations that lead to a version."""
    from alembic.script import ScriptDirectory

    return version in {script.revision for script in ScriptDirectory(_LOCATION).walk_revisions()}


def check(engine: sa.Engine) -> None:
    """Refuse a database with another schema than this code knows.

    Raises:
        VaultError: SCHEMA_UNKNOWN; DATABASE_UNAVAILABLE.
    """
    try:
        with engine.connect() as connection:
            found = version_of(connection)
    except DATABASE_ERRORS as error:
        raise translate(error) from None
    if found is None:
        raise VaultError(
            common_pb2.ERROR_REASON_SCHEMA_UNKNOWN,
            "the database has no schema of a vault: make a vault with `pdvault init`, or name the right database",
        )
    if found != VERSION:
        raise VaultError(
            common_pb2.ERROR_REASON_SCHEMA_UNKNOWN,
            f"the database has schema {found}, this server knows {VERSION}: run `pdvault db upgrade`, "
            "or a server of the version that wrote the schema",
        )


def grant(engine: sa.Engine, role: str, rights: Mapping[sa.Table, str]) -> None:
    """Give a role on PostgreSQL exactly these rights and the schema's version to read: ``SERVER_MAY`` or ``INTEGRATOR_MAY``.

    Raises:
        ValueError: ``role`` is not a plain identifier.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise ValueError("a role's name has lower-case letters, digits and underscores")
    with engine.begin() as connection:
        connection.exec_driver_sql(f'GRANT SELECT ON {VERSION_TABLE} TO "{role}"')
        for table in t.metadata.sorted_tables:
            connection.exec_driver_sql(f'REVOKE ALL ON "{table.name}" FROM "{role}"')
        for table, allowed in rights.items():
            connection.exec_driver_sql(f'GRANT {allowed} ON "{table.name}" TO "{role}"')


def missing_rights(engine: sa.Engine, rights: Mapping[sa.Table, str]) -> list[str]:
    """What the engine's role on PostgreSQL lacks of these rights, as ``UPDATE on audit_log``; elsewhere nobody lacks any.

    Raises:
        VaultError: DATABASE_UNAVAILABLE; SCHEMA_UNKNOWN, if a table is missing.
    """
    if engine.dialect.name != "postgresql":
        return []
    wanted = [(table.name, right) for table, allowed in rights.items() for right in allowed.split(", ")]
    try:
        with engine.connect() as connection:
            held = connection.execute(sa.select(*(sa.func.has_table_privilege(name, right) for name, right in wanted))).one()
    except DATABASE_ERRORS as error:
        raise translate(error) from None
    return [f"{right} on {name}" for (name, right), has in zip(wanted, held, strict=True) if not has]


def version_of(connection: sa.Connection) -> str | None:
    """The schema's version; None of a database without our tables."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    versions = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(VERSION_TABLE))
    return ", ".join(sorted(connection.execute(versions).scalars())) or None
