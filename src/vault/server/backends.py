"""Database and KMS of a vault, opened as its configuration says.

The clients of Transit are imported where one is opened: with them come hvac, requests and urllib3, which a vault with local keys
never needs, and which are a good part of its start.
"""

import os
from pathlib import Path

import sqlalchemy as sa

from vault.access.issuing import write_private
from vault.audit.events import SYSTEM_TENANT
from vault.crypto.binding import kms_context
from vault.crypto.keys import Key
from vault.kms.key_administrator import KeyAdministrator
from vault.kms.key_manager import KeyManager, KeyProvisioner
from vault.kms.local.administrator import LocalAdministrator
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring_secret import KeyringSecret, Passphrase, RawKey, from_file, from_variable
from vault.kms.local.provisioner import LocalProvisioner
from vault.server.config import Config, ConfigError, DatabaseSettings, LocalKms, postgres_url
from vault.store import engine as engines

_DATABASE_KEY = "database"


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
    from vault.kms.transit.provisioner import TransitProvisioner

    return TransitProvisioner(config.kms.as_provisioner())


def create_database_key(config: Config) -> None:
    """Make the page key of a new SQLite file and keep it beside the file, wrapped by the KMS; one that is there stays.

    Raises:
        VaultError: the KMS refuses or does not answer.
    """
    if config.database.sqlite_file is None or database_key_path(config.database.sqlite_file).exists():
        return
    manager = key_manager(config)
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


def database_key(sqlite_file: Path, manager: KeyManager) -> Key:
    """The page key of an SQLite file.

    Raises:
        ConfigError: the file that holds it is missing.
        VaultError: the KMS refuses or does not answer.
    """
    path = database_key_path(sqlite_file)
    if not path.exists():
        raise ConfigError(f"{path} is missing: without it the database can't be opened; `pdvault init` makes a new vault")
    (key,) = manager.unwrap(SYSTEM_TENANT, [(path.read_bytes(), kms_context(SYSTEM_TENANT, _DATABASE_KEY, 1))])
    return key


def key_manager(config: Config) -> KeyManager:
    """The KMS, as the server's own identity.

    Raises:
        VaultError: it can't be opened.
        ConfigError: a file that the configuration names is missing.
    """
    if isinstance(config.kms, LocalKms):
        return LocalKeyManager(config.kms.keyring_file, _keyring_secret(config.kms))
    from vault.kms.transit.key_manager import TransitKeyManager

    return TransitKeyManager(config.kms.as_app())


def key_administrator(config: Config) -> KeyAdministrator:
    """Whoever may make and end KEK versions: the KMS, as the key worker's identity.

    Raises:
        VaultError: it can't be opened.
        ConfigError: no such identity is configured, or a file that the configuration names is missing.
    """
    if isinstance(config.kms, LocalKms):
        return LocalAdministrator(config.kms.keyring_file, _keyring_secret(config.kms))
    from vault.kms.transit.administrator import TransitAdministrator

    return TransitAdministrator(config.kms.as_key_worker())


def key_worker_manager(config: Config) -> KeyManager:
    """The KMS, as the key worker's identity, for what server nodes may do as well.

    Raises:
        VaultError: it can't be opened.
        ConfigError: no such identity is configured, or a file that the configuration names is missing.
    """
    if isinstance(config.kms, LocalKms):
        return key_manager(config)
    from vault.kms.transit.key_manager import TransitKeyManager

    return TransitKeyManager(config.kms.as_key_worker())


def _keyring_secret(kms: LocalKms) -> KeyringSecret:
    if kms.passphrase_file:
        return Passphrase(from_file(kms.passphrase_file))
    return RawKey(from_file(kms.key_file) if kms.key_file else from_variable(kms.key_variable or ""))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
