"""Re-keying on demand: one subject, or all of a tenant's, as many in a transaction as it takes."""

from functools import cached_property

from vault.errors import VaultError
from vault.keys.rekeying import NewFieldKey
from vault.keys.rekeying_refusals import AlteredError
from vault.server.key_worker.erased import Living, check_nobody_is_back, erased_subjects
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey_place import RekeyPlace, UnderWay
from vault.server.key_worker.remembered import Remembered
from vault.server.key_worker.renewal import Renewal, Renewed
from vault.store.engine import reading
from vault.store.rotation import to_rekey
from vault.store.rotation.progress import MAX_STEP_S
from vault.v1 import common_pb2, key_service_pb2

MAX_NAMED = 100
"""Subjects that a result names of a kind."""
_PATIENCE_S = 60.0


class Rekey:
    """One re-keying on its way."""

    def __init__(self, held: HeldOperation, batch: int) -> None:
        """Go on from where it is; ``batch`` is how many rows a step takes."""
        self.held, self._batch = held, batch
        held.place = held.place._replace(phase="REKEY")
        self._only = key_service_pb2.RekeyWork.FromString(held.row.request).subject_uid
        self._renewal: Renewal | None = None
        self._reached = RekeyPlace.of(held.place.cursor)

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
        held, limit = self.held, max(1, self._batch // 10)
        with reading(held.desk.engine, _PATIENCE_S) as connection:
            total = held.place.total or to_rekey.count(connection, held.tenant_uid, self._only)
            following = to_rekey.following(connection, held.tenant_uid, self._only, self._reached.after, limit)
        chosen = tuple(UnderWay(*each) for each in following)
        if chosen:
            held.place = held.place._replace(total=total)
            self._note(RekeyPlace(chosen[-1].uid, chosen, self._reached.said))
        return bool(chosen)

    def _taken_up(self) -> Renewal:
        """Begin with whoever has the keys of before, and go on with those whom a run that was cut off has left in between."""
        with reading(self.held.desk.engine, _PATIENCE_S) as connection:
            now = to_rekey.standing(connection, self.held.tenant_uid, [each.uid for each in self._reached.under_way])
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
        new_field_key = NewFieldKey.ALWAYS if self._only else NewFieldKey.IF_ROOM
        return Renewal(self.held, new_field_key, self._batch, self._living)

    @cached_property
    def _living(self) -> Living:
        """Who may get new keys, asked of the KMS once a run.

        Raises:
            VaultError: INTEGRITY, if somebody is back who was erased; of the KMS.
        """
        keys, remembered = self.held.keys(), Remembered(self.held.desk.manager, self.held.tenant_uid)
        self.held.keep(MAX_STEP_S)
        check_nobody_is_back(self.held.desk, keys, remembered, _PATIENCE_S)
        return Living(max(keys.epochs), erased_subjects(remembered))

    def _note(self, reached: RekeyPlace) -> None:
        """Write down how far it is.

        Raises:
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``step``.
        """
        ended = max(0, len(self._reached.under_way) - len(reached.under_way))
        place, rate = self.held.place, self.held.pace.after(ended)
        self.held.note(place._replace(cursor=reached.cursor, done=place.done + ended, rate=rate))
        self._reached = reached

    def _add(self, renewed: Renewed) -> None:
        """Add to the result what a step did.

        Raises:
            VaultError: the only subject that was asked for was altered, INTEGRITY, or could not be re-keyed in time, WRONG_STATE.
        """
        if self._only and renewed.altered:
            raise AlteredError(self._only)
        if self._only and renewed.late:
            raise _late(self._only)
        self.held.moved += renewed.rows
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
