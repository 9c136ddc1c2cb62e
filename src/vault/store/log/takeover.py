"""Taking over a log: it is verified against its anchor, and what nobody has answered for yet is read as if it were new.

What is in the log beyond its anchor is about to be signed. It was committed by an integrator that then stopped, or written by
somebody who may write to the database: so the leaves are hashed again, must give the head's root, and must go on with their boots'
chains. What this node saw enter the log itself need not be read again, if it is still there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from vault.audit.merkle import CompactRange, leaf_hash, root
from vault.kms.key_manager import KeyManager
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.log.batch import Parsed, parse
from vault.store.log.chains import Boot, Chains, Trouble
from vault.store.log.check import Verified, check_log, damaged
from vault.store.log.past import Past
from vault.store.log.reader import LogReader
from vault.store.log.rows import EntryRow, PendingRow

_AT_ONCE = 256
"""Entries in memory at once: each may have 64 KiB."""
_PATIENCE_S = 10.0


class Seen(NamedTuple):
    """A log as this node has left it: nothing up to there has to be read again."""

    size: int
    root: bytes
    boots: dict[bytes, Boot]


class TakenOver(NamedTuple):
    """A log that may grow.

    Attributes:
        verified: the log, in order with its anchor.
        boots: how far the chains of the boots that were read have come.
        troubles: what is wrong in what was read.
        is_rewritten: whether what this node had seen enter it is not there any more.
    """

    verified: Verified
    boots: dict[bytes, Boot]
    troubles: list[Trouble]
    is_rewritten: bool


def take_over(engine: sa.Engine, key_manager: KeyManager, tenant_uid: bytes, seen: Seen | None) -> TakenOver:
    """Verify a log, and read what is in it beyond its anchor or beyond what was seen.

    Raises:
        VaultError: as ``check_log``, and of the KMS.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    public_key = key_manager.log_public_key(tenant_uid)
    anchor = key_manager.read_anchor(tenant_uid)  # before the database: the log may grow meanwhile, never shrink
    with reading(engine, _PATIENCE_S) as connection:
        verified = check_log(connection, tenant_uid, anchor, public_key)
        reader, size = LogReader(connection, tenant_uid), verified.head.size
        is_there = seen is not None and seen.size <= size and root(reader.hashes, seen.size) == seen.root
        if seen is None or not is_there or seen.size < verified.anchored.size:
            start, boots = verified.anchored.size, dict[bytes, Boot]()
        else:
            start, boots = seen.size, seen.boots
        following = _Following(connection, verified, start, boots)
        following.read()
    return TakenOver(verified, following.boots, following.chains.troubles, is_rewritten=seen is not None and not is_there)


def read_again(connection: sa.Connection, verified: Verified) -> list[Trouble]:
    """Read a verified log from its first entry on, as if nobody had answered for any; what is wrong in its boots' chains.

    Raises:
        VaultError: INTEGRITY, if its entries are not those of its tree.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    following = _Following(connection, verified, 0, {})
    following.read()
    return following.chains.troubles


class _Following:
    """Reads the entries of a log from one on, in one snapshot."""

    def __init__(self, connection: sa.Connection, verified: Verified, start: int, boots: dict[bytes, Boot]) -> None:
        self._connection = connection
        self._reader = LogReader(connection, verified.head.tenant_uid)
        self._head = verified.head
        self._start = start
        self._known = dict(boots)
        self._past = Past(connection, self._head.tenant_uid, verified.key, start, root(self._reader.hashes, start))
        self.chains = Chains(verified.head.tenant_uid, verified.key, self._known)

    @property
    def boots(self) -> dict[bytes, Boot]:
        """How far chains have come."""
        return self._known | self.chains.changed

    def read(self) -> None:
        """Follow the entries to the head.

        Raises:
            VaultError: INTEGRITY, if they are not those of the tree.
        """
        tail = CompactRange.load(self._reader.hashes, self._start)
        for start in range(self._start, self._head.size, _AT_ONCE):
            entries = self._reader.entries(start, min(start + _AT_ONCE, self._head.size))
            self._follow(entries)
            tail.extend([entry.leaf_hash for entry in entries])
        if tail.root() != self._head.root:
            raise damaged(f"its entries from {self._start} on are not those of its tree")
        self._recall(self._pending())
        self.chains.settle([boot.boot_id for boot in self.chains.cut() if self._goes_on(boot)])

    def _follow(self, entries: Sequence[EntryRow]) -> None:
        if any(entry.leaf_hash != leaf_hash(entry.leaf) for entry in entries):
            raise damaged(f"its leaf hashes from {self._start} on are not those of its tree")
        found = [(entry, _parse(entry)) for entry in entries]
        self._recall({one.row.boot_id for _, one in found if not one.problem})
        for entry, (row, event, problem) in found:
            if problem or event is None:
                self.chains.note(row, problem, entry.leaf_index)
            else:
                self.chains.follow(row, event, entry.leaf_hash, entry.leaf_index)

    def _recall(self, boot_ids: set[bytes]) -> None:
        """Bring to mind those that began before."""
        unknown = boot_ids - self._known.keys() - self.chains.changed.keys()
        if unknown:
            self._known |= self._past.boots(unknown, self._start)

    def _pending(self) -> set[bytes]:
        """The boots that go on next: to look for them now holds up no other log."""
        c = t.audit_pending.c
        select = sa.select(c.boot_id).where(c.tenant_uid == self._head.tenant_uid).distinct()
        return set(self._connection.scalars(select))

    def _goes_on(self, boot: Boot) -> bool:
        """Whether the next leaf of a boot is pending."""
        c = t.audit_pending.c
        place = (c.tenant_uid == self._head.tenant_uid) & (c.boot_id == boot.boot_id) & (c.boot_sequence == boot.next_sequence)
        return self._connection.execute(sa.select(c.boot_sequence).where(place)).first() is not None


def _parse(entry: EntryRow) -> Parsed:
    """An entry as if its row still waited, with the columns that its leaf calls for."""
    found = parse(entry.tenant_uid, PendingRow(entry.tenant_uid, b"", 0, 0, entry.leaf))
    event = found.event
    if event is None or found.problem:
        return found
    return found._replace(row=found.row._replace(boot_id=event.boot_id, boot_sequence=event.boot_sequence, time_us=event.time_us))
