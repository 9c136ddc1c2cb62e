"""A log's rows made without the integrator, so that any size can be published at once, and any fork of it."""

import base64
import hashlib
from collections.abc import Callable

import sqlalchemy as sa
from tests.log_http import rfc6962

from vault.store import tables as t
from vault.store.log.rows import EntryRow, NodeRow
from vault.store.writes import insert

_WIDTH = 256


class BuiltLog:
    """A log of one tenant. What was integrated may be more than what is published."""

    def __init__(self, engine: sa.Engine, uid: bytes, origin: str, public_key: bytes, sign: Callable[[bytes], bytes]) -> None:
        self.engine = engine
        self.uid = uid
        self.origin = origin
        typed_key = b"\x01" + public_key
        self.key_id = hashlib.sha256(origin.encode() + b"\n" + typed_key).digest()[:4]
        self.vkey = f"{origin}+{self.key_id.hex()}+{base64.b64encode(typed_key).decode()}"
        self._sign = sign
        self.entries: list[bytes] = []
        self.hashes: list[list[bytes]] = [[]]

    def grow(self, entries: list[bytes]) -> None:
        """Append entries, as the integrator would."""
        start = len(self.entries)
        rows = [self._row(index, entry) for index, entry in enumerate(entries, start)]
        self.entries += entries
        self.hashes[0] += [row.leaf_hash for row in rows]
        nodes = []
        for level in range(1, 8):
            below = self.hashes[level - 1]
            if len(self.hashes) == level:
                self.hashes.append([])
            own = self.hashes[level]
            while (len(own) + 1) * _WIDTH <= len(below):
                own.append(rfc6962.root(below[len(own) * _WIDTH : (len(own) + 1) * _WIDTH]))
                nodes.append(NodeRow(self.uid, level, len(own) - 1, own[-1]))
        with self.engine.begin() as connection:
            insert(connection, t.audit_entry, rows)
            if nodes:
                insert(connection, t.audit_node, nodes)

    def root(self, size: int) -> bytes:
        """The root of the first entries: a tree of full subtrees of one size, and of what is left as their last, has their root."""
        full, rest = divmod(size, _WIDTH)
        last = [rfc6962.root(self.hashes[0][size - rest : size])] if rest else []
        return rfc6962.root([*(self.hashes[1][:full] if full else ()), *last])

    def text(self, size: int) -> str:
        """The text of the checkpoint of a size."""
        return f"{self.origin}\n{size}\n{base64.b64encode(self.root(size)).decode()}\n"

    def note(self, size: int) -> str:
        """The signed checkpoint of a size."""
        text = self.text(size)
        return f"{text}\n— {self.origin} {base64.b64encode(self.key_id + self._sign(text.encode())).decode()}\n"

    def publish(self, size: int) -> str:
        """Make the checkpoint of a size the newest published one; the note."""
        note = self.note(size)
        head = {"origin": self.origin, "size": len(self.entries), "root": self.root(len(self.entries)), "integrate_us": 0}
        row = {**head, "checkpoint_size": size, "checkpoint": note}
        with self.engine.begin() as connection:
            if not connection.execute(t.audit_log.update().where(t.audit_log.c.tenant_uid == self.uid).values(row)).rowcount:
                connection.execute(t.audit_log.insert().values(row | {"tenant_uid": self.uid}))
        return note

    def cut(self, size: int) -> None:
        """Take the log back to a size, as whoever restores a database does."""
        with self.engine.begin() as connection:
            for table, column, level in [(t.audit_entry, "leaf_index", 0)] + [(t.audit_node, "node_index", n) for n in range(1, 8)]:
                kept = size // _WIDTH**level
                where = [table.c.tenant_uid == self.uid, table.c[column] >= kept]
                connection.execute(table.delete().where(*where, *([table.c.level == level] if level else [])))
                if level < len(self.hashes):
                    del self.hashes[level][kept:]
        del self.entries[size:]

    def _row(self, index: int, entry: bytes) -> EntryRow:
        return EntryRow(self.uid, index, rfc6962.leaf_hash(entry), entry)
