"""A vault opened by its operator: to look, to change who may call, or to change its tables; and what hinders each."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import sqlalchemy as sa
import structlog

from vault.audit.events import SYSTEM_TENANT
from vault.server import logs
from vault.server.backends import database_key_path
from vault.server.config import Config
from vault.server.node import Node
from vault.store import schema
from vault.store import tables as t

_ERRORS_ONLY = 40
_OWNER_NEEDED = (
    "the database role of this configuration may not do that: use the one that owns the tables (docs/cli.md, Running a vault)"
)
_SCHEMA_PROBLEMS = {"42501": _OWNER_NEEDED, "42704": "there is no such role in the database: CREATE ROLE it first"}
_NOT_INITIALISED = "this vault is not initialised: run `pdvault init` first"


@contextmanager
def opened(config: Config) -> Iterator[Node]:
    """The vault, opened in this process; what it logs is kept to errors.

    Raises:
        VaultError: the KMS or the database can't be opened, or another process has the SQLite file.
        ConfigError: a file that the configuration names is missing.
    """
    with only_errors_logged():
        node = Node(config)
        try:
            yield node
        finally:
            node.close()


@contextmanager
def only_errors_logged() -> Iterator[None]:
    """For a command that is no server: what goes on as it should is not logged, and nothing goes to stdout."""
    before = structlog.get_config()
    logs.configure()
    quiet = structlog.make_filtering_bound_logger(_ERRORS_ONLY)
    structlog.configure(wrapper_class=quiet)
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def administered(config: Config) -> Iterator[Node]:
    """The same, to change its tenants and principals.

    Raises:
        ClickException: it was never initialised, or the database role may not do that.
        VaultError: SCHEMA_UNKNOWN; else as ``opened``.
    """
    with inspected(config) as node:
        if node.engine.dialect.name == "postgresql":
            with node.engine.connect() as connection:
                allowed = connection.scalar(sa.select(sa.func.has_table_privilege(t.tenant.name, "INSERT")))
            if not allowed:
                raise click.ClickException(_OWNER_NEEDED)
        yield node


@contextmanager
def inspected(config: Config) -> Iterator[Node]:
    """The same, to look at them.

    Raises:
        ClickException: it was never initialised.
        VaultError: SCHEMA_UNKNOWN; else as ``opened``.
    """
    refuse_if_nothing_is_there(config)
    with opened(config) as node:
        if not is_initialised(node.engine):
            raise click.ClickException(_NOT_INITIALISED)
        schema.check(node.engine)
        yield node


@contextmanager
def changing_schema() -> Iterator[None]:
    """Around what only the owner of PostgreSQL's tables may do.

    Raises:
        ClickException: another role tried, or the role that rights were to be given to does not exist.
    """
    try:
        yield
    except sa.exc.ProgrammingError as error:
        problem = _SCHEMA_PROBLEMS.get(getattr(error.orig, "sqlstate", ""))
        if problem is None:
            raise
    else:
        return
    raise click.ClickException(problem)


def refuse_if_nothing_is_there(config: Config) -> None:
    """Say what to do about a vault of which not even the files exist, before its parts are missed one by one.

    Raises:
        ClickException: that is so.
    """
    sqlite_file = config.database.sqlite_file
    if sqlite_file and not sqlite_file.exists() and not database_key_path(sqlite_file).exists():
        raise click.ClickException(_NOT_INITIALISED)


def is_initialised(engine: sa.Engine) -> bool:
    """Whether the system tenant is there, which ``pdvault init`` makes last."""
    if not sa.inspect(engine).has_table(t.tenant.name):
        return False
    with engine.connect() as connection:
        return connection.execute(sa.select(t.tenant.c.uid).where(t.tenant.c.uid == SYSTEM_TENANT)).first() is not None
