"""The worker: takes operations that nobody runs, and runs them step by step, no faster than was asked for."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import structlog
from google.rpc import code_pb2

from vault.audit.events import Caller
from vault.errors import VaultError, code_of
from vault.keys.schedule import DueRotation
from vault.server.key_worker.desk import Desk
from vault.server.key_worker.destruction import Destruction
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.server.key_worker.rotation import Rotation
from vault.store.faults import DATABASE_ERRORS, translate
from vault.store.key_usage import rotations_to_begin
from vault.store.rotation.progress import NotOursError, runnable, take
from vault.store.rows import OperationRow
from vault.store.sealing import check
from vault.store.states import OperationKind, OperationState
from vault.v1 import common_pb2, key_service_pb2

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often is looked for operations."""
DUE_S = 60.0
"""How often is looked for tenants whose schedule asks for a rotation."""
BATCH = 500
"""Rows a step."""
SLICES = 20
"""Into how many steps a second is cut where a rate was asked for, lest its rows all come at once and then none for a while."""
_TRANSIENT = frozenset({code_pb2.UNAVAILABLE, code_pb2.ABORTED, code_pb2.DEADLINE_EXCEEDED, code_pb2.RESOURCE_EXHAUSTED})


class Work(Protocol):
    """What is done for one operation, step by step."""

    def step(self) -> bool:
        """Do the next step; False if it was the last."""

    def result(self) -> bytes:
        """What the operation's row says in the end."""


KINDS: Mapping[str, Callable[[HeldOperation, int], Work]] = {
    OperationKind.ROTATE: Rotation,
    OperationKind.REKEY: Rekey,
    OperationKind.DESTROY: Destruction,
}
"""By the operation's kind."""


class _StoppedError(Exception):
    """The worker was told to end."""


class Worker:
    """Runs operations one after the other. Used by one thread; ``stop`` from any."""

    def __init__(self, desk: Desk) -> None:
        """Begin with nothing."""
        self._desk = desk
        self._ending = threading.Event()
        self._due_at = 0.0

    def run(self) -> None:
        """Look for operations, and run them, until stopped. Never raises for what database or KMS do."""
        while not self._ending.is_set():
            try:
                if time.monotonic() >= self._due_at:
                    self._due_at = time.monotonic() + DUE_S
                    self.begin_due()
                self.look()
            except DATABASE_ERRORS as error:
                log.warning("the key worker can't reach the database", reason=translate(error).reason_name)
            self._ending.wait(LOOK_S)

    def stop(self) -> None:
        """End after the step under way."""
        self._ending.set()

    def begin_due(self) -> int:
        """Begin the rotations that are due by their tenants' schedules; how many.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
        """
        begun = 0
        for tenant_uid in rotations_to_begin(self._desk.engine):
            try:
                self._desk.act(DueRotation(Caller(tenant_uid, self._desk.principal)))
                begun += 1
            except VaultError as error:
                log.warning("a rotation that is due can't begin", tenant=tenant_uid.hex(), reason=error.reason_name)
        return begun

    def look(self) -> int:
        """Run each operation that nobody runs; how many there were.

        Raises:
            sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses or does not answer.
        """
        with self._desk.engine.connect() as connection:
            found = [row for row in runnable(connection) if row.kind in KINDS]
        for row in found:
            if not self._ending.is_set() and take(self._desk.engine, row, self._desk.name):
                self._run(HeldOperation(self._desk, row))
        return len(found)

    def _run(self, held: HeldOperation) -> None:
        try:
            check(held.keys().authority, held.row)
            self._finish(held, self._stepped(held))
        except NotOursError:
            log.info("an operation was paused, cancelled or taken over", operation=held.row.uid.hex())
        except _StoppedError:
            held.give_back()
        except VaultError as error:
            if error.reason == common_pb2.ERROR_REASON_TENANT_SEALED or code_of(error.reason) in _TRANSIENT:
                self._leave(held, error)
            else:
                self._fail(held, error)
        except DATABASE_ERRORS as error:
            self._leave(held, translate(error))
        except Exception as error:  # noqa: BLE001  its text could hold a value: only its type is logged
            log.error(
                "an operation failed for a reason that nobody foresaw", operation=held.row.uid.hex(), error=type(error).__name__
            )
            self._fail(held, VaultError(common_pb2.ERROR_REASON_INTERNAL, "an error nobody foresaw; the operator's log names it"))

    def _stepped(self, held: HeldOperation) -> Work:
        """The work, once there is no further step."""
        rate = _rate(held.row)
        work = KINDS[held.row.kind](held, min(BATCH, max(1, rate // SLICES)) if rate else BATCH)
        going = True
        while going:
            if self._ending.is_set():
                raise _StoppedError
            began, before = time.monotonic(), held.moved
            going = work.step()
            if rate:
                self._wait(held, (held.moved - before) / rate - (time.monotonic() - began))
        return work

    def _wait(self, held: HeldOperation, seconds: float) -> None:
        """Wait, and keep it meanwhile: one part of a subject may be worth more seconds than a lease has.

        Raises:
            NotOursError, sqlalchemy.exc.SQLAlchemyError: as ``keep``.
        """
        while seconds > 0 and not self._ending.is_set():
            self._ending.wait(min(seconds, LOOK_S))
            seconds -= LOOK_S
            if seconds > 0:
                held.keep(0.0)

    def _leave(self, held: HeldOperation, why: VaultError) -> None:
        """Let it wait: until the next look if rows or keys have changed meanwhile, else as long as a lease, and no longer."""
        log.warning("an operation waits", operation=held.row.uid.hex(), reason=why.reason_name)
        with suppress(NotOursError, *DATABASE_ERRORS):
            if why.reason == common_pb2.ERROR_REASON_CONFLICT:
                held.give_back()
            else:
                held.keep(0.0)

    def _finish(self, held: HeldOperation, work: Work) -> None:
        held.end(OperationState.DONE, work.result())
        log.info("an operation is done", operation=held.row.uid.hex(), kind=held.row.kind, rows=held.place.done)

    def _fail(self, held: HeldOperation, error: VaultError) -> None:
        log.error("an operation failed", operation=held.row.uid.hex(), kind=held.row.kind, reason=error.reason_name)
        held.end(OperationState.FAILED, error.to_status().SerializeToString())


def _rate(row: OperationRow) -> int:
    """Rows a second at most, 0 for no limit."""
    if row.kind == OperationKind.DESTROY:
        return 0
    wanted = key_service_pb2.RotateRequest if row.kind == OperationKind.ROTATE else key_service_pb2.RekeyWork
    return wanted.FromString(row.request).max_rows_per_second
