"""What a restored log is, and what the KMS remembers of it: verified by itself and against the anchor before anything changes."""

from dataclasses import dataclass

import sqlalchemy as sa

from vault.audit.checkpoint import Checkpoint
from vault.audit.continuing import continued, opened, parse_name
from vault.audit.merkle import root
from vault.audit.note import NoteError
from vault.errors import VaultError
from vault.kms.key_manager import Anchored, KeyManager
from vault.store.engine import reading
from vault.store.log.chains import Trouble
from vault.store.log.check import verify_log
from vault.store.log.reader import LogReader
from vault.store.log.rows import LogRow
from vault.store.log.takeover import read_again
from vault.v1 import common_pb2

PATIENCE_S = 3600.0
"""How long one statement may take that reads a whole log."""


@dataclass(frozen=True)
class RestoredLog:
    """A restored log that may go on.

    Attributes:
        head: as the backup had it.
        public_key: the log's, 32 bytes.
        anchor: what the KMS remembers now.
        last: the last checkpoint that was anchored under the old name.
        is_begun: whether an earlier attempt has moved the anchor to the new name already.
        troubles: what is wrong in the chains of its boots.
    """

    head: LogRow
    public_key: bytes
    anchor: Anchored
    last: Checkpoint
    is_begun: bool
    troubles: tuple[Trouble, ...]


def read_restored(engine: sa.Engine, key_manager: KeyManager, tenant_uid: bytes) -> RestoredLog:
    """Read a tenant's restored log, whole.

    Raises:
        VaultError: LOG_BEHIND_ANCHOR, if the anchor remembers another log; INTEGRITY, if this one is damaged; of the KMS.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    public_key, anchor = key_manager.log_public_key(tenant_uid), key_manager.read_anchor(tenant_uid)
    if anchor is None:
        raise _refused("its anchor is missing from the KMS")
    with reading(engine, PATIENCE_S) as connection:
        reader = LogReader(connection, tenant_uid)
        head = reader.head()
        verified = verify_log(connection, tenant_uid, Anchored(head.checkpoint, 1), public_key)
        last, is_begun = _last_anchored(head, anchor, public_key)
        if last.size <= head.size and root(reader.hashes, last.size) != last.root:
            raise _refused(f"its first {last.size} entries are not those that its anchor remembers")
        troubles = read_again(connection, verified)
    return RestoredLog(head, public_key, anchor, last, is_begun, tuple(troubles))


def _last_anchored(head: LogRow, anchor: Anchored, public_key: bytes) -> tuple[Checkpoint, bool]:
    """The last checkpoint under the old name, and whether the anchor is beyond it by an earlier attempt."""
    tenant_uid = head.tenant_uid
    try:
        anchored = opened(anchor.text, tenant_uid, public_key)
        before = continued(anchored)
        is_begun = (anchored.size, anchored.root) == (head.size, head.root) and anchored.origin != head.origin
        last = before if before is not None and is_begun else anchored
        ours, theirs = parse_name(head.origin, tenant_uid), parse_name(last.origin, tenant_uid)
    except NoteError:
        raise _refused("what its anchor holds is no signed checkpoint of it") from None
    if ours.first != theirs.first or ours.number > theirs.number:
        raise _refused(f"its anchor is of {theirs}, which is no later name of {ours}")
    return last, last is not anchored


def _refused(what: str) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR,
        f"the restored log can't be reconciled: {what}. Nothing was changed, and nothing is served; restore another backup, or "
        "find out who edited the database",
    )
