"""Where backups come from and go to: a vault's database opened beside a server that uses it, or an empty one to restore into."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import pyrage
import sqlalchemy as sa

from vault.access.issuing import write_private
from vault.audit.verify_errors import UncheckedError
from vault.backup.archive import BackupArchive
from vault.backup.restore import check_vault
from vault.cli import opening
from vault.cli.audit.bundle_file import is_encrypted, opened_bundle
from vault.server.backends import create_database_key, database_key, database_key_path, key_manager, postgres_engine
from vault.server.config import Config
from vault.server.node import Node
from vault.store import engine as engines

_BESIDE = ("", "-wal", "-shm", ".lock")
"""What is appended to an SQLite file's name for the files that belong to it, besides its key."""


@contextmanager
def read_beside_servers(config: Config) -> Iterator[sa.Engine]:
    """The vault's database, only to be read, whoever serves it meanwhile: SQLite's lock is for processes that write.

    Raises:
        ClickException: it was never initialised.
        VaultError: the KMS, which has the key of an SQLite file, refuses or does not answer.
        ConfigError: a file that the configuration names is missing.
    """
    opening.refuse_if_nothing_is_there(config)
    with opening.only_errors_logged():
        engine = _engine(config)
    try:
        if not opening.is_initialised(engine):
            raise click.ClickException("this vault is not initialised: there is nothing to back up")
        yield engine
    finally:
        engine.dispose()


def _engine(config: Config) -> sa.Engine:
    sqlite_file = config.database.sqlite_file
    if sqlite_file is None:
        return postgres_engine(config.database)
    with closing(key_manager(config)) as manager:
        return engines.sqlite(sqlite_file, database_key(sqlite_file, manager))


@contextmanager
def opened_backup(file: Path, identity_files: Sequence[Path]) -> Iterator[BinaryIO]:
    """A backup's archive, decrypted; seekable.

    Raises:
        ClickException: it is not encrypted with age, none of the identities is among its recipients, or it is damaged or cut off.
        OSError: a file can't be read.
    """
    if not is_encrypted(file):
        raise click.ClickException(f"{file} is no backup: backups are encrypted with age, and it is not")
    try:
        with opened_bundle(file, identity_files) as plain:
            yield plain
    except UncheckedError as error:
        raise click.ClickException(f"{file}: {error}") from None


def refuse_foreign(config: Config, archive: BackupArchive) -> None:
    """Refuse the backup of another vault before anything is made for it.

    Raises:
        VaultError: LOG_BEHIND_ANCHOR; of the KMS.
    """
    with opening.only_errors_logged(), closing(key_manager(config)) as manager:
        check_vault(archive.manifest, manager)


@contextmanager
def empty_vault(config: Config) -> Iterator[Node]:
    """A vault to restore into: its database is made if need be, and is not there any more if that fails.

    Raises:
        VaultError: the KMS or the database refuses or does not answer; whatever the body raises.
        ConfigError: a file that the configuration names is missing.
    """
    made = _missing(config)
    try:
        with opening.only_errors_logged():
            create_database_key(config)
        with opening.opened(config) as node, opening.changing_schema():
            yield node
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _missing(config: Config) -> list[Path]:
    """The files of an SQLite vault that are not there yet."""
    file = config.database.sqlite_file
    if file is None:
        return []
    paths = [database_key_path(file), *(file.with_name(file.name + suffix) for suffix in _BESIDE)]
    return [path for path in paths if not path.exists()]


@contextmanager
def new_identity(path: Path, backup: Path) -> Iterator[str]:
    """An age identity in a new file, readable for its owner only: its recipient. It goes again if there is no ``backup``.

    Raises:
        VaultError: the file exists.
        OSError: it can't be written.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_private(path, f"# created: {made}\n# public key: {recipient}\n{identity}\n".encode())
    try:
        yield recipient
    finally:
        if not backup.exists():
            path.unlink()
