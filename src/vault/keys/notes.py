"""The KMS's notes of erasures: how long copies that bring somebody back can turn up, and the act that lets their notes go.

It is decided here, by the time that the runner holds against the node's clock: the KMS remembers nothing of what is forgotten.
"""

from collections.abc import Iterable, Mapping

from vault.administration import Act
from vault.audit.actions import NOTES_FORGOTTEN
from vault.audit.details import Detail
from vault.audit.events import Caller
from vault.keys.schedule import kept_s, schedule_of
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads, Rows
from vault.store.rows import ErasureRow, KeyScheduleRow
from vault.store.sealing import fits
from vault.store.writes import Writes
from vault.v1.subject_service_pb2 import ErasureStatement

_US = 1_000_000


class ForgetAct(Act):
    """The act that names the erasures whose notes are no longer needed; the KMS forgets them after it."""

    def __init__(self, caller: Caller, details: Mapping[str, str], erasures: Iterable[bytes]) -> None:
        """Make it.

        Args:
            caller: who.
            details: what the log says besides.
            erasures: their uids, ``MAX_ERASURES`` at most; looked at once more. One whose row was altered is remembered for good.
        """
        super().__init__(caller, NOTES_FORGOTTEN, "", dict(details), self._forget)
        self._erasures = frozenset(erasures)
        self.forgotten: list[bytes] = []
        """Once it has run: the erasures that it has named."""

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The erasures, and how long copies are kept."""
        return Reads(erasures=self._erasures, schedule=True)

    def _forget(self, rows: Rows, keys: TenantKeys) -> Writes:
        authority = keys.authority
        schedule = schedule_of(rows.schedule, authority)
        due = [row.uid for row in rows.erasures.values() if fits(authority, row) and is_past(row, schedule, rows.now_us)]
        self.forgotten = sorted(due)
        self.details[Detail.ERASURES] = ",".join(uid.hex() for uid in self.forgotten)
        return Writes()


def is_past(row: ErasureRow, schedule: KeyScheduleRow, now_us: int) -> bool:
    """Whether an erasure's horizon was reached longer ago than any copy is kept: as was said at its end, and as is said now.

    Args:
        row: of the erasure, its MAC checked.
        schedule: the tenant's, checked.
        now_us: the database's time.
    """
    if not row.horizon_us:
        return False
    said = ErasureStatement.FromString(row.statement)
    return row.horizon_us + max(said.copies_kept.seconds, kept_s(schedule, row.begin_us)) * _US <= now_us
