"""What of a log is late: events that wait for their place in it, or entries that the anchor does not cover.

Late at one look is no proof: an event of a transaction that took long is old when it appears. ``LogGate`` looks twice.
"""

from typing import NamedTuple

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from vault.audit.chain import MAX_SKEW_S
from vault.audit.checkpoint import Checkpoint
from vault.audit.merkle import leaf_hash
from vault.audit.merkle_proofs import is_included
from vault.errors import VaultError
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.check import Verified, damaged
from vault.store.log.committed import Due
from vault.store.log.reader import LogReader
from vault.store.log.rows import LogRow
from vault.v1 import common_pb2
from vault.v1.audit_pb2 import AuditEvent

MAX_PENDING_S = 10.0
"""How old an event may get by the database's clock before it is in the log."""
MAX_ANCHOR_AGE_S = 12.0
"""How old an entry may get that the anchor does not cover: an event that had to wait for its place for just under ten seconds is
integrated and anchored within two more (looked for four times, published once a second)."""


class Late(NamedTuple):
    """Something that is late: what to tell callers, and how long it may take until a server has done what was held up."""

    message: str
    pause_s: float

    def error(self) -> VaultError:
        """The refusal."""
        return VaultError(common_pb2.ERROR_REASON_LOG_STALLED, self.message, retry_after_s=self.pause_s)


PENDING = Late(
    f"audit events have waited for more than {MAX_PENDING_S:.0f} s to be added to the log, so nothing is released; "
    "the operator must find out why the integrator stands still",
    1.0,
)
UNANCHORED = Late(
    f"the audit log could not be anchored for more than {MAX_ANCHOR_AGE_S:.0f} s although the KMS answers, so nothing is released; "
    "the operator must look at the KMS's KV mount, the vault's rights there, and the integrator",
    2.5,  # up to a second until it is tried again
)
MISSING = Late(
    f"audit events that this node committed more than {MAX_ANCHOR_AGE_S:.0f} s ago are not in the log, so nothing is released; "
    "the operator must find out what keeps the integrator from its work, or whether the database has lost them",
    2.5,
)


def has_waiting(connection: sa.Connection, tenant_uid: bytes) -> bool:
    """Whether an event has waited for too long to be integrated."""
    c = t.audit_pending.c
    oldest = connection.scalar(sa.select(sa.func.min(c.time_us)).where(c.tenant_uid == tenant_uid))
    return oldest is not None and now_us(connection) - oldest > MAX_PENDING_S * 1e6


def has_unanchored(connection: sa.Connection, verified: Verified) -> bool:
    """Whether the first entry that the anchor does not cover is too old, by its own time.

    Columns are not asked, and the leaf must be in the tree. One that can't be read, or is of the future, is nobody's and hides
    how old the others are, so it counts as old.

    Raises:
        VaultError: INTEGRITY, if the entry is not the one in the tree.
    """
    head, index = verified.head, verified.anchored.size
    if index == head.size:
        return False
    reader = LogReader(connection, head.tenant_uid)
    (entry,) = reader.entries(index, index + 1)
    if not is_included(reader.hashes, index, head.size, leaf_hash(entry.leaf), head.root):
        raise damaged(f"entry {index} is not the one in its tree")
    try:
        age_s = (now_us(connection) - AuditEvent.FromString(entry.leaf).time_us) / 1e6
    except DecodeError:
        return True
    return not -MAX_SKEW_S <= age_s <= MAX_ANCHOR_AGE_S  # one that is further ahead of a clock set back is forged


def holds(connection: sa.Connection, tenant_uid: bytes, tree: Checkpoint | LogRow, due: Due) -> bool:
    """Whether a leaf is in a log's tree of this size and root."""
    c = t.audit_entry.c
    within = (c.tenant_uid == tenant_uid) & (c.leaf_index >= due.floor) & (c.leaf_index < tree.size)
    select = sa.select(c.leaf_index).where(within, c.leaf_hash == due.leaf_hash).order_by(c.leaf_index).limit(1)
    index = connection.scalar(select)
    if index is None:
        return False
    return is_included(LogReader(connection, tenant_uid).hashes, index, tree.size, due.leaf_hash, tree.root)
