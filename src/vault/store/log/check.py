"""Whether a log in the database is the one that its anchor remembers: what decides that it may grow, and that calls are served.

The hashes of the log's right edge are read and the roots computed from them, at the anchored size and at the head. That the
entries before the edge are those that were hashed is for whoever reads them to check, and for ``pdvault audit verify``.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.merkle import CompactRange, root
from vault.audit.note import NoteError, Verifier, verifier
from vault.errors import VaultError
from vault.kms.key_manager import Anchored
from vault.store import tables as t
from vault.store.log.reader import LogReader
from vault.store.log.rows import LogRow
from vault.v1 import common_pb2


@dataclass(frozen=True)
class Verified:
    """A log that is in order.

    Attributes:
        head: its row.
        tail: its right edge, at the head.
        key: its public key.
        anchored: the checkpoint in the anchor.
        anchor: the anchor.
        forged: whether the checkpoint in its row is none of this log; whoever may write puts the anchored one in its place.
    """

    head: LogRow
    tail: CompactRange
    key: Verifier
    anchored: Checkpoint
    anchor: Anchored
    forged: bool


def check_log(connection: sa.Connection, tenant_uid: bytes, anchor: Anchored | None, public_key: bytes) -> Verified:
    """Check a log in one snapshot of the database.

    Args:
        connection: in a transaction that sees one snapshot (``engine.reading``).
        tenant_uid: whose log.
        anchor: as the KMS had it before the transaction began, since the log may grow meanwhile.
        public_key: the log's, from the KMS.

    Raises:
        VaultError: RESTORED_NOT_RECONCILED; LOG_BEHIND_ANCHOR, if the anchor remembers another or a longer log; INTEGRITY, if the
            anchor or a part of the log is missing, or the parts don't fit together.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.restoration.c.tenant_uid
    if connection.execute(sa.select(c).where(c == tenant_uid)).first() is not None:
        raise VaultError(
            common_pb2.ERROR_REASON_RESTORED_NOT_RECONCILED,
            "the vault was restored from a backup: nothing is served until `pdvault restore reconcile` is done",
        )
    return verify_log(connection, tenant_uid, anchor, public_key)


def verify_log(connection: sa.Connection, tenant_uid: bytes, anchor: Anchored | None, public_key: bytes) -> Verified:
    """The same for a log that was restored and need not be reconciled yet.

    Raises:
        VaultError: as ``check_log``, but for RESTORED_NOT_RECONCILED.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    reader = LogReader(connection, tenant_uid)
    head = reader.head()
    if anchor is None:
        raise damaged("its anchor is missing from the KMS")
    try:
        key = verifier(head.origin, public_key)
        anchored, _ = open_checkpoint(anchor.text, key)
    except NoteError:
        raise _behind("what its anchor holds is no signed checkpoint of this log") from None
    if anchored.size > head.size:
        raise _behind(f"it has {head.size} entries, its anchor remembers {anchored.size}")
    if root(reader.hashes, anchored.size) != anchored.root:
        raise _behind(f"its first {anchored.size} entries are not those that its anchor remembers")
    tail = CompactRange.load(reader.hashes, head.size)
    if tail.root() != head.root:
        raise damaged(f"its head, of {head.size} entries, does not fit its entries")
    _check_nothing_beyond(connection, head)
    return Verified(head, tail, key, anchored, anchor, forged=not _is_published(reader, head, key, anchor))


def _is_published(reader: LogReader, head: LogRow, key: Verifier, anchor: Anchored) -> bool:
    """Whether the checkpoint in the log's row is one that this log has signed, of the size that the row says."""
    try:
        published, _ = open_checkpoint(head.checkpoint, key)
    except NoteError:
        return False
    if not published.size == head.checkpoint_size <= head.size:
        return False
    return head.checkpoint == anchor.text or root(reader.hashes, published.size) == published.root


def _check_nothing_beyond(connection: sa.Connection, head: LogRow) -> None:
    c = t.audit_entry.c
    beyond = sa.select(c.leaf_index).where(c.tenant_uid == head.tenant_uid, c.leaf_index >= head.size).limit(1)
    found = connection.scalar(beyond)
    if found is not None:
        raise damaged(f"it has {head.size} entries, yet there is an entry {found}")


def _behind(what: str) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        f"the audit log is behind its anchor or not consistent with it: {what}. The database was restored or edited; nothing is "
        "served; the operator must reconcile it",
    )


def damaged(what: str) -> VaultError:
    """The refusal for a log whose parts don't fit together."""
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY,
        f"the audit log is damaged: {what}; nothing is served; the operator must investigate",
    )
