"""What has ended is shown for 90 days, and then forgotten but for what the log says of it."""

from tests.keys.requests import DAY_S, pending, seal, unseal, unsealed
from tests.rotation.works import begin_rotation, rotate, worker
from tests.use_cases.inside import Inside

from vault.keys.operations import uid_of
from vault.store import tables as t
from vault.store.sweeper import sweep

_US = 1_000_000


def _shift(inside: Inside, table, column, days: float) -> None:
    with inside.engine.begin() as connection:
        connection.execute(table.update().values({column: column - round(days * DAY_S * _US)}))


def test_approvals_are_forgotten_90_days_after_they_expired(open_vault: Inside) -> None:
    open_vault.ask(seal(), "security")
    asked = open_vault.ask(unseal(), "security").approval
    sweep(open_vault.engine)
    assert open_vault.ask(pending(), "security").approvals
    unsealed(open_vault)
    _shift(open_vault, t.approval, t.approval.c.expire_us, 90.9)
    sweep(open_vault.engine)
    assert open_vault.rows(t.approval, uid=asked.approval_uid)
    _shift(open_vault, t.approval, t.approval.c.expire_us, 0.2)
    sweep(open_vault.engine)
    assert not open_vault.rows(t.approval)


def test_operations_are_forgotten_90_days_after_they_ended_and_never_before(open_vault: Inside) -> None:
    rotate(open_vault)
    waiting = uid_of(begin_rotation(open_vault).name)
    _shift(open_vault, t.operation, t.operation.c.update_us, 89.9)
    sweep(open_vault.engine)
    assert len(open_vault.rows(t.operation)) == 2
    _shift(open_vault, t.operation, t.operation.c.update_us, 0.2)
    sweep(open_vault.engine)
    assert [row.uid for row in open_vault.rows(t.operation)] == [waiting]
    with worker(open_vault) as working:
        assert working.look() == 1
