"""Re-keying on demand: one subject, or all of a tenant's, each in a transaction of its own."""

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying import GONE, Rekeying
from vault.server.key_worker.desk import Desk
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rotation.progress import Pace, Place, advance
from vault.store.rows import OperationRow
from vault.v1 import key_service_pb2

_PATIENCE_S = 60.0


class Rekey:
    """One re-keying on its way. Its cursor is the uid of the last subject.

    Attributes:
        place: how far it is.
    """

    def __init__(self, desk: Desk, row: OperationRow, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self._desk, self._row, self._batch = desk, row, max(1, batch // 10)
        self._only = bytes.fromhex(key_service_pb2.RekeyRequest.FromString(row.request).context.reference)
        self._pace = Pace()
        self.place = Place("REKEY", row.cursor, row.done, row.total)

    def step(self) -> bool:
        """Re-key the next subjects; False if there is none.

        Raises:
            VaultError: a subject's rows were altered.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        c = t.subject.c
        wanted = (c.tenant_uid == self._row.tenant_uid) & ((c.uid == self._only) if self._only else sa.true())
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            total = self.place.total or connection.scalar(sa.select(sa.func.count()).select_from(t.subject).where(wanted)) or 0
            following = sa.select(c.uid).where(wanted, c.uid > self.place.cursor).order_by(c.uid).limit(self._batch)
            uids = list(connection.scalars(following))
        if not uids:
            return False
        caller, details = Caller(self._row.tenant_uid, self._desk.principal), {"operation": self._row.uid.hex()}
        for answer in self._desk.each([Rekeying(caller, uid, details, with_field_key=True) for uid in uids]):
            if isinstance(answer, VaultError) and answer.reason not in GONE:
                raise answer
        self.place = Place("REKEY", uids[-1], self.place.done + len(uids), total, self._pace.after(len(uids)))
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, self.place)
        return True

    def result(self) -> bytes:
        """How many."""
        attestation = key_service_pb2.Attestation(done={"subjects_rekeyed": self.place.done})
        return attestation.SerializeToString(deterministic=True)
