"""Two integrators that respect no lease: they can do the same work twice, but not fork a log, lose an event or take one twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.log.kept import Kept, Writer

from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.lease import NAME

COMMITS = 60
WRITERS = 3
INTEGRATORS = 3


def test_integrators_that_all_work_at_once_make_one_log(kept: Kept) -> None:
    tenants = [kept.new_tenant() for _ in range(2)]
    integrators = [kept.integrator(max_batch=batch) for batch in (7, 50, 4000)]
    written = threading.Event()

    def write(number: int) -> None:
        writer = Writer(kept, number)
        for commit in range(COMMITS):
            writer.commit([tenants[(commit + number) % 2]] * 5, endorsed=commit > 2)
        writer.end()

    def integrate(number: int) -> int:
        entries = 0
        while not written.is_set():
            kept.now += 0.1  # who was overtaken tries again
            entries += integrators[number].round().entries
            integrators[number].publisher.publish(every_s=0.0)
        return entries

    with ThreadPoolExecutor(WRITERS + INTEGRATORS) as pool:
        integrating = [pool.submit(integrate, number) for number in range(INTEGRATORS)]
        writing = [pool.submit(write, number) for number in range(WRITERS)]
        for thread in writing:
            thread.result(120)
        written.set()
        added = [thread.result(120) for thread in integrating]
    assert sum(added) > 0
    kept.run(integrators[0])
    for tenant_uid in tenants:
        kept.check(tenant_uid)
    assert not kept.watcher.troubles
    assert not kept.watcher.refusals


def test_one_that_was_overtaken_verifies_again_and_goes_on(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    first, second = kept.integrator(), kept.integrator()
    for integrator in (first, second, first, second):
        writer.commit([tenant_uid])
        assert kept.run(integrator) > 0
        assert not kept.check(tenant_uid).pending
    assert not kept.watcher.refusals


def test_one_whose_anchor_was_moved_by_another_signs_nothing_before_it_has_verified(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    slow, quick = kept.integrator(), kept.integrator()
    writer.commit([tenant_uid])
    assert slow.round().entries
    writer.commit([tenant_uid])
    kept.run(quick)
    anchored = kept.node.key_manager.read_anchor(tenant_uid)
    slow.publisher.publish(every_s=0.0)
    assert kept.node.key_manager.read_anchor(tenant_uid) == anchored
    writer.commit([tenant_uid])
    kept.run(slow)
    kept.check(tenant_uid)


@pytest.mark.parametrize(("after_s", "told"), [(0.0, 0), (60.0, 1)])
def test_what_the_last_holder_still_ends_is_not_taken_for_a_stranger_s(kept: Kept, after_s: float, told: int) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    last, holder = kept.integrator(), kept.integrator(lease=kept.lease("next"))
    writer.commit([tenant_uid])
    kept.now += 100.0
    assert holder.round().entries
    for _ in range(int(after_s)):
        kept.now += 1.0
        holder.round()
    writer.commit([tenant_uid])
    assert last.round().entries
    writer.commit([tenant_uid])
    assert holder.round().entries == 0
    kept.run(holder)
    kept.check(tenant_uid)
    assert kept.watcher.moves == [tenant_uid] * told
    holder.end()


def test_only_the_holder_of_the_lease_works_and_the_next_takes_over_when_it_is_gone(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    holder, other = kept.integrator(lease=kept.lease("a")), kept.integrator(lease=kept.lease("b"))
    kept.now += 100.0
    assert holder.round().entries == 0
    writer.commit([tenant_uid])
    assert other.round().entries == 0
    assert holder.round().entries > 0
    writer.commit([tenant_uid])
    holder.end()
    holder = kept.integrator(lease=kept.lease("a"))
    assert other.round().entries > 0
    assert holder.round().entries == 0
    other.end()
    kept.run(holder)
    kept.check(tenant_uid)
    holder.end()


def test_a_node_that_was_killed_is_not_waited_for_by_its_next_run(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    killed = kept.lease("node-7")
    assert killed.hold()
    writer.commit([tenant_uid])
    assert not kept.lease("node-8").hold()
    next_run = kept.integrator(lease=kept.lease("node-7"))
    assert kept.run(next_run) > 0
    assert not killed.hold()
    kept.check(tenant_uid)
    next_run.end()


@pytest.mark.parametrize("ahead_s", [60, 10**9])
def test_a_lease_that_nobody_can_have_taken_for_so_long_counts_for_nothing(kept: Kept, ahead_s: int) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    writer.commit([tenant_uid])
    with kept.engine.begin() as connection:
        until_us = now_us(connection) + ahead_s * 1_000_000
        connection.execute(t.audit_lease.delete())
        connection.execute(t.audit_lease.insert().values(name=NAME, holder="somebody", until_us=until_us))
    integrator = kept.integrator(lease=kept.lease("node"))
    assert kept.run(integrator) > 0
    kept.check(tenant_uid)
    integrator.end()
