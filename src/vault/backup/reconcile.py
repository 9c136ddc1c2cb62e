"""A restored log, reconciled with what the KMS remembers: the erased are erased again, and the log goes on under a new name.

For each log, two steps. The anchor moves, by compare-and-swap, to the first checkpoint under the new name, which says what it goes
on from. Then, in one transaction, everything else. Killed between the two, the log is still refused to everybody, and running this
again finds in the anchor what the first attempt found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from vault.administration import operator
from vault.audit.actions import ERASURE_REPEATED, RESTORE_RECONCILED
from vault.audit.chain import Chain, announcement
from vault.audit.checkpoint import Checkpoint
from vault.audit.continuing import continuing, opened
from vault.audit.details import Detail
from vault.audit.events import Draft
from vault.audit.note import encode_base64, sign_note, verifier
from vault.backup.erasures import Repeated, erase_again
from vault.backup.restored_log import PATIENCE_S, RestoredLog, read_restored
from vault.errors import VaultError
from vault.kms.key_manager import AnchorMovedError, KeyManager
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.engine import reading
from vault.store.key_loader import load_authority
from vault.store.log.chains import Trouble
from vault.store.log.check import check_log
from vault.store.log.rows import LogRow, PendingRow
from vault.store.returned import are_under_way, come_back
from vault.store.writes import insert
from vault.subjects.destroyed_note import read_notes
from vault.v1 import common_pb2
from vault.v1.audit_pb2 import CHANGE_DELETED

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
            yield _go_on(engine, key_manager, node, read_restored(engine, key_manager, tenant_uid))


def _is_due(engine: sa.Engine, key_manager: KeyManager, tenant_uid: bytes) -> bool:
    public_key, anchor = key_manager.log_public_key(tenant_uid), key_manager.read_anchor(tenant_uid)
    try:
        with reading(engine, PATIENCE_S) as connection:
            check_log(connection, tenant_uid, anchor, public_key)
            return _is_anybody_back(connection, key_manager, tenant_uid)
    except VaultError as error:
        if error.reason not in _DUE:
            raise
        return True


def _is_anybody_back(connection: sa.Connection, key_manager: KeyManager, tenant_uid: bytes) -> bool:
    """Whether somebody is there again who was erased; whose erasure is under way, which any node finishes, does not count."""
    back = come_back(connection, tenant_uid, read_notes(key_manager.destroyed(tenant_uid)))
    if not back:
        return False
    return not are_under_way(connection, load_authority(connection, key_manager, tenant_uid), tenant_uid, back.values())


def _go_on(engine: sa.Engine, key_manager: KeyManager, node: str, log: RestoredLog) -> Reconciled:
    """Move the anchor, then write the rest."""
    tenant_uid = log.head.tenant_uid
    note = _anchored_note(key_manager, log)
    checkpoint = opened(note, tenant_uid, log.public_key)
    destroyed = key_manager.destroyed(tenant_uid)
    chain = Chain(node)
    endorsement = key_manager.sign(tenant_uid, announcement(tenant_uid, chain.boot_id, chain.public_key))
    with engine.begin() as connection:
        _rename(connection, log.head, checkpoint, note)
        waiting = _waiting(connection, tenant_uid)
        erased = erase_again(connection, tenant_uid, destroyed)
        now = now_us(connection)
        commit = chain.extend(list(_events(log, checkpoint, erased)), {tenant_uid: endorsement}, now)
        chain.settle(commit)
        insert(connection, t.audit_pending, [PendingRow(*leaf) for leaf in (*commit.leaves, *chain.finish(now).leaves)])
    vkey = verifier(checkpoint.origin, log.public_key).vkey
    return Reconciled(tenant_uid, log.last, checkpoint, vkey, waiting, len(erased), log.troubles)


def _anchored_note(key_manager: KeyManager, log: RestoredLog) -> str:
    """The first checkpoint under the new name, anchored."""
    if log.is_begun:
        return log.anchor.text
    tenant_uid = log.head.tenant_uid
    checkpoint = continuing(log.last, tenant_uid, log.head.size, log.head.root)
    key = verifier(checkpoint.origin, log.public_key)
    note = sign_note(checkpoint.text(), key, lambda text: key_manager.sign(tenant_uid, text)).encode()
    try:
        key_manager.write_anchor(tenant_uid, note, log.anchor.version)
    except AnchorMovedError:
        raise VaultError(
            common_pb2.ERROR_REASON_CONFLICT,
            f"another vault goes on with the log {log.last.origin}: stop the one that the backup is of, then run this again",
        ) from None
    return note


def _rename(connection: sa.Connection, head: LogRow, checkpoint: Checkpoint, note: str) -> None:
    """Give the log its new name, if it is still the one that was verified; what was cosigned under the old one is no use."""
    c = t.audit_log.c
    as_verified = (c.tenant_uid == head.tenant_uid) & (c.origin == head.origin) & (c.size == head.size) & (c.root == head.root)
    renamed = t.audit_log.update().where(as_verified)
    renamed = renamed.values(origin=checkpoint.origin, checkpoint=note, checkpoint_size=checkpoint.size)
    if connection.execute(renamed).rowcount != 1:
        raise VaultError(
            common_pb2.ERROR_REASON_CONFLICT, "the log changed while it was reconciled: stop all servers, then run this again"
        )
    for table in (t.audit_cosignature, t.restoration):
        connection.execute(table.delete().where(table.c.tenant_uid == head.tenant_uid))


def _waiting(connection: sa.Connection, tenant_uid: bytes) -> int:
    c = t.audit_pending.c.tenant_uid
    return int(connection.scalar(sa.select(sa.func.count()).where(c == tenant_uid)) or 0)


def _events(log: RestoredLog, checkpoint: Checkpoint, erased: list[Repeated]) -> Iterator[Draft]:
    """What happened; then, for each subject that was erased again, an event, or more where it had many tokens."""
    tenant_uid, last = log.head.tenant_uid, log.last
    details = {
        "old_origin": last.origin,
        "anchored_size": str(last.size),
        "anchored_root": encode_base64(last.root),
        "origin": checkpoint.origin,
        "restored_size": str(checkpoint.size),
        "lost_leaves": str(max(0, last.size - checkpoint.size)),
        "erased_again": str(len(erased)),
    }
    yield Draft(operator(tenant_uid), RESTORE_RECONCILED, common_pb2.CallContext(), details=details)
    for one in erased:
        for start in range(0, max(1, len(one.tokens)), _TOKENS):
            details = {Detail.ERASURE: one.erasure_uid.hex()}
            draft = Draft(operator(tenant_uid), ERASURE_REPEATED, common_pb2.CallContext(), details=details)
            draft.look_into(one.subject_uid)
            for token_uid, data_class in one.tokens[start : start + _TOKENS]:
                draft.touch(data_class, one.subject_uid, token_uid, change=CHANGE_DELETED)
            yield draft
