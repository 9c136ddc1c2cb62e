"""Horizons: what of a tenant's keys is destroyed, whom no copy of any age brings back since, and the act that says so."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.administration import Act
from vault.audit.actions import HORIZON_REACHED
from vault.audit.details import Detail
from vault.audit.events import Caller
from vault.audit.receipt_leaves import names_newest
from vault.kms.kek import Kek
from vault.kms.tenant_keys import TenantKeys
from vault.store.key_usage import SKEW_US
from vault.store.reads import Reads, Rows
from vault.store.rows import RETENTION_US, ErasureRow
from vault.store.sealing import fits, sealed
from vault.store.states import ErasureState
from vault.store.writes import Writes
from vault.v1.subject_service_pb2 import ErasureStatement

MAX_ERASURES = 1000
"""Erasures that one event lists."""
MOVED_US = RETENTION_US + SKEW_US
"""For how long after its beginning what opens an erasure's receipt may be wrapped by new keys, by clocks that differ."""


class Gone(NamedTuple):
    """Up to where a tenant's KEK is destroyed, as the KMS says itself: the oldest version that is not, and when that was made.

    ``since_us`` is in microseconds since 1970, 0 if it is not known.
    """

    oldest_kek: int
    since_us: int

    def covers(self, row: ErasureRow) -> bool:
        """Whether an erasure is done of which no copy can be read any more: its statement names versions that are gone alone.

        The newest in the statement wrapped whatever touched the erased. What opens the receipt may have been moved to a newer one,
        but not after a day. Of that no row is believed: the erasure's could be put back to before.
        """
        try:
            statement = ErasureStatement.FromString(row.statement)
        except DecodeError:
            return False
        if row.state != ErasureState.DONE or not statement.kek_versions or max(statement.kek_versions) >= self.oldest_kek:
            return False
        return names_newest(statement) and row.begin_us + MOVED_US <= self.since_us


def gone(kek: Kek) -> Gone:
    """What is destroyed of a KEK."""
    return Gone(kek.oldest, kek.versions.get(kek.oldest, 0))


class HorizonAct(Act):
    """The act that says which erasures no copy can undo any more."""

    def __init__(self, caller: Caller, details: Mapping[str, str], erasures: Iterable[bytes], gone: Gone) -> None:
        """Make it.

        Args:
            caller: who.
            details: what the log says besides.
            erasures: their uids, ``MAX_HORIZONS`` at most; looked at once more. One whose row was altered stops no other.
            gone: what is destroyed, as the KMS says itself.
        """
        super().__init__(caller, HORIZON_REACHED, "", {**details, Detail.OLDEST: str(gone.oldest_kek)}, self._reach)
        self._erasures = frozenset(erasures)
        self._gone = gone
        self.reached: list[ErasureRow] = []
        self.altered: list[ErasureRow] = []
        """Once it has run: those whose horizon it has said, and those of which it can't be."""

    def reads(self, _keys: TenantKeys | None) -> Reads:
        """The erasures."""
        return Reads(erasures=self._erasures)

    def _reach(self, rows: Rows, keys: TenantKeys) -> Writes:
        waiting = [row for row in rows.erasures.values() if not row.horizon_us]
        self.altered = [row for row in waiting if not fits(keys.authority, row)]
        self.reached = [row for row in waiting if self._gone.covers(row) and row not in self.altered]
        self.details[Detail.ERASURES] = ",".join(sorted(row.uid.hex() for row in self.reached))
        self.details["altered"] = str(len(self.altered))
        return Writes(replaced=[(row, sealed(keys.authority, row._replace(horizon_us=rows.now_us))) for row in self.reached])
