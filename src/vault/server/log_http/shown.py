"""Which checkpoints of a log may be shown: those that it has signed, of the tree that is there, and none older than one before.

Whoever may write to the database could put any text into a log's rows, or an older checkpoint back; nobody shall have it from us.
What was verified once is remembered, so that the next request for it costs nothing.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from vault.audit.checkpoint import open_checkpoint
from vault.audit.merkle import root
from vault.audit.note import Note, NoteError, verifier
from vault.audit.tiles import TILE_WIDTH, Tile
from vault.errors import VaultError
from vault.store.log.reader import LogReader
from vault.v1 import common_pb2

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Published:
    """A checkpoint of a log that may be shown: ``signed`` as its row holds it, and what that says."""

    origin: str
    signed: str
    note: Note
    size: int
    root: bytes

    def covers(self, tile: Tile) -> bool:
        """Whether all of a tile is in the tree of this checkpoint."""
        hashes = self.size >> 8 * (tile.level or 0)
        return tile.index * TILE_WIDTH + tile.width <= hashes


class Shown:
    """The newest checkpoint of each log that was shown. May be used by several threads."""

    def __init__(self, connect: Callable[[], AbstractContextManager[sa.Connection]], public_key: Callable[[bytes], bytes]) -> None:
        """Begin with none.

        Args:
            connect: gives a connection for one transaction that reads.
            public_key: gives the public key of a log, by another way than the database.
        """
        self._connect = connect
        self._public_key = public_key
        self._newest: dict[bytes, Published] = {}
        self._told: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def newest(self, log_uid: bytes) -> Published | None:
        """The newest one shown. To be asked before the row is read: another thread may show a newer one meanwhile."""
        return self._newest.get(log_uid)

    def show(self, log_uid: bytes, row: tuple[str, str, int], before: Published | None) -> Published:
        """The checkpoint of a row, which is remembered as shown.

        Args:
            log_uid: of which log.
            row: the log's origin, the signed checkpoint, and its size, as the row has them.
            before: see ``newest``.

        Raises:
            VaultError: INTEGRITY, if it is none of this log, or not of the tree that is there; LOG_BEHIND_ANCHOR, if it is older
                than ``before`` or contradicts it; KMS_UNAVAILABLE, KMS_SEALED, KMS_DENIED; DATABASE_UNAVAILABLE and its like.
        """
        if before and row == (before.origin, before.signed, before.size):
            return before
        try:
            found = self._verified(log_uid, row, before)
        except VaultError as error:
            self._tell(log_uid, error)
            raise
        with self._lock:
            self._told.pop(log_uid, None)
            known = self._newest.get(log_uid)
            if known is None or known.size <= found.size:
                self._newest[log_uid] = found
        return found

    def miss(self, log_uid: bytes, before: Published | None) -> None:
        """Take note that a log has no checkpoint at all.

        Raises:
            VaultError: LOG_BEHIND_ANCHOR, if it had one before.
        """
        if before:
            self._tell(log_uid, error := _behind())
            raise error

    def _verified(self, log_uid: bytes, row: tuple[str, str, int], before: Published | None) -> Published:
        origin, signed, size = row
        try:
            checkpoint, note = open_checkpoint(signed, verifier(origin, self._public_key(log_uid)))
        except NoteError:
            raise altered() from None
        if checkpoint.size != size:
            raise altered()
        if before and size < before.size:
            raise _behind()
        with self._connect() as connection:
            hashes = LogReader(connection, log_uid).hashes
            if root(hashes, size) != checkpoint.root:
                raise altered()
            if before and root(hashes, before.size) != before.root:
                raise _behind()
        return Published(origin, signed, note, size, checkpoint.root)

    def _tell(self, log_uid: bytes, error: VaultError) -> None:
        """Say it once in the operational log, however often it is asked for."""
        with self._lock:
            known = self._told.get(log_uid)
            self._told[log_uid] = error.reason_name
        if known != error.reason_name:
            log.error("a log's checkpoint is not shown to its readers", tenant=log_uid.hex(), reason=error.reason_name)


def altered() -> VaultError:
    """The refusal to show what does not fit the log."""
    return VaultError(common_pb2.ERROR_REASON_INTEGRITY, "the audit log's tables were altered; the operator must investigate")


def _behind() -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        "the audit log is older than it was, or another one: the database was restored or edited. Its files are not served; the "
        "operator must reconcile it and then restart the server",
    )
