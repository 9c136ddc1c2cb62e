"""The log's own tables against the tree: entries, hashes, head, checkpoint and how far boots have come.

Entries that came after the bundle was made are taken from the database itself: their leaves are held against the chains of their
boots, and the head against their hashes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vault.audit.bundle import Bundle
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.merkle import CompactRange, leaf_hash
from vault.audit.note import NoteError, Verifier
from vault.audit.verify_tree import Tree
from vault.cli.audit.database_rows import ByIndex, Findings, select
from vault.v1.audit_pb2 import AuditEvent

_ENTRIES = "SELECT leaf_index, leaf_hash, leaf FROM audit_entry WHERE tenant_uid = :tenant ORDER BY leaf_index"
_HEAD = "SELECT size, root, checkpoint_size, checkpoint FROM audit_log WHERE tenant_uid = :tenant"
_NODES = "SELECT level, node_index, hash FROM audit_node WHERE tenant_uid = :tenant ORDER BY level, node_index"
_BOOTS = "SELECT boot_id, start_index, endorse_index, next_sequence, last_hash FROM audit_boot WHERE tenant_uid = :tenant"


class _BootRow(NamedTuple):
    """What audit_boot says of a boot, or should say."""

    start_index: int
    endorse_index: int | None
    next_sequence: int
    last_hash: bytes


class LogTables:
    """audit_entry, audit_node, audit_log and audit_boot."""

    def __init__(self, connection: sa.Connection, bundle: Bundle, findings: Findings) -> None:
        self._connection = connection
        self._bundle = bundle
        self._tree = Tree(bundle)
        self._verified = bundle.manifest.size
        self._findings = findings
        self._entries = ByIndex(self._select(_ENTRIES), "audit_entry", findings)
        self._boots: dict[bytes, _BootRow] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}  # completed by newer entries
        self._tail = CompactRange()

    def observe(self, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
        """Compare the rows of the next entries, which were verified."""
        for index, (leaf, digest) in enumerate(zip(leaves, hashes, strict=True), first):
            rows = self._entries.take(index)
            if not rows:
                self._findings.add("audit_entry", f"entry {index} is missing")
            elif bytes(rows[0].leaf) != leaf:
                self._findings.add("audit_entry", f"entry {index} was edited: its leaf is not the one in the log")
            elif bytes(rows[0].leaf_hash) != digest:
                self._findings.add("audit_entry", f"entry {index} was edited: its hash is not the one in the log")

    def note(self, index: int, event: AuditEvent, digest: bytes) -> None:
        """Note how far an entry brings its boot's chain."""
        known = self._boots.get(event.boot_id)
        endorsed = known.endorse_index if known else None
        if endorsed is None and event.boot_endorsement:
            endorsed = index
        start = known.start_index if known else index
        self._boots[event.boot_id] = _BootRow(start, endorsed, event.boot_sequence + 1, digest)

    def newer(self, log_key: Verifier) -> Iterator[tuple[int, bytes]]:
        """Index and leaf of the entries that the bundle does not have; with them, head and checkpoint are compared."""
        self._tail = CompactRange.load(self._tree, self._verified)
        head = next(iter(list(self._select(_HEAD))), None)
        checkpoint = self._checkpoint(head, log_key) if head else None
        self._compare_checkpoint(checkpoint)
        for index, rows in self._entries.rest():
            leaf = bytes(rows[0].leaf)
            digest = leaf_hash(leaf)
            if index != self._tail.size:
                self._findings.add("audit_entry", f"entry {self._tail.size} is missing")
                break
            if bytes(rows[0].leaf_hash) != digest:
                self._findings.add("audit_entry", f"entry {index} was edited: its leaf has another hash than the row says")
            self._nodes.update({(level, number): hash_ for level, number, hash_ in self._tail.extend([digest])})
            self._compare_checkpoint(checkpoint)
            yield index, leaf
        self._compare_head(head)

    @property
    def size(self) -> int:
        """How many entries there are, newer ones included."""
        return self._tail.size

    def finish(self) -> None:
        """Compare what no single entry decides, after the newer ones."""
        self._compare_nodes()
        self._compare_boots()

    def _select(self, statement: str) -> Iterator[Any]:
        return select(self._connection, statement, self._bundle.manifest.tenant_uid)

    def _checkpoint(self, head: Any, log_key: Verifier) -> Checkpoint | None:
        """The checkpoint that the database shows, if it is the log's own."""
        try:
            checkpoint, _ = open_checkpoint(head.checkpoint, log_key)
        except NoteError as error:
            self._findings.add("audit_log", f"its checkpoint was not signed by the log: {error}")
            return None
        if checkpoint.size != head.checkpoint_size:
            self._findings.add("audit_log", f"its checkpoint is of size {checkpoint.size}, not {head.checkpoint_size}")
        if checkpoint.size > head.size:
            self._findings.add("audit_log", f"rewound: its checkpoint is of size {checkpoint.size}, but it has {head.size} entries")
        if checkpoint.size < self._verified and self._tree.root_at(checkpoint.size) != checkpoint.root:
            self._findings.add("audit_log", f"its checkpoint of size {checkpoint.size} is of another log: a fork")
        return checkpoint

    def _compare_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint and checkpoint.size == self._tail.size and checkpoint.root != self._tail.root():
            self._findings.add("audit_log", f"its checkpoint of size {checkpoint.size} is not of these entries")

    def _compare_head(self, head: Any) -> None:
        if head is None:
            self._findings.add("audit_log", "the log's head is missing")
        elif head.size < self._verified:
            self._findings.add("audit_log", f"rewound: it has {head.size} entries, but a checkpoint of {self._verified} was signed")
        elif (head.size, bytes(head.root)) != (self._tail.size, self._tail.root()):
            self._findings.add("audit_log", f"its size {head.size} and root are not those of its {self._tail.size} entries")

    def _compare_nodes(self) -> None:
        rows = self._select(_NODES)
        row = next(rows, None)
        for level, number in self._places():
            while row and (row.level, row.node_index) < (level, number):
                self._note_stray(row)
                row = next(rows, None)
            if not row or (row.level, row.node_index) != (level, number):
                self._findings.add("audit_node", f"hash {number} of level {level} is missing")
                continue
            if bytes(row.hash) != self._node(level, number):
                self._findings.add("audit_node", f"hash {number} of level {level} was edited")
            row = next(rows, None)
        while row:
            self._note_stray(row)
            row = next(rows, None)

    def _places(self) -> Iterator[tuple[int, int]]:
        level = 1
        while count := self.size >> (8 * level):
            yield from ((level, number) for number in range(count))
            level += 1

    def _node(self, level: int, number: int) -> bytes | None:
        if (number + 1) << (8 * level) <= self._verified:
            return self._tree(level, number, number + 1)[0]
        return self._nodes.get((level, number))

    def _note_stray(self, row: Any) -> None:
        self._findings.add("audit_node", f"there is no hash {row.node_index} of level {row.level} in the tree, and yet a row")

    def _compare_boots(self) -> None:
        found = {bytes(row[0]): _BootRow(row[1], row[2], row[3], bytes(row[4])) for row in self._select(_BOOTS)}
        for boot_id in sorted(found.keys() | self._boots.keys()):
            row, expected = found.get(boot_id), self._boots.get(boot_id)
            if row is None:
                self._findings.add("audit_boot", f"boot {boot_id.hex()} is missing")
            elif expected is None:
                self._findings.add("audit_boot", f"boot {boot_id.hex()} is not in the log, and yet a row")
            elif row != expected:
                names = [name for name, one, other in zip(row._fields, row, expected, strict=True) if one != other]
                self._findings.add("audit_boot", f"boot {boot_id.hex()} was edited: {', '.join(names)} is not what the log says")
