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
        self._only = key_service_pb2.RekeyWork.FromString(row.request).subject_uid
        self._pace = Pace()
        self._uids: list[bytes] = []
        self._renewal = self._new_renewal()
        self._attestation = _so_far(row.cursor[_UID_BYTES:])
        self.place = Place("REKEY", row.cursor, row.done, row.total)

    def step(self) -> bool:
        """Re-key the next subjects, or some more of those that have much; False if there is none.

        Raises:
            VaultError: the only subject that was asked for can't be re-keyed.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        if self._renewal.is_over:
            self._renewal, self._uids = self._new_renewal(), self._following()
            if not self._uids:
                return False
            self._renewal.begin(self._uids)
        else:
            self._renewal.go_on()
        self._note()
        return True

    def result(self) -> bytes:
        """How many got new keys, and who did not."""
        return self._attestation.SerializeToString(deterministic=True)

    def _following(self) -> list[bytes]:
        """The subjects after the last one."""
        c, place = t.subject.c, self.place
        wanted = (c.tenant_uid == self._row.tenant_uid) & ((c.uid == self._only) if self._only else sa.true())
        following = sa.select(c.uid).where(wanted, c.uid > place.cursor[:_UID_BYTES]).order_by(c.uid).limit(self._batch)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            total = place.total or connection.scalar(sa.select(sa.func.count()).select_from(t.subject).where(wanted)) or 0
            self.place = place._replace(total=total)
            return list(connection.scalars(following))

    def _new_renewal(self) -> Renewal:
        caller, details = Caller(self._row.tenant_uid, self._desk.principal), {"operation": self._row.uid.hex()}
        return Renewal(self._desk, caller, details, NewFieldKey.ALWAYS if self._only else NewFieldKey.IF_ROOM)

    def _note(self) -> None:
        """Write down how far it is: past these subjects once none of them has more, else that it is still at them.

        Raises:
            VaultError: INTEGRITY, if the only subject that was asked for was altered.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``step``.
        """
        if self._renewal.is_over:
            self._add(self._renewal)
            done = self.place.done + len(self._uids)
            self.place = self.place._replace(
                cursor=self._uids[-1] + self.result(), done=done, rate=self._pace.after(len(self._uids))
            )
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, self.place)

    def _add(self, renewal: Renewal) -> None:
        if self._only and renewal.altered:
            raise AlteredError(self._only)
        said = self._attestation
        said.done["subjects_rekeyed"] += renewal.done
        said.done["field_keys_kept"] += len(renewal.full)
        said.left["subjects_altered"] += len(renewal.altered)
        said.altered_subjects.extend(renewal.altered[: MAX_NAMED - len(said.altered_subjects)])


def _so_far(told: bytes) -> key_service_pb2.Attestation:
    """The result of the steps before, as their cursor tells it."""
    attestation = key_service_pb2.Attestation()
    with suppress(DecodeError):
        attestation.ParseFromString(told)
    return attestation
