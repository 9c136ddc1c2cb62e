"""Re-keying as a phase of a rotation: whoever had something deleted or replaced, and whom a re-keying has left with older keys."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.keys.rekeying import NewFieldKey
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.erased import Living
from vault.server.key_worker.renewal import Renewal
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.rotation.part import Pass
from vault.store.rotation.under_way import has_older_key, weight

_PATIENCE_S = 600.0
"""How long a scan of all subjects may take."""


class DueSubjects:
    """The subjects of a tenant that are due, some at a time; those with many items in parts.

    Attributes:
        rows: items and subjects that were moved so far.
        late: of whom no part could be moved in time, when it was tried last.
    """

    def __init__(self, desk: Desk, caller: Caller, details: Mapping[str, str], batch: int, living: Living) -> None:
        """Begin with nobody.

        Args:
            desk: what it takes to run calls.
            caller: who re-keys.
            details: what the log says besides.
            batch: how many items a transaction moves.
            living: who may get new keys.
        """
        self._desk, self._caller, self._details, self._batch, self._living = desk, caller, details, batch, living
        self._uids: list[bytes] = []
        self._renewal = self._new_renewal()
        self.rows = 0
        self.late = set[bytes]()

    def step(self, after: bytes, limit: int) -> Pass:
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
            return Pass(0, 0, None)
        renewed = self._renewal.step()
        self.rows += renewed.rows
        self.late |= set(renewed.late)
        last = after if self._renewal.left else self._uids[-1]
        return Pass(renewed.done, len(renewed.altered) + len(renewed.late), last)

    def _begin(self, after: bytes, limit: int) -> None:
        c = t.subject.c
        due = sa.select(c.uid, c.rekey_due, weight().label("weight")).where(
            c.tenant_uid == self._caller.tenant_uid, c.uid > after, c.rekey_due | has_older_key()
        )
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            found = connection.execute(due.order_by(c.uid).limit(limit)).all()
        self._uids, self._renewal = [row.uid for row in found], self._new_renewal()
        self.late -= set(self._uids)
        for row in found:
            if row.rekey_due:
                self._renewal.begin(row.uid, row.weight)
            else:
                self._renewal.take_up(row.uid)

    def _new_renewal(self) -> Renewal:
        return Renewal(self._desk, self._caller, self._details, NewFieldKey.NEVER, self._batch, self._living)
