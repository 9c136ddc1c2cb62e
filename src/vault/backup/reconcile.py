"""A restored log, reconciled with what the KMS remembers: the erased are erased again, and the log goes on under a new name.

For each log, two steps. The anchor moves, by compare-and-swap, to the first checkpoint under the new name, which says what it goes
on from. Then, in one transaction, everything else. Killed between the two, the log is still refused to everybody, and running this
again finds in the anchor what the first attempt found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from vault.administration import operator
from vault.audit.chain import Chain, announcement
from vault.audit.checkpoint import Checkpoint
from vault.audit.continuing import continued, continuing, opened, parse_name
from vault.audit.events import Draft
from vault.audit.merkle import root
from vault.audit.note import NoteError, encode_base64, sign_note, verifier
from vault.backup.erasures import Repeated, erase_again, is_any_back
from vault.errors import VaultError
from vault.kms.key_manager import Anchored, AnchorMovedError, KeyManager
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.log.chains import Trouble
from vault.store.log.check import Verified, check_log, verify_log
from vault.store.log.reader import LogReader
from vault.store.log.takeover import read_again
from vault.store.queries import now_us
from vault.store.rows import LogRow, PendingRow
from vault.store.writes import insert
from vault.v1 import common_pb2
from vault.v1.audit_pb2 import CHANGE_DELETED

ACTION = "RestoreReconciled"
ERASED_AGAIN = "ErasureRepeated"
_PATIENCE_S = 3600.0
_TOKENS = 1000
"""That one event names: 16 bytes each, of the 65,535 that a leaf may have."""
_DUE = (common_pb2.ERROR_REASON_RESTORED_NOT_RECONCILED, common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR)


@dataclass(frozen=True)
class Reconciled:
    """What became of one log.

    Attributes:
        tenant_uid: whose.
        last: the last checkpoint that was anchored under the old name.
        checkpoint: the first one under the new name: of the leaves that the backup had.
        vkey: the log's key under the new name, for auditors and witnesses.
        waiting: events that the backup had and that were not leaves yet; they become some next.
        erased: how many subjects were erased again.
        troubles: what is wrong in the chains of the boots of the restored log; not by the restore, which leaves none out.
    """

    tenant_uid: bytes
    last: Checkpoint
    checkpoint: Checkpoint
    vkey: str
    waiting: int
    erased: int
    troubles: tuple[Trouble, ...]

    @property
    def lost(self) -> range:
        """The indexes, under the old name, of the anchored leaves that the backup did not have."""
        return range(self.checkpoint.size, self.last.size)


def reconcile(engine: sa.Engine, key_manager: KeyManager, node: str) -> Iterator[Reconciled]:
    """Reconcile each log that was restored, is behind its anchor, or has somebody back who was erased; the others are left alone.

    Args:
        engine: of the database, as the role that owns its tables.
        key_manager: the KMS.
        node: the name by which the events' boot goes.

    Raises:
        VaultError: LOG_BEHIND_ANCHOR, if the anchor remembers another log; INTEGRITY, if the restored one is damaged, or an erasure
            can't be read; CONFLICT, if another vault goes on with the log; of the KMS. Nothing more is served than before.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.connect() as connection:
        tenant_uids = connection.scalars(sa.select(t.audit_log.c.tenant_uid).order_by(t.audit_log.c.tenant_uid)).all()
    for tenant_uid in tenant_uids:
        if _is_due(engine, key_manager, tenant_uid):
            yield _Log(engine, key_manager, tenant_uid).reconcile(node)


def _is_due(engine: sa.Engine, key_manager: KeyManager, tenant_uid: bytes) -> bool:
    public_key, anchor = key_manager.log_public_key(tenant_uid), key_manager.read_anchor(tenant_uid)
    try:
        with reading(engine, _PATIENCE_S) as connection:
            check_log(connection, tenant_uid, anchor, public_key)
            return is_any_back(connection, tenant_uid, key_manager.destroyed(tenant_uid))
    except VaultError as error:
        if error.reason not in _DUE:
            raise
        return True


