"""A backup into an empty database, in one transaction: all of it, or nothing.

What comes out serves nothing. Each log carries a mark (``restoration``) that no server gives keys past, until it is reconciled with
what the KMS remembers, even where the log is not behind its anchor: an erasure may have happened since all the same.
"""

from collections.abc import Callable

import sqlalchemy as sa

from vault.audit.continuing import opened
from vault.audit.note import NoteError
from vault.backup import create
from vault.backup.archive import BackupArchive
from vault.backup.load import check_tables, load
from vault.backup.manifest import Log, Manifest, refusal
from vault.crypto.binding import kms_context
from vault.errors import VaultError
from vault.kms.key_manager import Anchored, KeyManager, KmsDeniedError, KmsIntegrityError
from vault.kms.tenant_keys import AUTHORITY, EPOCH, INDEX
from vault.store import schema
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.check import verify_log
from vault.store.rows import RestorationRow
from vault.store.writes import insert
from vault.v1 import common_pb2


def restore(
    engine: sa.Engine, key_manager: KeyManager, archive: BackupArchive, tell: Callable[[int, int], None] = lambda *_: None
) -> str:
    """Restore a backup; answers the schema's version, which may be newer than the backup's.

    Args:
        engine: of an empty database, as the role that is to own the tables.
        key_manager: the KMS that the vault had.
        archive: the backup.
        tell: told how much is done, of how much: bytes are checked, then loaded.

    Raises:
        VaultError: CONFLICT, if the database is not empty; SCHEMA_UNKNOWN, if the backup's schema is not known here;
            LOG_BEHIND_ANCHOR, if it is of another vault than the KMS's; INTEGRITY, if it is not whole or not what it says, or its
            keys are destroyed; of the KMS. In all cases, nothing was changed.
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer; likewise.
    """
    manifest = archive.manifest
    _check_schema(manifest)
    check_empty(engine)
    check_vault(manifest, key_manager)
    size = archive.size
    archive.check(lambda done: tell(done, 2 * size))
    with engine.begin() as connection:
        schema.upgrade_to(connection, manifest.schema_revision)
        check_tables(connection, manifest.tables, schema.VERSION_TABLE)
        done = size
        for table in manifest.tables:
            load(connection, table, archive.chunks(table))
            done += sum(part.size for part in table.parts)
            tell(done, 2 * size)
        version = schema.upgrade_to(connection, "head")
        _check_loaded(connection, manifest, key_manager)
        _mark(connection, manifest.logs, archive.manifest_sha256)
    return version


def check_empty(engine: sa.Engine) -> None:
    """Refuse a database that is somebody's.

    Raises:
        VaultError: CONFLICT.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    if sa.inspect(engine).get_table_names():
        raise VaultError(
            common_pb2.ERROR_REASON_CONFLICT,
            "the database has tables already, and a backup is restored into an empty one only: name a new one in the "
            "configuration; nothing was changed",
        )


def check_vault(manifest: Manifest, key_manager: KeyManager) -> None:
    """Refuse the backup of another vault than the one whose logs the KMS remembers.

    Raises:
        VaultError: LOG_BEHIND_ANCHOR; of the KMS.
    """
    if not manifest.logs:
        raise refusal("there is no log in it")
    for log in manifest.logs:
        tenant_uid = bytes.fromhex(log.tenant_uid)
        try:
            public_key = key_manager.log_public_key(tenant_uid)
            anchor = key_manager.read_anchor(tenant_uid)
        except KmsDeniedError:
            raise _foreign(log, "the KMS has no such tenant, or does not show it to the vault's identity") from None
        if anchor is None:
            raise _foreign(log, "the KMS remembers no such log")
        _check_log(log, tenant_uid, public_key, anchor)


def _check_log(log: Log, tenant_uid: bytes, public_key: bytes, anchor: Anchored) -> None:
    try:
        checkpoint = opened(log.checkpoint, tenant_uid, public_key)
    except NoteError:
        raise _foreign(log, "its checkpoint is not signed by the log's key in the KMS") from None
    try:
        opened(anchor.text, tenant_uid, public_key)
    except NoteError:
        raise _foreign(log, "what the KMS remembers of it is no checkpoint of such a log") from None
    if (checkpoint.origin, checkpoint.size) != (log.origin, log.checkpoint_size):
        raise refusal(f"what it says of the log {log.origin} is not what the log's checkpoint says")


def _check_schema(manifest: Manifest) -> None:
    if not schema.is_known(manifest.schema_revision):
        raise VaultError(
            common_pb2.ERROR_REASON_SCHEMA_UNKNOWN,
            f"the backup's tables have schema {manifest.schema_revision}, which this release does not know: restore it with the "
            "release that made it, or a newer one; nothing was changed",
        )


def _check_loaded(connection: sa.Connection, manifest: Manifest, key_manager: KeyManager) -> None:
    """Hold the tables against the manifest, each log against its own checkpoint, and each tenant's keys against the KMS."""
    if create.keys(connection) != manifest.keys or create.logs(connection) != manifest.logs:
        raise refusal("its tables do not hold the keys and logs that its manifest names")
    if [keys.tenant_uid for keys in manifest.keys] != [log.tenant_uid for log in manifest.logs]:
        raise refusal("it has a tenant without a log, or a log without its tenant")
    for log in manifest.logs:
        tenant_uid = bytes.fromhex(log.tenant_uid)
        verify_log(connection, tenant_uid, Anchored(log.checkpoint, 1), key_manager.log_public_key(tenant_uid))
        _check_keys(connection, tenant_uid, key_manager)


def _check_keys(connection: sa.Connection, tenant_uid: bytes, key_manager: KeyManager) -> None:
    c, tenant = t.tenant_key.c, t.tenant.c
    current = sa.select(tenant.epoch, tenant.index_key_version).where(tenant.uid == tenant_uid)
    epoch, index_key = connection.execute(current).one()
    rows = connection.execute(sa.select(c.kind, c.version, c.wrapped).where(c.tenant_uid == tenant_uid)).all()
    authority = max((row.version for row in rows if row.kind == AUTHORITY), default=None)
    needed = {(EPOCH, epoch), (INDEX, index_key), (AUTHORITY, authority)}
    wrapped = [(row.wrapped, kms_context(tenant_uid, row.kind, row.version)) for row in rows if (row.kind, row.version) in needed]
    if len(wrapped) != len(needed):
        raise refusal(f"a key of the tenant {tenant_uid.hex()} is missing from it")
    try:
        key_manager.unwrap(tenant_uid, wrapped)
    except KmsIntegrityError:
        raise refusal(
            f"the KMS can't open the keys of the tenant {tenant_uid.hex()}: the version of its KEK that wrapped them was destroyed "
            "since (the backup is older than the horizon), or they were altered"
        ) from None


def _mark(connection: sa.Connection, logs: list[Log], manifest_sha256: bytes) -> None:
    now = now_us(connection)
    rows = [RestorationRow(bytes.fromhex(log.tenant_uid), now, log.size, manifest_sha256) for log in logs]
    insert(connection, t.restoration, rows)


def _foreign(log: Log, why: str) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        f"the backup is not of the vault whose keys and anchors are in this KMS: of the log {log.origin}, {why}; name the right "
        "KMS in the configuration; nothing was changed",
    )
