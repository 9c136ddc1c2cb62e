"""A node: database, KMS, keys in memory and runner, opened from the configuration and used by server and command line alike."""

from pathlib import Path

import sqlalchemy as sa

from vault.administration import Act
from vault.audit.chain import Chain
from vault.audit.events import SYSTEM_TENANT
from vault.create_tenant import CreateTenant, make_first_keys
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.kms.key_manager import KeyManager, KeyProvisioner
from vault.kms.keyring_secret import KeyringSecret, Passphrase, RawKey, from_file, from_variable
from vault.kms.local import LocalKeyManager
from vault.kms.local_provisioner import LocalProvisioner
from vault.kms.tenant_keys import KeyCache, KeysMissingError
from vault.kms.transit import TransitKeyManager
from vault.kms.transit_provisioner import TransitProvisioner
from vault.server.config import Config, ConfigError, LocalKms
from vault.store import engine as engines
from vault.store import schema
from vault.store.key_loader import Boot, KeyLoader
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
        self.keys = KeyCache(config.limits.key_cache_ttl_s)
        self.runner = Runner(self.engine, self.keys, lambda: Chain(config.node))
        self.loader = KeyLoader(self.engine, self.key_manager, self.boot)

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
        self.keys.put(first.keys)
        self.act(CreateTenant(uid, name, first, authorities))

    def check(self) -> None:
        """Refuse to serve what can't be served.

        Raises:
            VaultError: SCHEMA_UNKNOWN, or the KMS does not answer.
        """
        schema.check(self.engine)
        self.key_manager.check()

    def close(self) -> None:
        """Let go of everything."""
        self.keys.clear()
        self.engine.dispose()
        self.key_manager.close()
        if self._lock:
            self._lock.release()

    def _open_engine(self) -> sa.Engine:
        database = self.config.database
        if database.sqlite_file is None:
            url = database.url or (_read(database.url_file) if database.url_file else "")
            return engines.postgres(url)
        self._lock = engines.SingleProcessLock(database.sqlite_file)
        return engines.sqlite(database.sqlite_file, _database_key(database.sqlite_file, self.key_manager))


def provisioner(config: Config) -> KeyProvisioner:
    """Whoever may create tenants' keys in the KMS."""
    if isinstance(config.kms, LocalKms):
        return LocalProvisioner(config.kms.keyring_file, _keyring_secret(config.kms))
    return TransitProvisioner(config.kms.as_provisioner())


def create_database_key(config: Config) -> None:
    """Make the page key of a new SQLite file and keep it beside the file, wrapped by the KMS."""
    if config.database.sqlite_file is None:
        return
    manager = _key_manager(config)
    (wrapped,) = manager.wrap(SYSTEM_TENANT, [(Key.generate(), kms_context(SYSTEM_TENANT, _DATABASE_KEY, 1))])
    manager.close()
    _key_path(config.database.sqlite_file).write_bytes(wrapped.blob)


def _key_path(sqlite_file: Path) -> Path:
    return sqlite_file.with_name(sqlite_file.name + ".key")


def _database_key(sqlite_file: Path, manager: KeyManager) -> Key:
    path = _key_path(sqlite_file)
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


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
