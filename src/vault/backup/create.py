"""A backup in the making: every table in one snapshot of the database, so it is of one moment, however long it takes.

It holds rows as they are stored, so values and keys only in their envelopes, and no dead rows: what was erased or deleted before
that moment is not in it (docs/decisions/0009-logical-backups.md). The keys that open the envelopes are in the KMS, and stay there.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator

import sqlalchemy as sa

from vault.backup import manifest as m
from vault.backup.row_stream import kind_of
from vault.backup.unload import count, unload
from vault.errors import VaultError
from vault.store import schema
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.engine import reading
from vault.v1 import common_pb2

PART_BYTES = 16 * 1024 * 1024
_PATIENCE_S = 24 * 3600.0

Progress = Callable[[str, int, int], None]
"""Told the table, and how many of how many rows of all have come."""


class Backup:
    """The files of a backup, to be gone through once.

    Attributes:
        manifest: what the backup says about itself; there once all files have come.
    """

    manifest: m.Manifest

    def __init__(self, engine: sa.Engine, tell: Progress = lambda *_: None) -> None:
        """Of the database behind ``engine``, whose role must be allowed to read all tables."""
        self._engine = engine
        self._tell = tell
        self._done = self._total = 0

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """(path, next piece of that file): files one after the other, and the manifest last, so that none cut short has one.

        Raises:
            VaultError: SCHEMA_UNKNOWN; RESTORED_NOT_RECONCILED; DATABASE_UNAVAILABLE.
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
        """
        schema.check(self._engine)
        with reading(self._engine, _PATIENCE_S) as connection:
            _refuse_restored(connection)
            time_us = now_us(connection)
            self._total = sum(count(connection, table) for table in t.metadata.sorted_tables)
            tables = list[m.Table]()
            for table in t.metadata.sorted_tables:
                tables.append((yield from self._table(connection, table)))
            self.manifest = m.Manifest(
                format=m.FORMAT,
                schema_revision=schema.version_of(connection) or "",
                time_us=time_us,
                database=connection.dialect.name,
                keys=keys(connection),
                logs=logs(connection),
                tables=tables,
            )
        yield m.PATH, self.manifest.encode()

    def _table(self, connection: sa.Connection, table: sa.Table) -> Generator[tuple[str, bytes], None, m.Table]:
        parts, rows, before = list[m.Part](), 0, self._done
        digest, size = hashlib.sha256(), 0
        for data, rows in unload(connection, table):
            if size and size + len(data) > PART_BYTES:
                parts.append(_part(table, parts, digest, size))
                digest, size = hashlib.sha256(), 0
            digest.update(data)
            size += len(data)
            self._done = before + rows
            self._tell(table.name, self._done, self._total)
            yield _path(table, parts), data
        parts.append(_part(table, parts, digest, size))
        columns = [m.Column(name=column.name, kind=kind_of(column.type)) for column in table.columns]
        return m.Table(name=table.name, columns=columns, rows=rows, parts=parts)


def keys(connection: sa.Connection) -> list[m.Keys]:
    """Which keys each tenant has, in the order of their uids."""
    rows = connection.execute(sa.select(t.tenant).order_by(t.tenant.c.uid))
    return [
        m.Keys(
            tenant_uid=row.uid.hex(), key_generation=row.key_generation, epoch=row.epoch, index_key_version=row.index_key_version
        )
        for row in rows
    ]


def logs(connection: sa.Connection) -> list[m.Log]:
    """Each log's head, in the order of their tenants' uids."""
    rows = connection.execute(sa.select(t.audit_log).order_by(t.audit_log.c.tenant_uid))
    return [
        m.Log(
            tenant_uid=row.tenant_uid.hex(),
            origin=row.origin,
            size=row.size,
            root=row.root.hex(),
            checkpoint_size=row.checkpoint_size,
            checkpoint=row.checkpoint,
        )
        for row in rows
    ]


def _refuse_restored(connection: sa.Connection) -> None:
    """A backup of what a backup was restored to and nobody has reconciled would bring back the erased unseen."""
    if count(connection, t.restoration):
        raise VaultError(
            common_pb2.ERROR_REASON_RESTORED_NOT_RECONCILED,
            "the vault was itself restored from a backup: run `pdvault restore reconcile`, then back it up",
        )


def _path(table: sa.Table, before: list[m.Part]) -> str:
    return f"tables/{table.name}/{len(before):06}"


def _part(table: sa.Table, before: list[m.Part], digest: "hashlib._Hash", size: int) -> m.Part:
    return m.Part(path=_path(table, before), size=size, sha256=digest.hexdigest())
