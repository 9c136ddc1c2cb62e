"""An operation that this worker runs: how far it is, noted as it goes on. The work itself says only what it does."""

from collections.abc import Mapping

import sqlalchemy as sa

from vault.audit.events import Caller
from vault.kms.tenant_keys import TenantKeys
from vault.server.key_worker.desk import Desk
from vault.store.rotation import progress
from vault.store.rotation.progress import Pace, Place
from vault.store.rows import OperationRow


class HeldOperation:
    """One operation for as long as one run of it lasts. Paused, cancelled or taken over, it lets nothing more be noted.

    Attributes:
        desk: what it takes to change tenants' keys.
        row: what was asked for, and how far it was when this run began.
        place: how far it is now.
        moved: rows that this run has moved, by which a rate is kept.
        pace: how fast that goes.
    """

    def __init__(self, desk: Desk, row: OperationRow) -> None:
        """Go on from where it is."""
        self.desk, self.row = desk, row
        self.place = Place(row.phase, row.cursor, row.done, row.total, kinds=progress.kinds_of(row))
        self.moved = 0
        self.pace = Pace()

    @property
    def tenant_uid(self) -> bytes:
        """Whose keys it is about."""
        return self.row.tenant_uid

    @property
    def caller(self) -> Caller:
        """Who does it, as the tenant's log says."""
        return Caller(self.row.tenant_uid, self.desk.principal)

    @property
    def details(self) -> Mapping[str, str]:
        """What the log says with whatever is done for it."""
        return {"operation": self.row.uid.hex()}

    def keys(self) -> TenantKeys:
        """The tenant's keys as they are now; errors as ``Desk.keys``."""
        return self.desk.keys(self.row.tenant_uid)

    def keep(self, seconds: float) -> None:
        """Keep it for as long as the next step may take, if that is longer than usual.

        Raises:
            NotOursError: stop.
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        progress.keep(self.desk.engine, self.row, self.desk.name, seconds)

    def advance(self, connection: sa.Connection, place: Place) -> None:
        """Note how far it is within the transaction of a step; ``place`` is for the caller to set, once that is committed.

        Raises:
            NotOursError: roll back, and stop.
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        progress.advance(connection, self.row, self.desk.name, place)

    def note(self, place: Place) -> None:
        """Note how far it is, in a transaction of its own; errors as ``advance``."""
        with self.desk.engine.begin() as connection:
            self.advance(connection, place)
        self.place = place

    def give_back(self) -> None:
        """Let whoever looks next go on with it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
        """
        progress.give_back(self.desk.engine, self.row, self.desk.name)

    def end(self, state: str, result: bytes) -> None:
        """End it as DONE or FAILED, with its result; errors as ``advance``."""
        with self.desk.engine.begin() as connection:
            progress.end(connection, self.row, self.desk.name, state, result)
