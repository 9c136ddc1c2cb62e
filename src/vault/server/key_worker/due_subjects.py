"""Re-keying as a phase of a rotation: whoever had something deleted or replaced, and whom a re-keying has left with older keys."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.keys.rekeying import NewFieldKey
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.renewal import Renewal
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.reads import STORE
from vault.store.rotation.part import Pass

_PATIENCE_S = 600.0
"""How long a scan of all subjects may take."""


class DueSubjects:
    """The subjects of a tenant that are due, some at a time; those with many items in parts."""

    def __init__(self, desk: Desk, caller: Caller, details: Mapping[str, str]) -> None:
        """Begin with nobody; ``details`` is what the log says besides."""
        self._desk, self._caller, self._details = desk, caller, details
        self._uids: list[bytes] = []
        self._renewal = self._new_renewal()

    def step(self, after: bytes, limit: int) -> Pass:
        """Re-key the next subjects, or some more of those that have much: then nothing is done yet, and ``last`` is ``after``.

        Args:
            after: the uid of the last subject, empty at first.
            limit: how many subjects at most.

        Raises:
            VaultError: somebody can't be re-keyed for another reason than altered rows.
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        if self._renewal.is_over:
            self._begin(after, limit)
        else:
            self._renewal.go_on()
        if not self._renewal.is_over:
            return Pass(0, 0, after)
        done = self._renewal.done
        return Pass(done, len(self._uids) - done, self._uids[-1] if self._uids else None)

    def _begin(self, after: bytes, limit: int) -> None:
        c = t.subject.c
        due = sa.select(c.uid, c.rekey_due).where(
            c.tenant_uid == self._caller.tenant_uid, c.uid > after, c.rekey_due | _has_older()
        )
        with reading(self._desk.engine, _PATIENCE_S) as connection:
            found = connection.execute(due.order_by(c.uid).limit(limit)).all()
        self._uids = [row.uid for row in found]
        self._renewal = self._new_renewal()
        self._renewal.begin(row.uid for row in found if row.rekey_due)
        self._renewal.take_up(row.uid for row in found if not row.rekey_due)

    def _new_renewal(self) -> Renewal:
        return Renewal(self._desk, self._caller, self._details, NewFieldKey.NEVER)


def _has_older() -> sa.ColumnElement[bool]:
    """Whether a subject has an older store key than its newest: a re-keying in parts was not brought to its end."""
    k, s = t.subject_key.c, t.subject.c
    own = (k.tenant_uid == s.tenant_uid) & (k.subject_uid == s.uid) & (k.kind == STORE)
    return sa.exists().where(own, k.version < s.store_key_version)
