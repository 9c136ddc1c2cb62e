"""The guard's looks at real logs: none makes the others wait, and an older checkpoint put back is noticed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from tests.log.kept import Kept, Writer

from vault.kms.tenant_keys import KeyCache
from vault.server.keeping.guard import LogGuard
from vault.server.keeping.metrics import LogMetrics
from vault.store import tables as t
from vault.store.log.gate import LogGate

SECOND_US = 1_000_000
h, p = t.audit_log.c, t.audit_pending.c


@dataclass
class Watched:
    """Three served tenants, and the guard that looks at them every three seconds."""

    kept: Kept
    now: float = 1000.0
    distrusted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = KeyCache(300.0)
        gate = LogGate(self.kept.engine, self.kept.node.key_manager, self._sleep, lambda: self.now)
        gate.expects_integration = True
        self.guard = LogGuard(gate, self.keys, LogMetrics(CollectorRegistry()), self.distrusted.append)
        self.uids = [self.kept.new_tenant() for _ in range(3)]
        for uid in self.uids:
            self.keys.put(self.kept.node.loader.load(uid))

    def look(self) -> set[bytes]:
        """Whose keys are left after another look."""
        self.now += 3.0
        self.guard.look()
        return set(self.keys.tenants())

    def _sleep(self, _: float) -> None:
        pytest.fail("the other tenants would have to wait")


@pytest.fixture
def watched(kept: Kept) -> Iterator[Watched]:
    watched = Watched(kept)
    yield watched
    with kept.engine.begin() as connection:
        connection.execute(t.audit_pending.delete().where(p.tenant_uid.in_(watched.uids)))


def test_the_second_look_at_a_log_makes_no_other_tenant_wait(watched: Watched) -> None:
    first, second, third = watched.uids
    Writer(watched.kept).commit([first, third], shift_us=-11 * SECOND_US)
    assert watched.look() == {first, second, third}
    assert watched.look() == {second}
    assert watched.distrusted == [first, third]


def test_an_old_event_that_is_integrated_until_the_next_look_costs_nobody_the_keys(watched: Watched) -> None:
    for _ in range(3):
        Writer(watched.kept).commit(watched.uids, shift_us=-11 * SECOND_US)
        assert watched.look() == set(watched.uids)
        watched.kept.run(watched.kept.integrator(lease=watched.kept.lease("next")))
        assert watched.look() == set(watched.uids)
    assert not watched.distrusted


def test_an_older_checkpoint_put_back_is_noticed_and_replaced_though_the_log_does_not_grow(watched: Watched) -> None:
    kept, uid = watched.kept, watched.uids[1]
    (old,) = kept.rows(t.audit_log, uid)
    Writer(kept).commit([uid])
    kept.run(kept.integrator())
    assert watched.look() == set(watched.uids)
    older = t.audit_log.update().where(h.tenant_uid == uid)
    kept.execute(older.values(checkpoint=old.checkpoint, checkpoint_size=old.checkpoint_size))
    assert watched.look() == set(watched.uids)
    assert watched.distrusted == [uid]
    integrator = kept.integrator()
    for uid in watched.distrusted:
        integrator.distrust(uid)
    kept.run(integrator)
    kept.check(uid)
    watched.distrusted.clear()
    assert watched.look() == set(watched.uids)
    assert not watched.distrusted


def test_a_checkpoint_that_was_anchored_just_now_may_be_shown_a_little_later(watched: Watched) -> None:
    kept, uid = watched.kept, watched.uids[0]
    for _ in range(3):
        (before,) = kept.rows(t.audit_log, uid)
        Writer(kept).commit([uid])
        kept.run(kept.integrator())
        (after,) = kept.rows(t.audit_log, uid)
        row = t.audit_log.update().where(h.tenant_uid == uid)
        kept.execute(row.values(checkpoint=before.checkpoint, checkpoint_size=before.checkpoint_size))
        watched.look()
        kept.execute(row.values(checkpoint=after.checkpoint, checkpoint_size=after.checkpoint_size))
    watched.look()
    assert not watched.distrusted
