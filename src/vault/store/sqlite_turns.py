"""One writer at a time in an SQLite file, each woken the moment the one before is done.

SQLite itself lets writers wait by trying again after ever longer pauses, of up to a tenth of a second: where calls and integrator
write in turns, most of the time would go by with nobody writing.
"""

import threading
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher


class TurnTaking(sqlcipher.Connection):  # type: ignore[misc]
    """A connection that waits for its turn before it begins to write, and passes the turn on when its transaction is over."""

    def __init__(self, *arguments: Any, turn: threading.Lock, **options: Any) -> None:
        """Connect; ``turn`` is shared by all connections to the file."""
        super().__init__(*arguments, **options)
        self._turn = turn
        self._has_turn = False

    def take_turn(self) -> None:
        """Wait until nobody else writes, for as long as the connection is told to wait for locks at all.

        Raises:
            sqlcipher3.dbapi2.OperationalError: somebody did, all that time.
        """
        ((patience_ms,),) = self.execute("PRAGMA busy_timeout")
        if not self._turn.acquire(timeout=patience_ms / 1000):
            raise sqlcipher.OperationalError("database is locked")
        self._has_turn = True

    def pass_turn(self) -> None:
        """Let the next one write, if it was this one's turn."""
        if self._has_turn:
            self._has_turn = False
            self._turn.release()

    def commit(self) -> None:
        """Commit; if that fails and leaves the transaction open, the turn is kept until it is rolled back or closed."""
        try:
            super().commit()
        finally:
            if not self.in_transaction:
                self.pass_turn()

    def rollback(self) -> None:
        """Roll back."""
        try:
            super().rollback()
        finally:
            if not self.in_transaction:
                self.pass_turn()

    def close(self) -> None:
        """Close, which rolls back."""
        try:
            super().close()
        finally:
            self.pass_turn()
