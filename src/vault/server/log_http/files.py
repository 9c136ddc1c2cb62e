"""The files that a log is published as (C2SP tlog-tiles), made from the log's rows when they are asked for.

Only what the newest *published* checkpoint covers is served. Nothing that was ever covered changes, so a file may be read in
pieces, in one transaction after the other. Every width of a tile that is covered is served, so partial tiles exist for every
checkpoint there was.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from vault.audit.note import Verifier
from vault.audit.tiles import TILE_WIDTH, Tile, encode_bundle, parse_path
from vault.auditing.log import AuditLog, Published, cosignatures_by
from vault.errors import VaultError
from vault.server.log_http.shown import Shown
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.log.queries import LogQueries
from vault.store.log.reader import LogReader, missing
from vault.v1 import common_pb2

CHECKPOINT = "checkpoint"
COSIGNED_CHECKPOINT = "cosigned-checkpoint"

_MAX_PATH = 128
_URL_PATH = re.compile(r"/([0-9a-f]{32})/(.+)", re.ASCII)
_PATIENCE_S = 5.0
_PIECE = 1024 * 1024
_ENTRIES_AT_ONCE = 16
"""Of at most 64 KiB each: where a bundle is larger than a piece, a piece is so many entries."""


@dataclass(frozen=True)
class Wanted:
    """What a URL's path names: a tile or bundle, else a checkpoint."""

    log_uid: bytes
    tile: Tile | None
    cosigned: bool = False

    @property
    def path(self) -> str:
        """The path within the log, in its one spelling."""
        if self.tile is None:
            return COSIGNED_CHECKPOINT if self.cosigned else CHECKPOINT
        return self.tile.path

    @property
    def is_bundle(self) -> bool:
        """Whether it holds entries; everything else holds hashes only."""
        return self.tile is not None and self.tile.level is None


@dataclass(frozen=True)
class Content:
    """A file's length in bytes, and what reads its pieces, one after the other."""

    length: int
    pieces: list[Callable[[], bytes]]


def parse_url_path(path: str) -> Wanted:
    """What the path of a URL names; nothing in it is decoded, since nothing needs to be.

    Raises:
        VaultError: MALFORMED_REQUEST, if it is none of a log's.
    """
    match = _URL_PATH.fullmatch(path) if len(path) <= _MAX_PATH else None
    if match is not None:
        log_uid = bytes.fromhex(match[1])
        if match[2] in (CHECKPOINT, COSIGNED_CHECKPOINT):
            return Wanted(log_uid, None, match[2] == COSIGNED_CHECKPOINT)
        try:
            return Wanted(log_uid, parse_path(match[2]))
        except ValueError:
            pass
    raise VaultError(common_pb2.ERROR_REASON_MALFORMED_REQUEST, "no path of a log's files (docs/formats-log.md)")


class LogFiles:
    """Reads a vault's logs. Every method blocks and may be called on any thread.

    Every method may raise VaultError: DATABASE_UNAVAILABLE and its like; INTEGRITY if rows are missing or do not fit.
    """

    def __init__(self, engine: sa.Engine, public_key: Callable[[bytes], bytes], witnesses: Sequence[Verifier]) -> None:
        """Begin.

        Args:
            engine: the database.
            public_key: of a log, 32 bytes, as the KMS has it.
            witnesses: the configured witnesses' keys.
        """
        self._engine = engine
        self._public_key = public_key
        self._witnesses = witnesses
        self._published, self._cosigned = Shown(), Shown()

    def published(self, log_uid: bytes) -> Published | None:
        """A log's newest published checkpoint, None if there is no such log or nothing is published of it yet.

        Raises:
            VaultError: it may not be shown (``Shown.show``).
        """
        before = self._published.newest(log_uid)
        with self._log(log_uid) as log:
            head = log.queries.find_head()
            if head is None or not head.checkpoint:
                self._published.miss(log_uid, before)
                return None
            return self._published.show(log, head.checkpoint, head.checkpoint_size, before)

    def checkpoint(self, log_uid: bytes, published: Published) -> Content:
        """The newest checkpoint with the cosignatures it has already.

        Raises:
            VaultError: INTEGRITY, if one of them is bad.
        """
        with self._log(log_uid) as log:
            return _text(published.cosigned(log.queries.cosignatures(), self._witnesses))

    def cosigned_checkpoint(self, log_uid: bytes) -> Content | None:
        """The newest checkpoint that any witness has cosigned, with its cosignatures; None if none has.

        Raises:
            VaultError: it may not be shown (``Shown.show``); INTEGRITY, if a cosignature is bad.
        """
        before = self._cosigned.newest(log_uid)
        with self._log(log_uid) as log:
            given = cosignatures_by(log.queries.cosignatures(), self._witnesses)
            newest = max(given, key=lambda row: row.size, default=None)
            if newest is None:
                return None
            shown = self._cosigned.show(log, newest.checkpoint, newest.size, before)
            return _text(shown.cosigned(given, self._witnesses))

    def tile(self, log_uid: bytes, tile: Tile) -> Content:
        """A tile of hashes or a bundle of entries, which the published checkpoint covers."""
        start = tile.index * TILE_WIDTH
        end = start + tile.width
        if tile.level is None:
            return self._bundle(log_uid, start, end)
        with self._connection() as connection:
            hashes = b"".join(LogReader(connection, log_uid).hashes(tile.level, start, end))
        return Content(len(hashes), [lambda: hashes])

    def _bundle(self, log_uid: bytes, start: int, end: int) -> Content:
        c = t.audit_entry.c
        lengths = sa.select(sa.func.count(), sa.func.sum(sa.func.length(c.leaf))).where(
            c.tenant_uid == log_uid, c.leaf_index >= start, c.leaf_index < end
        )
        with self._connection() as connection:
            count, total = connection.execute(lengths).one()
        if count != end - start:
            raise missing(f"an entry from {start} to {end - 1}")
        length = int(total) + 2 * count
        step = TILE_WIDTH if length <= _PIECE else _ENTRIES_AT_ONCE
        return Content(length, [self._piece(log_uid, at, min(at + step, end)) for at in range(start, end, step)])

    def _piece(self, log_uid: bytes, start: int, end: int) -> Callable[[], bytes]:
        def read() -> bytes:
            with self._connection() as connection:
                return encode_bundle([entry.leaf for entry in LogReader(connection, log_uid).entries(start, end)])

        return read

    @contextmanager
    def _log(self, log_uid: bytes) -> Iterator[AuditLog]:
        with self._connection() as connection:
            deadline = time.monotonic() + _PATIENCE_S
            yield AuditLog(LogQueries(connection, log_uid), self._public_key, self._witnesses, deadline)

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            with reading(self._engine, _PATIENCE_S) as connection:
                yield connection
        except DATABASE_ERRORS as error:
            raise translate(error) from None


def _text(note: str) -> Content:
    data = note.encode()
    return Content(len(data), [lambda: data])
