"""The two stacks the demo runs on: one process with SQLite and a local keyring, or the real PostgreSQL and OpenBao."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import sqlalchemy as sa

from deploy.local_stack.openbao import OpenBaoServer
from deploy.local_stack.openbao_setup import Credentials
from deploy.local_stack.postgres import DURABLE, PostgresServer
from vault.cli.development import DevVault, make, populate, write_certificates, write_config
from vault.server.config import Config, load
from vault.store import schema
from vault.store.engine import postgres

_ANY_PORT = "127.0.0.1:0"
_DATABASE, _ROLE, _LOG_ROLE, _KEYS_ROLE = "vault", "vault_server", "vault_log", "vault_keys"


@dataclass
class Stack:
    """A vault that is ready to be served.

    Attributes:
        title: what it runs on.
        vault: its files.
        owner: the configuration that its operator works with.
        folders: where everything lies that it, its database and its KMS write.
        stop: ends database and KMS, so that all they know is on disk.
        key_worker: the configuration of the key worker, where it is a process of its own.
        tamper: tries, with the server's own rights on the database, to delete audit events; what the database says to it.
    """

    title: str
    vault: DevVault
    owner: Config
    folders: list[Path]
    stop: Callable[[], None] = lambda: None
    tamper: Callable[[], str] | None = field(default=None)
    key_worker: Path | None = None


@contextmanager
def local(folder: Path) -> Iterator[Stack]:
    """SQLite (SQLCipher) and a local keyring: what ``pdvault dev`` makes."""
    vault = make(folder / "vault", _ANY_PORT, _ANY_PORT)
    yield Stack("SQLite and a local keyring", vault, vault.config(), [folder])


@contextmanager
def full(folder: Path) -> Iterator[Stack]:
    """PostgreSQL, which logs every statement with its parameters, and OpenBao, which keeps its audit log."""
    with OpenBaoServer(folder / "openbao") as bao, PostgresServer({**DURABLE, "log_statement": "all"}) as database:
        owner_url = database.create_database(_DATABASE)
        for role in (_ROLE, _LOG_ROLE, _KEYS_ROLE):
            database.create_role(role)
        server_url, log_url = database.url(_DATABASE, _ROLE), database.url(_DATABASE, _LOG_ROLE)
        vault = DevVault((folder / "vault").absolute())
        ca = write_certificates(vault, _ANY_PORT)
        kms = f'[kms]\nkind = "transit"\naddress = "{bao.address}"\nca_file = "{bao.ca_file.absolute()}"\n'
        kms += _login("auth", bao.credentials("app"))
        write_config(vault.config_file, _ANY_PORT, _ANY_PORT, f'[database]\nurl = "{server_url}"\nlog_url = "{log_url}"\n\n{kms}')
        key_worker = vault.folder / "key-worker.toml"
        keys_url = f'[database]\nurl = "{database.url(_DATABASE, _KEYS_ROLE)}"\n\n'
        write_config(key_worker, _ANY_PORT, _ANY_PORT, keys_url + kms + _login("key_worker", bao.credentials("key-worker")))
        kms += _login("provisioner", bao.credentials("provisioner"))
        owner_file = vault.folder / "owner.toml"
        write_config(owner_file, _ANY_PORT, _ANY_PORT, f'[database]\nurl = "{owner_url}"\n\n{kms}')
        owner = load(owner_file)
        populate(owner, ca)
        engine = postgres(owner_url)
        schema.grant(engine, _ROLE, schema.SERVER_MAY)
        schema.grant(engine, _LOG_ROLE, schema.INTEGRATOR_MAY)
        schema.grant(engine, _KEYS_ROLE, schema.KEY_WORKER_MAY)
        with engine.connect() as connection:
            data = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        engine.dispose()

        def stop() -> None:
            bao.stop()
            database.stop()

        folders = [folder, data.parent]
        yield Stack("PostgreSQL and OpenBao", vault, owner, folders, stop, lambda: _delete_events(server_url), key_worker)


STACKS: dict[str, Callable[[Path], AbstractContextManager[Stack]]] = {"local": local, "full": full}


def _login(name: str, credentials: Credentials) -> str:
    role_id, secret_id = credentials.role_id_file.absolute(), credentials.secret_id_file.absolute()
    return f'\n[kms.{name}]\nmethod = "approle"\nrole_id_file = "{role_id}"\nsecret_id_file = "{secret_id}"\n'


def _delete_events(server_url: str) -> str:
    engine = postgres(server_url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM audit_pending")
    except sa.exc.ProgrammingError as error:
        return str(error.orig.diag.message_primary) if isinstance(error.orig, psycopg.Error) else "refused"
    finally:
        engine.dispose()
    raise AssertionError("the server's role could delete audit events")