class _Log:
    """One log on its way."""

    def __init__(self, engine: sa.Engine, key_manager: KeyManager, tenant_uid: bytes) -> None:
        """Read and verify it, by itself and against its anchor.

        Raises:
            VaultError: as ``reconcile``.
        """
        self._engine = engine
        self._key_manager = key_manager
        self._tenant_uid = tenant_uid
        self._public_key = key_manager.log_public_key(tenant_uid)
        self._anchor = key_manager.read_anchor(tenant_uid)
        with reading(engine, _PATIENCE_S) as connection:
            self._head = LogReader(connection, tenant_uid).head()
            verified = verify_log(connection, tenant_uid, Anchored(self._head.checkpoint, 1), self._public_key)
            self._last = self._remembered(connection, verified)
            self._troubles = read_again(connection, verified)

    def reconcile(self, node: str) -> Reconciled:
        """Move the anchor, then write the rest."""
        note = self._note()
        checkpoint = opened(note, self._tenant_uid, self._public_key)
        destroyed = self._key_manager.destroyed(self._tenant_uid)
        chain = Chain(node)
        signed = self._key_manager.sign(self._tenant_uid, announcement(self._tenant_uid, chain.boot_id, chain.public_key))
        with self._engine.begin() as connection:
            self._go_on(connection, checkpoint, note)
            waiting = self._waiting(connection)
            erased = erase_again(connection, self._tenant_uid, destroyed)
            drafts = [self._draft(ACTION, self._details(checkpoint, len(erased))), *self._erasures(erased)]
            now = now_us(connection)
            commit = chain.extend(drafts, {self._tenant_uid: signed}, now)
            chain.settle(commit)
            insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in (*commit.leaves, *chain.finish(now).leaves)])
        vkey = verifier(checkpoint.origin, self._public_key).vkey
        return Reconciled(self._tenant_uid, self._last, checkpoint, vkey, waiting, len(erased), tuple(self._troubles))

    def _remembered(self, connection: sa.Connection, verified: Verified) -> Checkpoint:
        """The last checkpoint anchored under the old name, which the restored log must not contradict."""
        if self._anchor is None:
            raise _refused("its anchor is missing from the KMS")
        try:
            anchored = opened(self._anchor.text, self._tenant_uid, self._public_key)
            before = continued(anchored)
            self._is_begun = before is not None and _fits(anchored, verified.head) and anchored.origin != verified.head.origin
            last = before if before is not None and self._is_begun else anchored
            ours, theirs = parse_name(verified.head.origin, self._tenant_uid), parse_name(last.origin, self._tenant_uid)
        except NoteError:
            raise _refused("what its anchor holds is no signed checkpoint of it") from None
        if ours.first != theirs.first or ours.number > theirs.number:
            raise _refused(f"its anchor is of {theirs}, which is no later name of {ours}")
        reader = LogReader(connection, self._tenant_uid)
        if last.size <= verified.head.size and root(reader.hashes, last.size) != last.root:
            raise _refused(f"its first {last.size} entries are not those that its anchor remembers")
        return last

    def _note(self) -> str:
        """The first checkpoint under the new name, anchored."""
        anchor = self._anchor or Anchored("", 0)
        if self._is_begun:
            return anchor.text
        checkpoint = continuing(self._last, self._tenant_uid, self._head.size, self._head.root)
        key = verifier(checkpoint.origin, self._public_key)
        note = sign_note(checkpoint.text(), key, lambda text: self._key_manager.sign(self._tenant_uid, text)).encode()
        try:
            self._key_manager.write_anchor(self._tenant_uid, note, anchor.version)
        except AnchorMovedError:
            raise VaultError(
                common_pb2.ERROR_REASON_CONFLICT,
                f"another vault goes on with the log {self._last.origin}: stop the one that the backup is of, then run this again",
            ) from None
        return note

    def _go_on(self, connection: sa.Connection, checkpoint: Checkpoint, note: str) -> None:
        """Give the log its new name, if it is still the one that was verified; what was cosigned under the old one is no use."""
        c, head = t.audit_log.c, self._head
        as_verified = (c.tenant_uid == head.tenant_uid) & (c.origin == head.origin) & (c.size == head.size) & (c.root == head.root)
        renamed = t.audit_log.update().where(as_verified)
        renamed = renamed.values(origin=checkpoint.origin, checkpoint=note, checkpoint_size=checkpoint.size)
        if connection.execute(renamed).rowcount != 1:
            raise VaultError(
                common_pb2.ERROR_REASON_CONFLICT, "the log changed while it was reconciled: stop all servers, then run this again"
            )
        for table in (t.audit_cosignature, t.restoration):
            connection.execute(table.delete().where(table.c.tenant_uid == self._tenant_uid))

    def _waiting(self, connection: sa.Connection) -> int:
        c = t.audit_pending.c.tenant_uid
        return int(connection.scalar(sa.select(sa.func.count()).where(c == self._tenant_uid)) or 0)

    def _details(self, checkpoint: Checkpoint, erased: int) -> dict[str, str]:
        return {
            "old_origin": self._last.origin,
            "anchored_size": str(self._last.size),
            "anchored_root": encode_base64(self._last.root),
            "origin": checkpoint.origin,
            "restored_size": str(checkpoint.size),
            "lost_leaves": str(max(0, self._last.size - checkpoint.size)),
            "erased_again": str(erased),
        }

    def _erasures(self, erased: list[Repeated]) -> Iterator[Draft]:
        """One event a subject, or more where it has many tokens."""
        for one in erased:
            for start in range(0, max(1, len(one.tokens)), _TOKENS):
                draft = self._draft(ERASED_AGAIN, {"erasure": one.erasure_uid.hex()})
                draft.look_into(one.subject_uid)
                for token_uid, data_class in one.tokens[start : start + _TOKENS]:
                    draft.touch(data_class, one.subject_uid, token_uid, change=CHANGE_DELETED)
                yield draft

    def _draft(self, action: str, details: dict[str, str]) -> Draft:
        return Draft(operator(self._tenant_uid), action, common_pb2.CallContext(), details=details)


def _fits(checkpoint: Checkpoint, head: LogRow) -> bool:
    return (checkpoint.size, checkpoint.root) == (head.size, head.root)


def _refused(what: str) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        f"the restored log can't be reconciled: {what}. Nothing was changed, and nothing is served; restore another backup, or "
        "find out who edited the database",
    )
