"""One log that grows: what is remembered of it between transactions, and the transaction that adds a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.log.batch import Batch, Stray, assemble, in_order, place, whole_transactions
from vault.store.log.chains import Boot, Chains, Trouble
from vault.store.log.check import Verified
from vault.store.log.facets import Facets, stored_facets
from vault.store.log.limits import is_locked, limit
from vault.store.log.past import Past
from vault.store.log.pending import read, take
from vault.store.log.rows import NodeRow
from vault.store.log.takeover import Seen
from vault.store.log.upserts import add_counts, insert_facets, put_boots
from vault.store.writes import insert

_MAX_BOOTS = 1000
_REACH = 10_000
"""How many entries are looked through for the last leaf of a boot while other logs wait: a fifth of a second."""
_LOCK_HEAD = (
    sa.select(t.audit_log.c.size, t.audit_log.c.root).where(t.audit_log.c.tenant_uid == sa.bindparam("tenant")).with_for_update()
)
_MOVE_HEAD = (
    t.audit_log.update()
    .where(
        t.audit_log.c.tenant_uid == sa.bindparam("tenant"),
        t.audit_log.c.size == sa.bindparam("old_size"),
        t.audit_log.c.root == sa.bindparam("old_root"),
    )
    .values(size=sa.bindparam("new_size"), root=sa.bindparam("new_root"))
)


class HeadMovedError(Exception):
    """The head is not the one remembered: somebody else integrates, or the database was restored or edited."""


class HeadLockedError(Exception):
    """Somebody holds a lock on the head; nothing was done."""


class Step(NamedTuple):
    """What one transaction did.

    Attributes:
        entries: how many came.
        is_last: whether no pending rows are left.
        troubles: what was wrong in this log.
        strays: what was waiting for this log and is another's that exists.
    """

    entries: int
    is_last: bool
    troubles: Sequence[Trouble] = ()
    strays: Sequence[Stray] = ()


class GrowingLog:
    """A log in the memory of its integrator, from a verified state on. Dropped after every error."""

    def __init__(self, verified: Verified, boots: dict[bytes, Boot]) -> None:
        """Go on from there; ``boots`` are chains that were followed up to the head."""
        self.tenant_uid = verified.head.tenant_uid
        self.key = verified.key
        self.size, self.root = verified.head.size, verified.head.root
        self._tail = verified.tail
        self._boots = dict(boots)
        self._facets: Facets | None = None
        self._written: set[int] = set()

    @property
    def is_settled(self) -> bool:
        """Whether each chain ends signed, or was told: only then may anybody sign for what is in the log."""
        return not any(boot.unsigned for boot in self._boots.values())

    @property
    def seen(self) -> Seen:
        """What was certainly committed."""
        return Seen(self.size, self.root, self._boots)

    def grow(self, connection: sa.Connection, max_entries: int, lock_ms: int) -> Step:
        """Add the next pending events, and commit.

        Args:
            connection: without a transaction; of the role that keeps the log.
            max_entries: about how many events at most.
            lock_ms: how long others' locks are waited for, in milliseconds.

        Raises:
            HeadLockedError: nothing was done; what is remembered is still right.
            HeadMovedError: the log is not as remembered.
            FarBackError: a boot goes on that was silent for so long that it takes a take-over to know where it was.
            VaultError: INTEGRITY, if an entry is missing.
            RowsSwallowedError: the database did less than it was told.
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: it refuses or does not answer; if the commit did, its end is unknown.
        """
        with connection.begin():
            limit(connection, lock_ms)
            self._lock_head(connection)
            expected = {boot_id: boot.next_sequence for boot_id, boot in self._boots.items()}
            pending = read(connection, self.tenant_uid, expected, max_entries)
            if not pending.rows:
                return self._settle_rest()
            ordered = in_order(self.tenant_uid, pending.rows)
            if not pending.is_all:
                ordered = whole_transactions(ordered)
            self._recall(connection, {boot_id for one in ordered for boot_id in (one.row.boot_id, place(one)[0])})
            chains = Chains(self.tenant_uid, self.key, self._boots)
            self._facets = self._facets or stored_facets(connection, self.tenant_uid)
            batch = assemble(self.tenant_uid, self.size, ordered, chains, self._facets)
            chains.settle(() if pending.is_all else [boot.boot_id for boot in chains.cut()])
            tail = self._tail.copy()
            nodes = [NodeRow(self.tenant_uid, *node) for node in tail.extend(batch.hashes)]
            root = tail.root()
            self._move_head(connection, tail.size, root)
            self._write(connection, batch, nodes, chains)
            take(connection, [one.row for one in ordered])
            strays = _of_logs(connection, batch.strays)
        self._tail, self.size, self.root = tail, tail.size, root
        self._remember(batch, chains)
        return Step(len(batch.entries), pending.is_all, chains.troubles, strays)

    def _lock_head(self, connection: sa.Connection) -> None:
        """First of all, so that a log that is locked, or is another integrator's, costs nothing."""
        try:
            head = connection.execute(_LOCK_HEAD, {"tenant": self.tenant_uid}).first()
        except sa.exc.DBAPIError as error:
            if is_locked(error):
                raise HeadLockedError from None
            raise
        if head is None or tuple(head) != (self.size, self.root):
            raise HeadMovedError

    def _settle_rest(self) -> Step:
        """Nothing is pending, so chains whose ends were expected there have none."""
        chains = Chains(self.tenant_uid, self.key, self._boots)
        chains.settle()
        self._boots |= chains.changed
        return Step(0, is_last=True, troubles=chains.troubles)

    def _recall(self, connection: sa.Connection, boot_ids: set[bytes]) -> None:
        """Bring to mind what the log knows of these boots."""
        unknown = boot_ids - self._boots.keys()
        if unknown:
            self._boots |= Past(connection, self.tenant_uid, self.key, self.size, self.root).boots(unknown, _REACH)

    def _move_head(self, connection: sa.Connection, size: int, root: bytes) -> None:
        """Nobody can have moved it since it was locked; where locks are none, this decides."""
        old = {"tenant": self.tenant_uid, "old_size": self.size, "old_root": self.root}
        if connection.execute(_MOVE_HEAD, old | {"new_size": size, "new_root": root}).rowcount != 1:
            raise HeadMovedError

    def _write(self, connection: sa.Connection, batch: Batch, nodes: Sequence[NodeRow], chains: Chains) -> None:
        for table, rows in (
            (t.audit_entry, batch.entries),
            (t.audit_node, nodes),
            (t.audit_event, batch.events),
            (t.audit_mention, batch.mentions),
        ):
            if rows:
                insert(connection, table, rows)
        insert_facets(connection, [facet for number, facet in batch.facets.items() if number not in self._written])
        add_counts(connection, batch.counts)
        put_boots(connection, [boot.row for boot in chains.changed.values()])

    def _remember(self, batch: Batch, chains: Chains) -> None:
        if len(self._boots) > _MAX_BOOTS:
            self._boots = {boot_id: boot for boot_id, boot in self._boots.items() if boot.unsigned}
        self._boots |= chains.changed
        self._written |= batch.facets.keys()


def _of_logs(connection: sa.Connection, strays: Sequence[Stray]) -> list[Stray]:
    """Those whose log exists: a leaf can say anything."""
    if not strays:
        return []
    c = t.audit_log.c.tenant_uid
    known = set(map(bytes, connection.scalars(sa.select(c).where(c.in_({stray.tenant_uid for stray in strays})))))
    return [stray for stray in strays if stray.tenant_uid in known]
