"""Events that are not in the tree yet, against the chains of their boots: one that was edited, moved or taken out is named."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from vault.audit.boots import Boots
from vault.audit.merkle import leaf_hash
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_leaves import check_leaves
from vault.cli.audit.database_rows import Findings, select

_PENDING = (
    "SELECT boot_id, boot_sequence, time_us, leaf FROM audit_pending WHERE tenant_uid = :tenant ORDER BY boot_id, boot_sequence"
)


class PendingEvents:
    """The events of a log that wait for their place in it."""

    def __init__(self, connection: sa.Connection, tenant_uid: bytes, chains: Boots, findings: Findings) -> None:
        """Begin.

        Args:
            connection: on a snapshot of the database.
            tenant_uid: whose log.
            chains: as the tree has them; problems they have already are not noted again.
            findings: takes what is wrong.
        """
        self._connection = connection
        self._tenant_uid = tenant_uid
        self._chains = chains
        self._findings = findings
        self._broken = {boot_id for boot_id, _ in chains.problems()}
        self._last: tuple[bytes, str, bool] | None = None  # boot id, name, whether it is signed

    def sound(self, size: int, now_us: int) -> Iterator[bytes]:
        """The leaves that go on with their boots' chains; what breaks one is noted, once a boot.

        Args:
            size: of the tree.
            now_us: the time, in microseconds since 1970.
        """
        for row in select(self._connection, _PENDING, self._tenant_uid):
            boot_id = bytes(row.boot_id)
            if self._last and self._last[0] != boot_id:
                self._end_boot()
            if boot_id not in self._broken and self._goes_on(row, size, now_us):
                size += 1
                yield bytes(row.leaf)
        self._end_boot()
        for boot_id, problem in self._chains.problems():
            if boot_id not in self._broken:
                what = f"an event of boot {boot_id.hex()} was edited or forged: were it integrated, {problem}"
                self._findings.add("audit_pending", what)

    def _goes_on(self, row: Any, size: int, now_us: int) -> bool:
        """Whether a row is the next event of its boot."""
        boot_id, leaf = bytes(row.boot_id), bytes(row.leaf)
        name = f"number {row.boot_sequence} of boot {boot_id.hex()}"
        try:
            links = check_leaves(size, [leaf], self._tenant_uid, now_us)
            if (links.boot_ids[0], links.sequences[0], links.times_us[0]) != (boot_id, row.boot_sequence, row.time_us):
                raise WrongError("its columns are not what its leaf says")
            self._chains.follow(size, [leaf], [leaf_hash(leaf)], links)
        except (WrongError, UncheckedError) as error:
            self._findings.add("audit_pending", f"{name} was edited or moved, or one before it was taken out: {error}")
            self._broken.add(boot_id)
            self._last = None
            return False
        self._last = boot_id, name, bool(links.signatures[0])
        return True

    def _end_boot(self) -> None:
        if self._last and not self._last[2]:
            what = f"what followed {self._last[1]} was taken out: the last event of a commit is signed, and this is not"
            self._findings.add("audit_pending", what)
        self._last = None
