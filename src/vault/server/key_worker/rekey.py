"""Re-keying on demand: one subject, or all of a tenant's, as many in a transaction as it takes."""

from functools import cached_property

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying import AlteredError, NewFieldKey
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.erased import Living, check_nobody_is_back, erased_subjects
from vault.server.key_worker.rekey_place import RekeyPlace, UnderWay
from vault.server.key_worker.remembered import Remembered
from vault.server.key_worker.renewal import Renewal, Renewed
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rotation.progress import MAX_STEP_S, Pace, Place, advance, keep
from vault.store.rotation.under_way import has_older_key, weight
from vault.store.rows import OperationRow
from vault.v1 import common_pb2, key_service_pb2

MAX_NAMED = 100
"""Subjects that a result names of a kind."""
_PATIENCE_S = 60.0


class Rekey:
    """One re-keying on its way.

    Attributes:
        place: how far it is.
        moved: items and subjects that this run has moved.
    """

    def __init__(self, desk: Desk, row: OperationRow, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self._desk, self._row, self._batch = desk, row, batch
        self._only = key_service_pb2.RekeyWork.FromString(row.request).subject_uid
        self._pace = Pace()
        self._renewal: Renewal | None = None
        self._reached = RekeyPlace.of(row.cursor)
        self.moved = 0
        self.place = Place("REKEY", row.cursor, row.done, row.total)

    def step(self) -> bool:
        """Re-key as many of the next subjects as one transaction takes, or some more of one that has much; False if there is none.

        Raises:
            VaultError: the only subject that was asked for can't be re-keyed.
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``Rotation.step``.
        """
        renewal = self._renewal
        if renewal is None or not renewal.left:
            if not self._reached.under_way and not self._choose():
                return False
            renewal = self._renewal = self._taken_up()
        renewed = renewal.step()
        self._add(renewed)
        self._note(self._reached.only(renewal.left))
        return True

    def result(self) -> bytes:
        """How many got new keys, and who did not."""
        return self._reached.said.SerializeToString(deterministic=True)

    def _choose(self) -> bool:
        """Write down whose turn it is before anything is done; whether there is anybody."""
        c, after = t.subject.c, self._reached.after
        wanted = (c.tenant_uid == self._row.tenant_uid) & ((c.uid == self._only) if self._only else sa.true())
        following = sa.select(c.uid, c.store_key_version).where(wanted, c.uid > after).order_by(c.uid)
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            total = self.place.total or connection.scalar(sa.select(sa.func.count()).select_from(t.subject).where(wanted)) or 0
            chosen = tuple(UnderWay(*row) for row in connection.execute(following.limit(max(1, self._batch // 10))))
        if chosen:
            self.place = self.place._replace(total=total)
            self._note(RekeyPlace(chosen[-1].uid, chosen, self._reached.said))
        return bool(chosen)

    def _taken_up(self) -> Renewal:
        """Begin with whoever has the keys of before, and go on with those whom a run that was cut off has left in between."""
        c = t.subject.c
        asked = sa.select(c.uid, c.store_key_version, has_older_key().label("has_older"), weight().label("weight")).where(
            c.tenant_uid == self._row.tenant_uid, c.uid.in_([each.uid for each in self._reached.under_way])
        )
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            now = {row.uid: row for row in connection.execute(asked)}
        renewal = self._new_renewal()
        for each in self._reached.under_way:
            found = now.get(each.uid)
            if found is None:
                continue
            if found.store_key_version <= each.version:
                renewal.begin(each.uid, found.weight)
            elif found.has_older:
                renewal.take_up(each.uid)
            else:
                self._reached.said.done["subjects_rekeyed"] += 1
        return renewal

    def _new_renewal(self) -> Renewal:
        caller, details = Caller(self._row.tenant_uid, self._desk.principal), {"operation": self._row.uid.hex()}
        new_field_key = NewFieldKey.ALWAYS if self._only else NewFieldKey.IF_ROOM
        return Renewal(self._desk, caller, details, new_field_key, self._batch, self._living)

    @cached_property
    def _living(self) -> Living:
        """Who may get new keys, asked of the KMS once a run.

        Raises:
            VaultError: INTEGRITY, if somebody is back who was erased; of the KMS.
        """
        keys, remembered = self._desk.keys(self._row.tenant_uid), Remembered(self._desk.manager, self._row.tenant_uid)
        keep(self._desk.engine, self._row, self._desk.name, MAX_STEP_S)
        check_nobody_is_back(self._desk, keys, remembered, _PATIENCE_S)
        return Living(max(keys.epochs), erased_subjects(remembered))

    def _note(self, reached: RekeyPlace) -> None:
        """Write down how far it is.

        Raises:
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``step``.
        """
        ended = max(0, len(self._reached.under_way) - len(reached.under_way))
        rate = self._pace.after(ended)
        place = self.place._replace(cursor=reached.cursor, done=self.place.done + ended, rate=rate)
        with self._desk.engine.begin() as connection:
            advance(connection, self._row, self._desk.name, place)
        self._reached, self.place = reached, place

    def _add(self, renewed: Renewed) -> None:
        """Add to the result what a step did.

        Raises:
            VaultError: the only subject that was asked for was altered, INTEGRITY, or could not be re-keyed in time, WRONG_STATE.
        """
        if self._only and renewed.altered:
            raise AlteredError(self._only)
        if self._only and renewed.late:
            raise _late(self._only)
        self.moved += renewed.rows
        said = self._reached.said
        said.done["subjects_rekeyed"] += renewed.done
        said.done["field_keys_kept"] += len(renewed.full)
        said.left["subjects_altered"] += len(renewed.altered)
        said.left["subjects_late"] += len(renewed.late)
        said.altered_subjects.extend(renewed.altered[: MAX_NAMED - len(said.altered_subjects)])
        said.late_subjects.extend(renewed.late[: MAX_NAMED - len(said.late_subjects)])


def _late(subject_uid: bytes) -> VaultError:
    return VaultError(
        common_pb2.ERROR_REASON_WRONG_STATE,
        f"not even some items of the subject {subject_uid.hex()} could be re-keyed within the seconds that a transaction may take; "
        "it keeps its keys; re-key it again when the database is less busy",
    )
