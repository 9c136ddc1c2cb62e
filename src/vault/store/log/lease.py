"""The lease: which node integrates. Only a courtesy that saves work, since heads of logs move by compare-and-swap."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.limits import limit

NAME = "integrator"
LENGTH_S = 3.0
"""How long after its last sign of life a node's lease ends."""
_US = 1_000_000
_LENGTH_US = int(LENGTH_S * _US)
_RENEW_S = LENGTH_S / 3
_LAST_STEP_S = 30.0
"""How long a node that lost the lease may take to end the step it was at: ``limits.limit`` ends each of its waits by then."""


class Lease:
    """One node's hold on the lease row. Used by one thread.

    Attributes:
        tenure: counts how often it was taken. While it stays, no other node has had the lease. Whoever writes another holder into
            the row makes it rise: it decides how much is read again, never what is believed.
    """

    def __init__(self, engine: sa.Engine, node: str, run: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without the lease.

        Args:
            engine: connects as the role that keeps the log.
            node: the node's name; a run of it that was killed is not waited for.
            run: tells this run of the node from all others.
            clock: monotonic seconds.
        """
        self._engine = engine
        self._node = f"{node}/"
        self._holder = f"{node}/{run}"
        self._clock = clock
        self._renew_at = 0.0
        self._ends_at = 0.0
        self._sole_from = 0.0
        self._is_first = True
        self.tenure = 0

    def hold(self) -> bool:
        """Whether this node has the lease; takes it if it is free, and extends it in time.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        now = self._clock()
        if now >= self._renew_at:
            self._ends_at = 0.0
            if self._extend():
                self._renew_at, self._ends_at = now + _RENEW_S, now + LENGTH_S
        return now < self._ends_at

    def was_kept(self) -> bool:
        """Whether no other node can have integrated for a while: the database is asked now.

        None has had the lease in this tenure, which is old enough for the last holder to have ended what it had begun.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        tenure, self._renew_at = self.tenure, 0.0
        return self.hold() and self.tenure == tenure and self._clock() >= self._sole_from

    def release(self) -> None:
        """Let another node have it at once.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        self._renew_at = self._ends_at = 0.0
        with self._engine.begin() as connection:
            limit(connection)
            connection.execute(t.audit_lease.update().where(_named(), t.audit_lease.c.holder == self._holder).values(until_us=0))

    def _extend(self) -> bool:
        """Take or keep the lease; a row that no node of ours can have written, since it lies too far ahead, counts for nothing."""
        with self._engine.begin() as connection:
            limit(connection)
            now = now_us(connection)
            row = connection.execute(sa.select(t.audit_lease).where(_named())).first()
            until = now + _LENGTH_US
            if row is None:
                connection.execute(t.audit_lease.insert().values(name=NAME, holder=self._holder, until_us=until))
            else:
                mine = row.holder == self._holder or (self._is_first and row.holder.startswith(self._node))
                if not mine and now <= row.until_us <= now + 2 * _LENGTH_US:
                    return False
                as_seen = (t.audit_lease.c.holder == row.holder) & (t.audit_lease.c.until_us == row.until_us)
                taken = t.audit_lease.update().where(_named(), as_seen).values(holder=self._holder, until_us=until)
                if connection.execute(taken).rowcount != 1:
                    return False
        if row is None or row.holder != self._holder:  # when it ends, anybody who can write may have changed
            self.tenure += 1
            self._sole_from = self._clock() + _LAST_STEP_S
        self._is_first = False
        return True


def _named() -> sa.ColumnElement[bool]:
    return t.audit_lease.c.name == NAME
