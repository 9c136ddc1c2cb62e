"""A node: database, KMS, keys in memory and runner, opened from the configuration and used by server and command line alike."""

import contextlib
import os
import ssl

import sqlalchemy as sa

from vault.administration import Act
from vault.audit.chain import Chain
from vault.audit.events import SYSTEM_TENANT
from vault.create_tenant import CreateTenant, begin_log, make_first_keys
from vault.kms.key_manager import KeyManager
from vault.kms.tenant_keys import KeyCache, KeysMissingError
from vault.server.backends import database_key, key_manager, postgres_engine, postgres_log_engine, provisioner
from vault.server.config import Config, ConfigError, ServerSettings
from vault.store import engine as engines
from vault.store import schema, writes
from vault.store import tables as t
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.key_loader import Boot, KeyLoader
from vault.store.log.gate import LogGate
from vault.store.runner import Runner


class Node:
    """Everything behind the edge. Close it when done."""

    def __init__(self, config: Config) -> None:
        """Open the node; no schema is checked yet.

        Raises:
            VaultError: the KMS or the database can't be opened.
            ConfigError: a file that the configuration names is missing.
        """
        self.config = config
        self.key_manager = self._open_key_manager()
        self._lock: engines.SingleProcessLock | None = None
        self.engine = self._open_engine()
        self.log_engine = self._open_log_engine()
        self.gate = LogGate(self.engine, self.key_manager)
        self.keys = KeyCache(config.limits.key_cache_ttl_s)
        self.runner = Runner(self.engine, self.keys, lambda: Chain(config.node))
        self.loader = KeyLoader(self.engine, self.key_manager, self.boot, self.gate)

    def boot(self) -> Boot:
        """The id and public key of the boot that writes this node's events."""
        chain = self.runner.chain
        return chain.boot_id, chain.public_key

    def act(self, act: Act) -> None:
        """Run an act of administration.

        Raises:
            VaultError: it was refused.
        """
        for _ in range(2):
            answer = self.runner.run([act])[0]
            if not isinstance(answer, KeysMissingError):
                break
            self.keys.put(self.loader.load(answer.tenant_uid))
        if isinstance(answer, Exception):
            raise answer

    def create_tenant(self, uid: bytes, name: str, authorities: list[tuple[bytes, bytes]]) -> None:
        """Create a tenant with its keys; ``authorities`` are pairs (SHA-256, DER) of issuing CAs.

        Raises:
            VaultError: the KMS or the database refuses.
        """
        if uid != SYSTEM_TENANT:
            self.keys.put(self.loader.load(SYSTEM_TENANT))
        with contextlib.closing(provisioner(self.config)) as creator:
            first = make_first_keys(uid, self.key_manager, creator, self.boot())
        log = begin_log(uid, self._origin(uid), self.key_manager)
        self.keys.put(first.keys)
        self.act(CreateTenant(uid, name, first, log, authorities))

    def begin_missing_logs(self) -> int:
        """Begin the logs of tenants that were made before there were logs; how many.

        Raises:
            VaultError: the KMS refuses or does not answer; LOG_BEHIND_ANCHOR, if it remembers entries of such a log.
            sqlalchemy.exc.SQLAlchemyError: the database does.
        """
        without = sa.select(t.tenant.c.uid).where(t.tenant.c.uid.not_in(sa.select(t.audit_log.c.tenant_uid)))
        with self.engine.connect() as connection:
            uids = connection.scalars(without).all()
        rows = [begin_log(uid, self._origin(uid), self.key_manager) for uid in uids]
        if rows:
            with self.engine.begin() as connection:
                writes.insert(connection, t.audit_log, rows)
        return len(rows)

    def check(self) -> None:
        """Refuse to serve what can't be served.

        Raises:
            VaultError: SCHEMA_UNKNOWN, or the database or the KMS does not answer.
            ConfigError: the server's certificate and key don't load.
        """
        _check_certificate(self.config.server)
        self.check_backends()

    def check_backends(self) -> None:
        """Refuse to work with what can't be worked with.

        Raises:
            VaultError: SCHEMA_UNKNOWN, or the database or the KMS does not answer.
        """
        try:
            schema.check(self.engine)
        except DATABASE_ERRORS as error:
            raise translate(error) from None
        self.key_manager.check()

    def end_boot(self) -> None:
        """End the boot: no calls come any more, and its last event in each log says so."""
        self.runner.end()

    def close(self) -> None:
        """End the boot and let go of everything."""
        self.end_boot()
        self.keys.clear()
        self.engine.dispose()
        self.log_engine.dispose()
        self.key_manager.close()
        if self._lock:
            self._lock.release()

    def _origin(self, tenant_uid: bytes) -> str:
        return f"{self.config.log.origin}/{tenant_uid.hex()}"

    def _open_key_manager(self) -> KeyManager:
        return key_manager(self.config)

    def _open_engine(self) -> sa.Engine:
        sqlite_file = self.config.database.sqlite_file
        if sqlite_file is None:
            return postgres_engine(self.config.database)
        key = database_key(sqlite_file, self.key_manager)
        self._lock = engines.SingleProcessLock(sqlite_file)
        return engines.sqlite(sqlite_file, key)

    def _open_log_engine(self) -> sa.Engine:
        """An engine for keeping the logs, as the role that may; for an SQLite file there is but one of either."""
        return self.engine if self.config.database.sqlite_file else postgres_log_engine(self.config.database)


def _check_certificate(server: ServerSettings) -> None:
    """Let OpenSSL load certificate and key: gRPC would start with any, and fail at each client's handshake."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(server.certificate_file, server.key_file, password="")
    except ssl.SSLError as error:
        raise ConfigError(
            f"server.certificate_file and server.key_file don't load ({error.reason}): both must be PEM and belong together, "
            "and the key must not be encrypted"
        ) from None
    except OSError as error:
        missing = "certificate_file" if not os.access(server.certificate_file, os.R_OK) else "key_file"
        raise ConfigError(f"server.{missing}: {getattr(server, missing)}: {error.strerror}") from None
