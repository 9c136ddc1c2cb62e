"""Reading logs: heads, entries and the hashes that tiles consist of. Whoever reads checks; nothing here is believed."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.log.rows import CosignatureRow, EntryRow, LogRow
from vault.v1 import common_pb2


class LogReader:
    """Reads on one connection, so that a transaction's snapshot makes several reads one."""

    def __init__(self, connection: sa.Connection, tenant_uid: bytes) -> None:
        self._connection = connection
        self._tenant_uid = tenant_uid

    def head(self) -> LogRow:
        """The log's head.

        Raises:
            VaultError: INTEGRITY, if it is missing.
        """
        found = self.find_head()
        if found is None:
            raise missing("the log's head")
        return found

    def find_head(self) -> LogRow | None:
        """The log's head, None if there is no such log."""
        row = self._connection.execute(sa.select(t.audit_log).where(self._own(t.audit_log))).first()
        return LogRow(*row) if row else None

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes [start, end) of one tile level: leaf hashes at level 0, hashes of full tiles of the level below above that.

        Raises:
            VaultError: INTEGRITY, if one is missing.
        """
        table, column = (t.audit_entry, "leaf_index") if level == 0 else (t.audit_node, "node_index")
        hash_column = t.audit_entry.c.leaf_hash if level == 0 else t.audit_node.c.hash
        select = sa.select(hash_column).where(self._own(table), table.c[column] >= start, table.c[column] < end)
        if level:
            select = select.where(t.audit_node.c.level == level)
        found = list[bytes](self._connection.scalars(select.order_by(table.c[column])).all())
        if len(found) != end - start:
            raise missing(f"a hash of level {level} from {start} to {end - 1}")
        return found

    def entries(self, start: int, end: int) -> list[EntryRow]:
        """Entries [start, end).

        Raises:
            VaultError: INTEGRITY, if one is missing; the message names the first.
        """
        c = t.audit_entry.c
        select = sa.select(t.audit_entry).where(self._own(t.audit_entry), c.leaf_index >= start, c.leaf_index < end)
        found = [EntryRow(*row) for row in self._connection.execute(select.order_by(c.leaf_index)).all()]
        for expected, entry in enumerate(found, start):
            if entry.leaf_index != expected:
                raise missing(f"entry {expected}")
        if len(found) != end - start:
            raise missing(f"entry {start + len(found)}")
        return found

    def cosignatures(self) -> list[CosignatureRow]:
        """The newest cosignature of each witness, by name."""
        c = t.audit_cosignature.c
        select = sa.select(t.audit_cosignature).where(self._own(t.audit_cosignature)).order_by(c.witness)
        return [CosignatureRow(*row) for row in self._connection.execute(select)]

    def _among(self, column: sa.ColumnElement[int], numbers: Collection[int]) -> sa.ColumnElement[bool]:
        """Whether a column holds one of some numbers: on PostgreSQL the same statement, however many there are."""
        if self._connection.dialect.name == "postgresql":
            return column == sa.any_(sa.literal(list(numbers), postgresql.ARRAY(sa.BigInteger)))
        return column.in_(numbers)

    def _own(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.tenant_uid == self._tenant_uid


def missing(what: str) -> VaultError:
    """The refusal for a part of a log that is not there."""
    return VaultError(
        common_pb2.ERROR_REASON_INTEGRITY, f"{what} is missing from the audit log's tables; the operator must investigate"
    )
