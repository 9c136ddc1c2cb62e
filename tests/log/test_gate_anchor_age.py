"""A server's log that is not anchored although the KMS answers gives nobody its tenant's keys: it could be wound back unnoticed."""

import secrets
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from tests.log.kept import Kept, Writer

from vault.errors import VaultError
from vault.server.keeping.integrating import Integrating
from vault.server.keeping.metrics import LogMetrics
from vault.store import tables as t
from vault.store.log.gate import LogGate

SECOND_US = 1_000_000
e = t.audit_entry.c


def server_gate(kept: Kept, sleep: Callable[[float], None]) -> LogGate:
    gate = LogGate(kept.engine, kept.node.key_manager, sleep)
    gate.expects_integration = True
    return gate


def refusal(gate: LogGate, tenant_uid: bytes) -> str:
    with pytest.raises(VaultError) as refused:
        gate.check(tenant_uid)
    assert refused.value.reason_name != "LOG_STALLED" or refused.value.retry_after_s
    return f"{refused.value.reason_name}: {refused.value.message}"


def integrated(kept: Kept, *ages_s: float) -> bytes:
    """A tenant with events of these ages that are in its log, but not covered by its anchor."""
    tenant_uid = kept.new_tenant()
    for age_s in ages_s:
        Writer(kept).commit([tenant_uid], shift_us=round(-age_s * SECOND_US))
    assert kept.integrator().round().entries
    return tenant_uid


@pytest.mark.parametrize("ages_s", [[14], [14, 1], [14] * 300])
def test_an_entry_that_is_not_anchored_in_time_closes_the_gate_until_it_is(kept: Kept, ages_s: list[float]) -> None:
    tenant_uid = integrated(kept, *ages_s)
    waits: list[float] = []
    gate = server_gate(kept, waits.append)
    said = refusal(gate, tenant_uid)
    assert said.startswith("LOG_STALLED: the audit log could not be anchored")
    assert "KV mount" in said
    assert len(waits) == 1
    kept.run(kept.integrator(lease=kept.lease("next")))
    gate.check(tenant_uid)
    assert len(waits) == 1


def test_entries_may_wait_for_their_anchor_for_ten_seconds(kept: Kept) -> None:
    server_gate(kept, lambda _: pytest.fail("nothing is late")).check(integrated(kept, 10, 1))


def test_at_the_command_line_nobody_waits_for_an_anchor(kept: Kept) -> None:
    LogGate(kept.engine, kept.node.key_manager).check(integrated(kept, 3600))


def test_an_old_entry_that_is_anchored_at_once_does_not_close_the_gate(kept: Kept) -> None:
    """A transaction took long: its event was old when it appeared."""
    tenant_uid = integrated(kept, 14)
    waits: list[float] = []

    def publish(pause_s: float) -> None:
        waits.append(pause_s)
        kept.run(kept.integrator(lease=kept.lease("next")))

    server_gate(kept, publish).check(tenant_uid)
    assert len(waits) == 1


def test_what_is_integrated_late_is_given_its_time_to_be_anchored(kept: Kept) -> None:
    """It waited for its place at the first look and for its anchor at the second; nothing stands still."""
    tenant_uid, integrator = kept.new_tenant(), kept.integrator()
    Writer(kept).commit([tenant_uid], shift_us=-14 * SECOND_US)
    steps = [integrator.round, integrator.end]
    server_gate(kept, lambda _: steps.pop(0)()).check(tenant_uid)
    assert not steps


def test_something_that_comes_and_goes_hides_nothing_that_stays(kept: Kept) -> None:
    """Pending events that look old at every other look keep nobody from seeing that the anchor stands still."""
    tenant_uid, writer = integrated(kept, 14), Writer(kept)
    p = t.audit_pending.c
    writer.commit([tenant_uid])
    waits: list[float] = []

    def age(pause_s: float) -> None:
        waits.append(pause_s)
        kept.execute(t.audit_pending.update().where(p.tenant_uid == tenant_uid).values(time_us=SECOND_US))

    assert "anchored" in refusal(server_gate(kept, age), tenant_uid)
    assert len(waits) == 1


def test_an_event_of_the_future_hides_no_other_s_age(kept: Kept) -> None:
    tenant_uid = integrated(kept, -3600)
    assert refusal(server_gate(kept, lambda _: None), tenant_uid).startswith("LOG_STALLED")


def test_a_leaf_that_can_t_be_read_hides_no_other_s_age(kept: Kept) -> None:
    tenant_uid = kept.new_tenant()
    row = {"tenant_uid": tenant_uid, "boot_id": secrets.token_bytes(16), "boot_sequence": 0, "time_us": SECOND_US}
    kept.execute(t.audit_pending.insert().values(leaf=b"\xff" * 20, **row))
    assert kept.integrator().round().entries
    assert refusal(server_gate(kept, lambda _: None), tenant_uid).startswith("LOG_STALLED")


def test_another_leaf_in_the_place_of_an_old_one_is_named(kept: Kept) -> None:
    """The age is the leaf's own, and the leaf is the one in the tree."""
    tenant_uid = integrated(kept, 14, 1)
    *_, old, young = kept.rows(t.audit_entry, tenant_uid)
    entry = (e.tenant_uid == tenant_uid) & (e.leaf_index == old.leaf_index)
    kept.execute(t.audit_entry.update().where(entry).values(leaf=young.leaf))
    first = kept.anchored(tenant_uid)[0]
    replace = sa.update(t.audit_entry).where((e.tenant_uid == tenant_uid) & (e.leaf_index == first)).values(leaf=young.leaf)
    kept.execute(replace)
    assert refusal(server_gate(kept, lambda _: None), tenant_uid).startswith("INTEGRITY")


def test_what_a_starting_server_catches_up_with_is_anchored_before_the_first_call(kept: Kept) -> None:
    tenant_uid = kept.new_tenant()
    Writer(kept).commit([tenant_uid], shift_us=-3600 * SECOND_US)
    integrating = Integrating(kept.node, LogMetrics(CollectorRegistry()), kept.watcher)
    integrating.catch_up()
    server_gate(kept, lambda _: pytest.fail("nothing is late")).check(tenant_uid)
    kept.check(tenant_uid)
    integrating.close()
