"""While the KMS does not answer, logs of served tenants are still held against what their anchors held when last seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.log.kept import Kept, Writer

from vault.audit.merkle import root
from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsSealedError, KmsUnavailableError
from vault.store import tables as t
from vault.store.engine import reading
from vault.store.log.gate import LogGate, Sizes
from vault.store.log.reader import LogReader

SECOND_US = 1_000_000
e, h = t.audit_entry.c, t.audit_log.c


class Flaky:
    """A KMS that fails with ``error`` where one is set."""

    def __init__(self, key_manager: Any) -> None:
        self._key_manager = key_manager
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        def answer(*arguments: Any) -> Any:
            if self.error:
                raise self.error
            return getattr(self._key_manager, name)(*arguments)

        return answer


@dataclass
class Case:
    """A served tenant of 20 entries and more, anchored."""

    kept: Kept
    tenant_uid: bytes
    kms: Any
    gate: LogGate
    now: float = 1000.0

    def watch(self) -> Sizes | str:
        """What the gate says three seconds after it was last asked."""
        self.now += 3.0
        try:
            return self.gate.watch(self.tenant_uid)
        except VaultError as error:
            return error.reason_name


@pytest.fixture(params=[KmsUnavailableError("down"), KmsSealedError("sealed"), KmsDeniedError("denied")], ids=str)
def case(kept: Kept, request: pytest.FixtureRequest) -> Iterator[Case]:
    """The KMS is down, but was not when the keys were loaded."""
    tenant_uid = kept.new_tenant()
    Writer(kept).commit([tenant_uid] * 20)
    kept.run(kept.integrator())
    kms: Any = Flaky(kept.node.key_manager)
    case = Case(kept, tenant_uid, kms, LogGate(kept.engine, kms, lambda _: None, lambda: case.now))
    case.gate.expects_integration = True
    case.gate.check(tenant_uid)
    kms.error = request.param
    yield case
    with kept.engine.begin() as connection:
        connection.execute(t.audit_pending.delete().where(t.audit_pending.c.tenant_uid == tenant_uid))


def test_a_log_in_order_is_served_on_and_keys_are_loaded_by_nobody(case: Case) -> None:
    size = case.kept.anchored(case.tenant_uid)[0]
    for _ in range(3):
        assert case.watch() == Sizes(size, size)
    with pytest.raises(VaultError) as refusal:
        case.gate.check(case.tenant_uid)
    assert refusal.value is case.kms.error


def test_a_log_that_was_never_seen_can_t_be_told_of(case: Case) -> None:
    gate = LogGate(case.kept.engine, case.kms)
    with pytest.raises(VaultError) as refusal:
        gate.watch(case.tenant_uid)
    assert refusal.value is case.kms.error


def test_a_log_that_is_wound_back_behind_its_anchor_is_named(case: Case) -> None:
    keep = case.kept.anchored(case.tenant_uid)[0] - 5
    with reading(case.kept.engine, 5.0) as connection:
        older = root(LogReader(connection, case.tenant_uid).hashes, keep)
    case.kept.execute(t.audit_entry.delete().where(e.tenant_uid == case.tenant_uid, e.leaf_index >= keep))
    case.kept.execute(t.audit_log.update().where(h.tenant_uid == case.tenant_uid).values(size=keep, root=older))
    assert case.watch() == "LOG_BEHIND_ANCHOR"


def test_events_that_are_not_integrated_close_the_gate(case: Case) -> None:
    Writer(case.kept).commit([case.tenant_uid], shift_us=-11 * SECOND_US)
    assert isinstance(case.watch(), Sizes)
    assert case.watch() == "LOG_STALLED"
    case.kms.error = None
    case.kept.run(case.kept.integrator())
    assert isinstance(case.watch(), Sizes)


def test_what_can_t_be_anchored_closes_the_gate_only_when_the_kms_is_back_for_a_while(case: Case) -> None:
    error, case.kms.error = case.kms.error, None
    integrator = case.kept.integrator(key_manager=case.kms)
    integrator.round()
    Writer(case.kept).commit([case.tenant_uid], shift_us=-14 * SECOND_US)
    integrator.round()
    case.kms.error = error
    for _ in range(10):
        assert isinstance(case.watch(), Sizes)
    case.kms.error = None
    for _ in range(3):
        assert isinstance(case.watch(), Sizes)
    with pytest.raises(VaultError, match="anchored"):  # nobody is given keys before that
        case.gate.check(case.tenant_uid)
    case.now += 3.0
    assert case.watch() == "LOG_STALLED"
    case.kept.run(case.kept.integrator(lease=case.kept.lease("next")))
    assert isinstance(case.watch(), Sizes)
