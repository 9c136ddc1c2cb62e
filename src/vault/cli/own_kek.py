"""A tenant's own KEK, brought along in a file: read carefully, and handed to the KMS by the key worker's identity alone.

It never stands in the database, and never goes through a server: both would be one more place to destroy it in.
"""

import stat
from contextlib import closing
from pathlib import Path

import click

from vault.crypto.keys import KEY_BYTES, Key
from vault.server.backends import key_administrator
from vault.server.config import Config


def read_kek(path: Path) -> Key:
    """The key in a file of exactly 32 bytes that only its owner may read.

    Raises:
        ClickException: it is none.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise click.ClickException(f"others than its owner may read {path}: chmod 600 it, and think of the key as known to them")
    with path.open("rb") as file:
        content = file.read(KEY_BYTES + 1)
    if len(content) != KEY_BYTES:
        raise click.ClickException(f"{path} is no KEK: an AES-256 key is exactly {KEY_BYTES} random bytes, and no text")
    return Key(content)


def bring_first(config: Config, tenant_uid: bytes, kek: Key) -> None:
    """Make the key version 1 of a new tenant's KEK, before its other keys are made.

    Raises:
        VaultError: the KMS refuses or does not answer.
        ConfigError: the configuration names no identity of a key worker.
    """
    with closing(key_administrator(config)) as administrator:
        administrator.import_kek(tenant_uid, kek)


def bring_next(config: Config, tenant_uid: bytes, kek: Key) -> int:
    """Make the key the newest version of a tenant's KEK; its number. The next rotation uses it.

    Raises:
        ClickException: it was brought before.
        VaultError: the KMS refuses or does not answer; the tenant's KEK was made by the KMS.
        ConfigError: the configuration names no identity of a key worker.
    """
    with closing(key_administrator(config)) as administrator:
        latest = administrator.kek(tenant_uid).latest
        try:
            return administrator.import_version(tenant_uid, kek, latest)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
