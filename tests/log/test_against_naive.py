"""Whatever boots write and however integrators come and go: the tables are what a naive reading of the leaves gives."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.log.kept import Kept, Writer

BOOTS, TENANTS = 3, 2
SECOND_US = 1_000_000

COMMIT = st.tuples(
    st.just("commit"),
    st.integers(0, BOOTS - 1),
    st.lists(st.integers(0, TENANTS - 1), min_size=1, max_size=30),
    st.sampled_from([0, 0, 0, -SECOND_US, SECOND_US, -3600 * SECOND_US]),
)
OTHERS = st.tuples(
    st.sampled_from(["round", "round", "publish", "end boot", "new boot", "other integrator", "forget"]), st.integers(0, BOOTS - 1)
)


@settings(max_examples=20, report_multiple_bugs=False)
@given(steps=st.lists(COMMIT | OTHERS, max_size=40), batch=st.sampled_from([1, 3, 50, 4000]))
def test_the_tables_are_what_the_leaves_say(opened: Kept, steps: list[tuple[Any, ...]], batch: int) -> None:
    tenants = [opened.new_tenant() for _ in range(TENANTS)]
    writers = [Writer(opened, seed) for seed in range(BOOTS)]
    integrators = [opened.integrator(max_batch=batch), opened.integrator(max_batch=batch)]
    actions: dict[str, Callable[[int], object]] = {
        "round": lambda _: integrators[0].round(),
        "publish": lambda _: integrators[0].publisher.publish(every_s=0.0),
        "end boot": lambda which: writers[which].end(),
        "new boot": lambda which: writers[which].begin_new_boot(),
        "other integrator": lambda _: integrators.reverse(),
        "forget": lambda which: integrators[0].distrust(tenants[which % TENANTS]),
    }
    for name, which, *rest in steps:
        if name == "commit":
            uids, shift = rest
            writers[which].commit([tenants[uid] for uid in uids], shift_us=shift)
        else:
            actions[name](which)
    opened.run(integrators[0])
    for tenant_uid in tenants:
        opened.check(tenant_uid)
    assert not opened.watcher.troubles
    assert not opened.watcher.refusals


def test_logs_grow_through_several_levels_of_tiles(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    integrator = kept.integrator(max_batch=1000)
    for _ in range(14):
        writer.commit([tenant_uid] * 100)
        if len(kept.committed[tenant_uid]) % 3:
            kept.run(integrator)
    kept.run(integrator)
    assert len(kept.check(tenant_uid).leaves) > 5 * 256
