"""Who runs an operation, and how far it is: noted in the transaction of each step, so that whoever takes over goes on from there.

An operation that was steered meanwhile, or taken over, lets no step commit.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa
from google.protobuf.message import DecodeError

from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.rows import OperationRow
from vault.store.states import OperationState, TenantState
from vault.v1.key_service_pb2 import OperationProgress

LEASE_US = 30_000_000
"""How long whoever runs an operation may say nothing before another takes it over."""
MAX_STEP_S = 600.0
"""How long one step may take: an operation that is held for longer than that is not believed to be."""

_LATELY_S = 10.0


class NotOursError(Exception):
    """The operation was paused, cancelled or taken over: nothing of this step is to be committed."""


class Place(NamedTuple):
    """How far an operation is: the part it is at, how far that has come in its own words, and rows done of those counted.

    ``rate`` is rows a second, lately; 0 if that is not known. ``kinds`` is rows done by their kind, where these are told apart.
    """

    phase: str
    cursor: bytes = b""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    kinds: Mapping[str, int] = MappingProxyType({})


class Pace:
    """How fast work goes: a mean that forgets what was longer ago than some ten seconds, waiting for a throttle included."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now."""
        self._clock = clock
        self._at = clock()
        self._rate: float | None = None

    def after(self, rows: int) -> float:
        """Rows a second, now that these were done since the last time."""
        now = self._clock()
        elapsed, self._at = max(now - self._at, 1e-6), now
        weight = 1.0 if self._rate is None else 1.0 - math.exp(-elapsed / _LATELY_S)
        before = self._rate or 0.0
        self._rate = before + weight * (rows / elapsed - before)
        return self._rate


def runnable(connection: sa.Connection) -> list[OperationRow]:
    """The operations that nobody runs, oldest first; those of sealed tenants wait.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.operation.c
    now = now_us(connection)
    held = c.until_us.between(now, now + LEASE_US + _us(MAX_STEP_S))
    waiting = (c.state == OperationState.WAITING) | ((c.state == OperationState.RUNNING) & ~held)
    served = sa.exists().where(t.tenant.c.uid == c.tenant_uid, t.tenant.c.state == TenantState.ACTIVE)
    return list(map(OperationRow._make, connection.execute(sa.select(t.operation).where(waiting, served).order_by(c.create_us))))


def take(engine: sa.Engine, row: OperationRow, holder: str) -> bool:
    """Whether the operation is this holder's now.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    c = t.operation.c
    with engine.begin() as connection:
        as_seen = _one(row) & (c.state == row.state) & (c.holder == row.holder) & (c.until_us == row.until_us)
        ours = {"state": OperationState.RUNNING, "holder": holder, "until_us": now_us(connection) + LEASE_US}
        return connection.execute(t.operation.update().where(as_seen).values(ours)).rowcount == 1


def advance(connection: sa.Connection, row: OperationRow, holder: str, place: Place) -> None:
    """Note how far it is, within the transaction of the step that brought it there.

    Raises:
        NotOursError: roll back, and stop.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    now = now_us(connection)
    told = OperationProgress(rows_per_second=place.rate, done_by_kind=place.kinds).SerializeToString()
    where = {"phase": place.phase, "cursor": place.cursor, "done": place.done, "total": place.total, "result": told}
    _set(connection, row, holder, {**where, "update_us": now, "until_us": now + LEASE_US})


def kinds_of(row: OperationRow) -> Mapping[str, int]:
    """Rows done so far by their kind, as the last step has noted; nothing where that can't be read."""
    try:
        return dict(OperationProgress.FromString(row.result).done_by_kind)
    except DecodeError:
        return {}


def keep(engine: sa.Engine, row: OperationRow, holder: str, seconds: float) -> None:
    """Keep it for as long as the next step may take, if that is longer than usual: ``MAX_STEP_S`` at most.

    Raises:
        NotOursError: stop.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection:
        _set(connection, row, holder, {"until_us": now_us(connection) + LEASE_US + _us(min(seconds, MAX_STEP_S))})


def give_back(engine: sa.Engine, row: OperationRow, holder: str) -> None:
    """Let whoever looks next go on with it, if it is still this holder's.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with engine.begin() as connection, suppress(NotOursError):
        _set(connection, row, holder, {"until_us": 0})


def end(connection: sa.Connection, row: OperationRow, holder: str, state: str, result: bytes) -> None:
    """End it as DONE or FAILED, with its result.

    Raises:
        NotOursError: it was steered meanwhile: cancelled, or paused by somebody who did not see how near the end it was.
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    now = now_us(connection)
    _set(connection, row, holder, {"state": state, "live_kind": None, "result": result, "update_us": now, "until_us": 0})


def _set(connection: sa.Connection, row: OperationRow, holder: str, values: dict[str, object]) -> None:
    ours = _one(row) & (t.operation.c.state == OperationState.RUNNING) & (t.operation.c.holder == holder)
    if connection.execute(t.operation.update().where(ours).values(values)).rowcount != 1:
        raise NotOursError


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _one(row: OperationRow) -> sa.ColumnElement[bool]:
    return (t.operation.c.tenant_uid == row.tenant_uid) & (t.operation.c.uid == row.uid)
