"""A vault's database against its log: what ``pdvault audit verify --database`` does besides verifying the bundle.

The log is verified, so it is what counts; where rows say something else, they were edited. All is read once, in the order of the
log, from one snapshot. Memory does not grow with the log, but for a few numbers a boot, and a facet and hour; what is compared by
token lies in temporary files.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from vault.audit.bundle import Bundle
from vault.audit.merkle import leaf_hash
from vault.audit.verify import Report
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_leaves import check_leaves
from vault.cli.audit.database_index import IndexTables
from vault.cli.audit.database_items import PENDING, ItemTables
from vault.cli.audit.database_log import LogTables
from vault.cli.audit.database_pending import PendingEvents
from vault.cli.audit.database_rows import Findings
from vault.v1.audit_pb2 import AuditEvent


class Compared(NamedTuple):
    """How much was compared: entries, of which ``newer`` came after the bundle; pending events; tokens with their items."""

    entries: int
    newer: int
    pending: int
    tokens: int


class Comparison:
    """Compares one tenant's tables while its log is verified: give ``observe`` to ``verify``, then run ``finish``."""

    def __init__(self, connection: sa.Connection, bundle: Bundle) -> None:
        """Begin.

        Args:
            connection: on a snapshot of the database.
            bundle: of the whole log.

        Raises:
            UncheckedError: the bundle is not of the whole log.
        """
        manifest = bundle.manifest
        if (manifest.start_index, manifest.end_index) != (0, manifest.size):
            raise UncheckedError("comparing a database takes a bundle of the whole log: export it from index 0 on, to its end")
        self.findings = Findings(manifest.tenant_uid)
        self._connection = connection
        self._tenant_uid = manifest.tenant_uid
        self._log = LogTables(connection, bundle, self.findings)
        self._index = IndexTables(connection, manifest.tenant_uid, self.findings)
        self._items = ItemTables(connection, manifest.tenant_uid, self.findings)
        self._verified = manifest.size

    def observe(self, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
        """Compare what the database has of verified entries."""
        self._log.observe(first, leaves, hashes)
        for index, (leaf, digest) in enumerate(zip(leaves, hashes, strict=True), first):
            self._note(index, leaf, digest)

    def finish(self, report: Report, now_us: int) -> Generator[int, None, Compared]:
        """Compare what came later, and what no single entry decides.

        Yields how many tokens were compared, again and again. What is wrong is in ``findings``.

        Args:
            report: of the verification.
            now_us: the time, in microseconds since 1970.
        """
        for index, leaf in self._log.newer(report.signed.log_key):
            digest = leaf_hash(leaf)
            try:
                report.chains.follow(index, [leaf], [digest], check_leaves(index, [leaf], self._tenant_uid, now_us))
            except (WrongError, UncheckedError) as error:
                self.findings.add("audit_entry", str(error))
            else:
                self._note(index, leaf, digest)
        for _, problem in report.chains.problems():
            self.findings.add("audit_entry", problem)
        self._log.finish()
        self._index.finish()
        pending, tokens, size = 0, 0, self._log.size
        waiting = PendingEvents(self._connection, self._tenant_uid, report.chains, self.findings)
        for leaf in waiting.sound(size, now_us):
            self._items.observe(PENDING + pending, AuditEvent.FromString(leaf))
            pending += 1
        for tokens in self._items.finish():
            yield tokens
        return Compared(size, size - self._verified, pending, tokens)

    def _note(self, index: int, leaf: bytes, digest: bytes) -> None:
        """Note what an entry says: how far its boot has come, what it is found by, what it wrote."""
        event = AuditEvent.FromString(leaf)
        self._log.note(index, event, digest)
        self._index.observe(index, event)
        self._items.observe(index, event)
