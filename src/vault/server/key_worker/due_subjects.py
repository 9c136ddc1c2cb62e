"""Re-keying as a phase of a rotation: whoever had something deleted or replaced, and whom a re-keying has left with older keys."""

from vault.keys.rekeying import NewFieldKey
from vault.server.key_worker.erased import Living
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.renewal import Renewal
from vault.store.engine import reading
from vault.store.rotation.pass_part import Moved
from vault.store.rotation.to_rekey import due

_PATIENCE_S = 600.0
"""How long a scan of all subjects may take."""


class DueSubjects:
    """The subjects of a tenant that are due, some at a time; those with many items in parts.

    Attributes:
        rows: items and subjects that were moved so far.
        late: of whom no part could be moved in time, when it was tried last.
    """

    def __init__(self, held: HeldOperation, batch: int, living: Living) -> None:
        """Begin with nobody.

        Args:
            held: the rotation.
            batch: how many items a transaction moves.
            living: who may get new keys.
        """
        self._held, self._batch, self._living = held, batch, living
        self._uids: list[bytes] = []
        self._renewal = self._new_renewal()
        self.rows = 0
        self.late = set[bytes]()

    def step(self, after: bytes, limit: int) -> Moved:
        """Re-key the next subjects, as many as one transaction takes; ``last`` stays ``after`` until nobody of ``limit`` is left.

        Args:
            after: the uid of the last subject, empty at first.
            limit: how many subjects are looked for at once.

        Raises:
            VaultError: somebody can't be re-keyed for another reason than altered rows, or want of time.
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        if not self._renewal.left:
            self._begin(after, limit)
        if not self._uids:
            return Moved(0, 0, None)
        renewed = self._renewal.step()
        self.rows += renewed.rows
        self.late |= set(renewed.late)
        last = after if self._renewal.left else self._uids[-1]
        return Moved(renewed.done, len(renewed.altered) + len(renewed.late), last)

    def _begin(self, after: bytes, limit: int) -> None:
        with reading(self._held.desk.engine, _PATIENCE_S) as connection:
            found = due(connection, self._held.tenant_uid, after, limit)
        self._uids, self._renewal = [row.uid for row in found], self._new_renewal()
        self.late -= set(self._uids)
        for row in found:
            if row.rekey_due:
                self._renewal.begin(row.uid, row.weight)
            else:
                self._renewal.take_up(row.uid)

    def _new_renewal(self) -> Renewal:
        return Renewal(self._held, NewFieldKey.NEVER, self._batch, self._living)
