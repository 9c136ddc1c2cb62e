"""Horizons: what of a tenant's keys is destroyed, whom no copy of any age brings back since, and the act that says so."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.administration import Act
from vault.audit.actions import HORIZON_REACHED
from vault.audit.details import Detail
from vault.audit.events import Caller
from vault.audit.receipt_leaves import names_newest
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads, Rows
from vault.store.rows import ErasureRow, TenantRow
from vault.store.sealing import fits, sealed
from vault.store.states import ErasureState
from vault.store.writes import Writes
from vault.v1.subject_service_pb2 import ErasureStatement

MAX_ERASURES = 1000
"""Erasures that one event lists."""


class Gone(NamedTuple):
    """Up to where a tenant's keys are destroyed: the newest epoch and index key that are, the oldest KEK version that is not."""

    epoch: int
    index_key: int
    oldest_kek: int

    def covers(self, row: ErasureRow) -> bool:
        """Whether an erasure is done of which no copy can be read any more: its row and its statement name what is gone alone.

        The newest KEK version in the statement wrapped whatever touched the erased; only a receipt's opening that was moved
        since is under newer keys, which the row names.
        """
        try:
            statement = ErasureStatement.FromString(row.statement)
        except DecodeError:
            return False
        if row.state != ErasureState.DONE or not statement.kek_versions or max(statement.kek_versions) >= self.oldest_kek:
            return False
        if not names_newest(statement):
            return False
        was_moved = (row.epoch, row.index_key_version) != (statement.epoch, statement.index_key_version)
        return not was_moved or (row.epoch <= self.epoch and row.index_key_version <= self.index_key)


def gone(tenant: TenantRow, keys: TenantKeys, oldest_kek: int) -> Gone:
    """What is destroyed, by the tenant's row with its MAC and by what the KMS has opened and says: no row of a key is asked.

    Epochs and index keys are numbered one by one, each under a newer KEK version than the one before, the current ones under
    the newest in use. So of the KEK versions that are left, none has more than one of each, and all that are older are gone. Where
    a KEK version wrapped none, one that is gone may count as living: never the other way round.

    Args:
        tenant: the tenant's row, checked.
        keys: the tenant's keys, of its row's generation.
        oldest_kek: the oldest KEK version that is not destroyed.
    """
    living = max(keys.kek_version - oldest_kek, 0) + 1
    return Gone(max(tenant.epoch - living, 0), max(tenant.index_key_version - living, 0), oldest_kek)


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
        said = {Detail.OLDEST: str(gone.oldest_kek), "epoch": str(gone.epoch), "index_key": str(gone.index_key)}
        super().__init__(caller, HORIZON_REACHED, "", {**details, **said}, self._reach)
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
