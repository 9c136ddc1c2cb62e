"""Re-keying on demand: one subject, or all of a tenant's, each in a transaction of its own."""

from contextlib import suppress

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from vault.audit.events import Caller
from vault.keys.rekeying import AlteredError, NewFieldKey
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.renewal import Renewal
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rotation.progress import Pace, Place, advance
from vault.store.rows import OperationRow
from vault.v1 import key_service_pb2

MAX_NAMED = 100
"""Subjects that a result names."""
_PATIENCE_S = 60.0
_UID_BYTES = 16


class Rekey:
    """One re-keying on its way. Its cursor is the uid of the last subject, and the result so far.

    Attributes:
        place: how far it is.
    """

    def __init__(self, desk: Desk, row: OperationRow, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self._desk, self._row, self._batch = desk, row, max(1, batch // 10)
        self._only = bytes.fromhex(key_service_pb2.RekeyRequest.FromString(row.request).context.reference)
        self._pace = Pace()
        self._attestation = _so_far(row.cursor[_UID_BYTES:])
        self.place = Place("REKEY", row.cursor, row.done, row.total)

    def step(self) -> bool:
        """Re-key the next subjects; False if there is none.

        Raises:
            VaultError: the only subject that was asked for can't be re-keyed.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        c = t.subject.c
        wanted = (c.tenant_uid == self._row.tenant_uid) & ((c.uid == self._only) if self._only else sa.true())
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            total = self.place.total or connection.scalar(sa.select(sa.func.count()).select_from(t.subject).where(wanted)) or 0
            after = self.place.cursor[:_UID_BYTES]
            uids = list(connection.scalars(sa.select(c.uid).where(wanted, c.uid > after).order_by(c.uid).limit(self._batch)))
        if not uids:
            return False
        self._renew(uids)
        cursor = uids[-1] + self.result()
        self.place = Place("REKEY", cursor, self.place.done + len(uids), total, self._pace.after(len(uids)))
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, self.place)
        return True

    def result(self) -> bytes:
        """How many got new keys, and who did not."""
        return self._attestation.SerializeToString(deterministic=True)

    def _renew(self, uids: list[bytes]) -> None:
        caller, details = Caller(self._row.tenant_uid, self._desk.principal), {"operation": self._row.uid.hex()}
        new_field_key = NewFieldKey.ALWAYS if self._only else NewFieldKey.IF_ROOM
        renewal = Renewal(self._desk, caller, details, new_field_key)
        done = renewal.renew(uids)
        if self._only and renewal.altered:
            raise AlteredError(self._only)
        said = self._attestation
        said.done["subjects_rekeyed"] += done
        said.done["field_keys_kept"] += len(renewal.full)
        said.left["subjects_altered"] += len(renewal.altered)
        said.altered_subjects.extend(list(renewal.altered)[: MAX_NAMED - len(said.altered_subjects)])


def _so_far(told: bytes) -> key_service_pb2.Attestation:
    """The result of the steps before, as their cursor tells it."""
    attestation = key_service_pb2.Attestation()
    with suppress(DecodeError):
        attestation.ParseFromString(told)
    return attestation
