"""A node: database, KMS, keys in memory and runner, opened from the configuration and used by server and command line alike."""

import os
import ssl
from pathlib import Path

import sqlalchemy as sa

from vault.access.issuing import write_private
from vault.administration import Act
from vault.audit.chain import Chain
from vault.audit.events import SYSTEM_TENANT
from vault.create_tenant import CreateTenant, begin_log, make_first_keys
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.kms.key_manager import KeyManager, KeyProvisioner
from vault.kms.keyring_secret import KeyringSecret, Passphrase, RawKey, from_file, from_variable
from vault.kms.local import LocalKeyManager
from vault.kms.local_provisioner import LocalProvisioner
from vault.kms.tenant_keys import KeyCache, KeysMissingError
from vault.kms.transit import TransitKeyManager
from vault.kms.transit_provisioner import TransitProvisioner
from vault.server.config import Config, ConfigError, DatabaseSettings, LocalKms, ServerSettings, postgres_url
from vault.store import engine as engines
from vault.store import schema
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.key_loader import Boot, KeyLoader
from vault.store.log_gate import LogGate
from vault.store.runner import Runner

_DATABASE_KEY = "database"


class Node:
    """Everything behind the edge. Close it when done."""

    def __init__(self, config: Config) -> None:
        """Open the node; no schema is checked yet.

        Raises:
            VaultError: the KMS or the database can't be opened.
            ConfigError: a file that the configuration names is missing.
        """
        self.config = config
        self.key_manager = _key_manager(config)
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
        first = make_first_keys(uid, self.key_manager, provisioner(self.config), self.boot())
        log = begin_log(uid, f"{self.config.log.origin}/{uid.hex()}", self.key_manager)
        self.keys.put(first.keys)
        self.act(CreateTenant(uid, name, first, log, authorities))

    def check(self) -> None:
        """Refuse to serve what can't be served.

        Raises:
            VaultError: SCHEMA_UNKNOWN, or the database or the KMS does not answer.
            ConfigError: the server's certificate and key don't load.
        """
        _check_certificate(self.config.server)
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

    def _open_engine(self) -> sa.Engine:
        sqlite_file = self.config.database.sqlite_file
        if sqlite_file is None:
            return postgres_engine(self.config.database)
        key = _database_key(sqlite_file, self.key_manager)
        self._lock = engines.SingleProcessLock(sqlite_file)
        return engines.sqlite(sqlite_file, key)

    def _open_log_engine(self) -> sa.Engine:
        """An engine for keeping the logs, as the role that may; for an SQLite file there is but one of either."""
        return self.engine if self.config.database.sqlite_file else postgres_log_engine(self.config.database)


def postgres_engine(database: DatabaseSettings) -> sa.Engine:
    """An engine for the PostgreSQL that the configuration names.

    Raises:
        ConfigError: the file with its URL can't be read, or holds none.
    """
    return _postgres("url", database.url, database.url_file)


def postgres_log_engine(database: DatabaseSettings) -> sa.Engine:
    """An engine for the same PostgreSQL, as the role by which the server keeps the audit logs.

    Raises:
        ConfigError: as ``postgres_engine``.
    """
    if database.log_url or database.log_url_file:
        return _postgres("log_url", database.log_url, database.log_url_file)
    return postgres_engine(database)


def _postgres(setting: str, url: str | None, file: Path | None) -> sa.Engine:
    given = _read(file) if file else url
    try:
        return engines.postgres(postgres_url(given or ""))
    except (ValueError, sa.exc.ArgumentError):  # its text would hold the URL, which may hold a password
        pass
    raise ConfigError(f"database.{setting}{'_file' if file else ''}: must be a URL like postgresql+psycopg://user@host:5432/vault")


def provisioner(config: Config) -> KeyProvisioner:
    """Whoever may create tenants' keys in the KMS."""
    if isinstance(config.kms, LocalKms):
        return LocalProvisioner(config.kms.keyring_file, _keyring_secret(config.kms))
    return TransitProvisioner(config.kms.as_provisioner())


def create_database_key(config: Config) -> None:
    """Make the page key of a new SQLite file and keep it beside the file, wrapped by the KMS; one that is there stays.

    Raises:
        VaultError: the KMS refuses or does not answer.
    """
    if config.database.sqlite_file is None or database_key_path(config.database.sqlite_file).exists():
        return
    manager = _key_manager(config)
    try:
        (wrapped,) = manager.wrap(SYSTEM_TENANT, [(Key.generate(), kms_context(SYSTEM_TENANT, _DATABASE_KEY, 1))])
    finally:
        manager.close()
    path = database_key_path(config.database.sqlite_file)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    write_private(draft, wrapped.blob)
    os.replace(draft, path)


def database_key_path(sqlite_file: Path) -> Path:
    """Where the wrapped page key of an SQLite file lies."""
    return sqlite_file.with_name(sqlite_file.name + ".key")


def _database_key(sqlite_file: Path, manager: KeyManager) -> Key:
    path = database_key_path(sqlite_file)
    if not path.exists():
        raise ConfigError(f"{path} is missing: without it the database can't be opened; `pdvault init` makes a new vault")
    (key,) = manager.unwrap(SYSTEM_TENANT, [(path.read_bytes(), kms_context(SYSTEM_TENANT, _DATABASE_KEY, 1))])
    return key


def _key_manager(config: Config) -> KeyManager:
    if isinstance(config.kms, LocalKms):
        return LocalKeyManager(config.kms.keyring_file, _keyring_secret(config.kms))
    return TransitKeyManager(config.kms.as_app())


def _keyring_secret(kms: LocalKms) -> KeyringSecret:
    if kms.passphrase_file:
        return Passphrase(from_file(kms.passphrase_file))
    return RawKey(from_file(kms.key_file) if kms.key_file else from_variable(kms.key_variable or ""))


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


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
