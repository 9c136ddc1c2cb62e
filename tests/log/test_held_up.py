"""What holds up one log holds up no other: rows that somebody locks, and a KMS that does not answer for some."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from tests.harness import NewVault
from tests.log import naive
from tests.log.kept import FreeForAll, Kept, Writer
from tests.log.test_takeover import UNSIGNED, Case

from vault.errors import VaultError
from vault.store import tables as t
from vault.store.log import publish, takeovers
from vault.store.log.integrator import Integrator
from vault.store.log.setbacks import MAX_PAUSE_S, Setbacks
from vault.v1 import common_pb2

Until = Callable[[Callable[[], Any]], None]
COMMITS = 9
TWICE = "there was a leaf of this number already"


class SlowKms:
    """A KMS that refuses some tenants, and does not answer for some before it is told to."""

    def __init__(self, key_manager: Any) -> None:
        self._key_manager = key_manager
        self.answers = threading.Event()
        self.slow: dict[str, set[bytes]] = {"read_anchor": set(), "sign": set()}
        self.refused: set[bytes] = set()

    def __getattr__(self, name: str) -> Any:
        request = getattr(self._key_manager, name)

        def ask(tenant_uid: bytes, *arguments: Any) -> Any:
            if tenant_uid in self.refused:
                raise VaultError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "refused")
            if tenant_uid in self.slow.get(name, ()):
                assert self.answers.wait(120)
            return request(tenant_uid, *arguments)

        return ask


class Working:
    """An integrator and its publisher at work, as in a server."""

    def __init__(self, integrator: Integrator) -> None:
        self._integrator = integrator
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._integrate, self._publish)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _integrate(self) -> None:
        while not self._ended.wait(0.05):
            self._integrator.round()

    def _publish(self) -> None:
        while not self._ended.wait(0.05):
            self._integrator.publisher.publish()


@pytest.fixture
def kept(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A vault on PostgreSQL, where rows can be locked."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    with vault.node() as node:
        opened = Kept(node)
        opened.run(opened.integrator())
        yield opened


def working(kept: Kept, key_manager: Any) -> Working:
    """An integrator by the clock on the wall."""
    return Working(Integrator(kept.node.log_engine, key_manager, FreeForAll(), kept.watcher))


def lock(connection: sa.Connection, table: sa.Table, tenant_uids: list[bytes]) -> None:
    connection.execute(sa.select(table.c.tenant_uid).where(table.c.tenant_uid.in_(tenant_uids)).with_for_update())


def published(kept: Kept, tenant_uid: bytes) -> bool:
    (head,) = kept.rows(t.audit_log, tenant_uid)
    return bool(head.checkpoint_size == head.size)


@pytest.mark.parametrize("table", [t.audit_log, t.audit_pending], ids=lambda table: table.name)
def test_locked_rows_and_a_silent_kms_keep_no_other_log_from_growing(
    kept: Kept, until: Until, table: sa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeovers, "GRACE_S", 0.1)
    untouched, unread, unsigned, *locked = (kept.new_tenant() for _ in range(6))
    kms, writer = SlowKms(kept.node.key_manager), Writer(kept)
    kms.slow = {"read_anchor": {unread}, "sign": {unsigned}}
    others = [unread, unsigned, *locked]
    with working(kept, kms), contextlib.ExitStack() as stack:
        stack.callback(kms.answers.set)
        with kept.engine.begin() as connection:
            writer.commit([untouched, *others])
            lock(connection, table, locked)
            for _ in range(COMMITS):
                writer.commit([untouched, *others])
                until(lambda: not kept.rows(t.audit_pending, untouched))
                assert all(kept.rows(t.audit_pending, uid) for uid in (unread, *locked))
            until(lambda: published(kept, untouched))
        kms.answers.set()
        for tenant_uid in (untouched, *others):
            until(lambda uid=tenant_uid: not kept.rows(t.audit_pending, uid) and published(kept, uid))
    for tenant_uid in (untouched, *others):
        kept.check(tenant_uid)
    assert not kept.watcher.troubles
    assert not kept.watcher.moves


def unsigned_entry(case: Case) -> bytes:
    """A leaf that goes on with a boot and that the boot has not signed."""
    last = case.leaves[-1]
    place = {"boot_id": last.boot_id, "boot_sequence": last.boot_sequence + 1, "previous_hash": naive.leaf_hash(last.leaf)}
    return case.forged(**place)


def test_an_entry_that_nobody_signed_is_told_even_while_its_log_can_not_grow(kept: Kept) -> None:
    case = Case(kept)
    case.integrator.end()
    case.inject(unsigned_entry(case))
    Writer(kept).commit([case.tenant_uid])
    with kept.engine.begin() as connection:
        lock(connection, t.audit_log, [case.tenant_uid])
        assert case.taking_over().round().entries == 0
        assert [trouble.problem for _, trouble in kept.watcher.troubles] == [UNSIGNED]


@pytest.mark.parametrize("is_taken_out", [False, True])
def test_an_entry_that_more_of_its_boot_may_sign_is_not_anchored_before_that_is_known(kept: Kept, *, is_taken_out: bool) -> None:
    case = Case(kept)
    case.integrator.end()
    anchored, at = kept.anchored(case.tenant_uid), case.size()
    case.inject(unsigned_entry(case))
    for _ in range(2):
        case.writer.commit([case.tenant_uid])
    first, next_run = case.taking_over(), case.taking_over()
    with kept.engine.begin() as connection:
        lock(connection, t.audit_log, [case.tenant_uid])
        for _ in range(3):
            kept.now += 10.0
            assert first.round().entries == 0
            first.publisher.publish(every_s=0.0)
        assert kept.anchored(case.tenant_uid) == anchored
        assert not kept.watcher.troubles
    if is_taken_out:
        kept.execute(t.audit_pending.delete().where(t.audit_pending.c.tenant_uid == case.tenant_uid))
    kept.run(first if is_taken_out else next_run)
    told = [(trouble.problem, trouble.leaf_index) for _, trouble in kept.watcher.troubles]
    assert told == ([(UNSIGNED, None)] if is_taken_out else [(TWICE, at + 1)])
    assert kept.anchored(case.tenant_uid)[0] == case.size()


def test_a_locked_lease_is_not_waited_for(kept: Kept, until: Until) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    lease = kept.lease("node")
    assert lease.hold()
    integrator = kept.integrator(lease=lease)
    writer.commit([tenant_uid])
    with kept.engine.begin() as connection:
        connection.execute(sa.select(t.audit_lease).with_for_update())
        kept.now += 1.5
        rounds: list[int] = []
        thread = threading.Thread(target=lambda: rounds.append(integrator.round().entries))
        thread.start()
        until(lambda: rounds == [0])
    thread.join()
    kept.run(integrator)
    kept.check(tenant_uid)


def test_what_was_integrated_before_the_lease_could_not_be_extended_is_published_once_it_can(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    integrator = kept.integrator(lease=kept.lease("node"))
    writer.commit([tenant_uid])
    assert integrator.round().entries
    with kept.engine.begin() as connection:
        connection.execute(sa.select(t.audit_lease).with_for_update())
        kept.now += 1.5
        assert not integrator.round().entries
    assert not published(kept, tenant_uid)
    kept.run(integrator)
    kept.check(tenant_uid)


def test_logs_that_failed_to_be_published_keep_no_worker_from_the_others(
    kept: Kept, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched, *failing = (kept.new_tenant() for _ in range(6))
    kms, writer = SlowKms(kept.node.key_manager), Writer(kept)
    integrator = kept.integrator(key_manager=kms)
    writer.commit([untouched, *failing])
    assert integrator.round().entries
    kms.refused = set(failing)
    integrator.publisher.publish(every_s=0.0)
    assert published(kept, untouched)
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.1)
    kms.refused, kms.slow["sign"] = set(), set(failing)
    writer.commit([untouched])
    assert integrator.round().entries
    integrator.publisher.publish(every_s=0.0)
    until(lambda: published(kept, untouched))
    assert not any(published(kept, tenant_uid) for tenant_uid in failing)
    kms.answers.set()
    for tenant_uid in (untouched, *failing):
        until(lambda uid=tenant_uid: published(kept, uid))
        kept.check(tenant_uid)


def test_an_integrator_that_ends_is_not_held_up_by_a_silent_kms_and_begins_nothing_more(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.1)
    tenants = [kept.new_tenant() for _ in range(6)]
    kms, writer = SlowKms(kept.node.key_manager), Writer(kept)
    integrator = kept.integrator(key_manager=kms)
    writer.commit(tenants)
    assert integrator.round().entries
    kms.slow["sign"] = set(tenants)
    integrator.end()
    assert not kms.answers.is_set()
    kms.answers.set()
    integrator.publisher._workers.shutdown(wait=True)
    assert sum(published(kept, tenant_uid) for tenant_uid in tenants) == publish._WORKERS
    kept.run(kept.integrator())
    for tenant_uid in tenants:
        kept.check(tenant_uid)


def test_a_log_that_fails_is_tried_again_at_once_then_less_and_less_often_and_told_once() -> None:
    now, uid = 100.0, bytes(16)
    setbacks = Setbacks(lambda: now)
    assert not setbacks.has(uid)
    assert setbacks.is_due(uid)
    pauses, news = [], []
    for _ in range(9):
        news.append(setbacks.note(uid, "KMS_UNAVAILABLE"))
        pauses.append(setbacks.due_at(uid) - now)
        now = setbacks.due_at(uid)
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
    assert news == [True] + [False] * 8
    assert setbacks.note(uid, "INTEGRITY")
    assert setbacks.reasons() == {uid: "INTEGRITY"}
    setbacks.excuse(uid)
    assert not setbacks.reasons()
    assert setbacks.has(uid)
    setbacks.clear(uid)
    assert not setbacks.has(uid)
