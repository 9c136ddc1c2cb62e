"""What each of a tenant's keys still wraps or fingerprints, counted; and whose schedule asks for newer ones.

Counting takes as long as there are rows. So it is done in a snapshot of its own, in which nobody waits for it.
"""

from collections import Counter
from typing import NamedTuple

import sqlalchemy as sa

from vault.kms.tenant_keys import EPOCH
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.engine import reading
from vault.store.hanging import ALIASES, ITEMS, SUBJECT_KEYS, SUBJECTS, Hanging
from vault.store.reading.key_work import key_rows
from vault.store.rows import LIVE_STATES, TenantKeyRow
from vault.store.states import OperationKind, TenantState

SKEW_US = 60_000_000
"""How far in the future a time in a row may be, as after a change of the database's host; one beyond that nobody of us wrote."""
_PATIENCE_S = 5.0
_LEFT_ALONE_US = 24 * 3600 * 1_000_000
"""A rotation that failed, or was cancelled, would most likely be so again at once; each has made a KEK version."""


class KeyUsage(NamedTuple):
    """A tenant's keys and what hangs on them, at one moment.

    Attributes:
        now_us: that moment, by the database's clock.
        keys: the tenant's keys.
        subject_keys: how many each epoch wraps.
        items: how many each index key fingerprints.
        names: how many names of subjects each index key makes findable.
        rekey_due: subjects with a deletion or update since their store key was made.
        erasures_waiting: erasures whose horizon is not reached.
    """

    now_us: int
    keys: list[TenantKeyRow]
    subject_keys: Counter[int]
    items: Counter[int]
    names: Counter[int]
    rekey_due: int
    erasures_waiting: int


def usage(engine: sa.Engine, tenant_uid: bytes, patience_s: float) -> KeyUsage:
    """Count what hangs on a tenant's keys; one statement takes ``patience_s`` seconds at most, where the database can be told so.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(engine, patience_s) as connection:

        def by(hanging: Hanging) -> Counter[int]:
            if hanging.noted is None:
                return Counter()
            own = hanging.table.c.tenant_uid == tenant_uid
            counted = sa.select(hanging.noted, sa.func.count()).where(own).group_by(hanging.noted)
            return Counter({version: count for version, count in connection.execute(counted)})

        def count(table: sa.Table, which: sa.ColumnElement[bool]) -> int:
            return (
                connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.tenant_uid == tenant_uid, which)) or 0
            )

        return KeyUsage(
            now_us=now_us(connection),
            keys=key_rows(connection, tenant_uid),
            subject_keys=by(SUBJECT_KEYS),
            items=by(ITEMS),
            names=by(SUBJECTS) + by(ALIASES),
            rekey_due=count(t.subject, t.subject.c.rekey_due),
            erasures_waiting=count(t.erasure, t.erasure.c.horizon_us == 0),
        )


def overdue(engine: sa.Engine) -> list[bytes]:
    """The tenants whose newest epoch is older than their schedule wants. No MAC is checked: who acts on it, does.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    with reading(engine, _PATIENCE_S) as connection:
        return list(connection.scalars(_overdue(connection)))


def rotations_to_begin(engine: sa.Engine) -> list[bytes]:
    """Those of them that are served, and whose keys nobody is rotating, nor has tried to in vain for a day.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    schedule, operation = t.key_schedule.c.tenant_uid, t.operation.c
    served = (t.tenant.c.uid == schedule) & (t.tenant.c.state == TenantState.ACTIVE)
    with reading(engine, _PATIENCE_S) as connection:
        now = now_us(connection)
        recent = operation.state.in_(LIVE_STATES) | operation.update_us.between(now - _LEFT_ALONE_US, now + SKEW_US)
        tried = (operation.tenant_uid == schedule) & (operation.kind == OperationKind.ROTATE) & recent
        idle = ~sa.exists().where(tried).correlate(t.key_schedule) & sa.exists().where(served).correlate(t.key_schedule)
        return list(connection.scalars(_overdue(connection).where(idle)))


def _overdue(connection: sa.Connection) -> sa.Select[tuple[bytes]]:
    key, schedule = t.tenant_key.c, t.key_schedule.c
    newest = (
        sa.select(sa.func.max(key.create_us))
        .where(key.tenant_uid == schedule.tenant_uid, key.kind == EPOCH)
        .correlate(t.key_schedule)
        .scalar_subquery()
    )
    now = now_us(connection)
    due = (newest + schedule.rotate_every_s * 1_000_000 <= now) | (newest > now + SKEW_US)
    return sa.select(schedule.tenant_uid).where(schedule.rotate_every_s > 0, due).order_by(schedule.tenant_uid)
