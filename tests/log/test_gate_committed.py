"""What a node has committed and answered for must be in the log soon, whatever the database says is waiting for it."""

import hashlib
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harness import Vault
from tests.log.kept import Kept, Writer

from vault.audit.merkle import leaf_hash
from vault.errors import VaultError
from vault.kms.key_manager import KmsUnavailableError
from vault.server.keeping.assembly import keeping_logs
from vault.store import tables as t
from vault.store.clock import now_us
from vault.store.log.committed import CommittedLeaves, Due
from vault.store.log.gate import LogGate

AGE_S = 12.0
UID = bytes(16)
p = t.audit_pending.c


class Served:
    """A tenant of a server whose KMS may be down; three seconds pass before each look at its log."""

    def __init__(self, kept: Kept) -> None:
        self.kept, self.now, self.kms_is_down = kept, 1000.0, False
        self.tenant_uid = kept.new_tenant()
        self.writer = Writer(kept)
        key_manager: Any = self
        self.gate = LogGate(kept.engine, key_manager, lambda _: None, lambda: self.now)
        self.gate.expects_integration = True
        self.gate.check(self.tenant_uid)
        self.now += 1.0

    def log_public_key(self, tenant_uid: bytes) -> Any:
        """See ``KeyManager``."""
        return self.kept.node.key_manager.log_public_key(tenant_uid)

    def read_anchor(self, tenant_uid: bytes) -> Any:
        """See ``KeyManager``."""
        if self.kms_is_down:
            raise KmsUnavailableError("down")
        return self.kept.node.key_manager.read_anchor(tenant_uid)

    def commit(self) -> None:
        """As a call on this node does."""
        began = self.now
        leaves = self.writer.commit([self.tenant_uid])
        self.now += 0.1
        self.gate.committed(began, {self.tenant_uid: leaf_hash(leaves[-1].leaf)})

    def renew(self) -> None:
        """Make what is pending look young, as whoever may write to the database can."""
        with self.kept.engine.begin() as connection:
            some = t.audit_pending.update().where(p.tenant_uid == self.tenant_uid)
            connection.execute(some.values(time_us=now_us(connection)))

    def integrate(self) -> None:
        """As a server does."""
        self.kept.run(self.kept.integrator(lease=self.kept.lease("next")))

    def watch(self) -> str:
        """The reason for which the gate closes; empty if it does not."""
        self.now += 3.0
        try:
            self.gate.watch(self.tenant_uid)
        except VaultError as error:
            return error.reason_name
        return ""


@pytest.fixture
def served(kept: Kept) -> Served:
    return Served(kept)


@pytest.mark.parametrize("kms_is_down", [False, True])
def test_events_that_are_kept_from_the_log_and_look_young_close_the_gate(served: Served, kms_is_down: bool) -> None:
    served.kms_is_down = kms_is_down
    answers = []
    for _ in range(7):
        served.commit()
        served.renew()
        answers.append(served.watch())
    assert answers[:4] == [""] * 4  # nothing is due yet
    assert answers[-1] == "LOG_STALLED"
    served.kms_is_down = False
    with pytest.raises(VaultError, match="this node committed"):
        served.gate.check(served.tenant_uid)
    served.integrate()
    served.gate.check(served.tenant_uid)
    assert served.watch() == ""


def test_other_nodes_events_are_none_of_this_node_s(served: Served) -> None:
    """As many events as one likes may come into the log: this node's own has to."""
    served.commit()
    with served.kept.engine.begin() as connection:
        held_back = connection.execute(t.audit_pending.select().where(p.tenant_uid == served.tenant_uid)).all()
        connection.execute(t.audit_pending.delete().where(p.tenant_uid == served.tenant_uid))
    for _ in range(6):
        Writer(served.kept).commit([served.tenant_uid] * 10)
        served.integrate()
        answer = served.watch()
    assert answer == "LOG_STALLED"
    with served.kept.engine.begin() as connection:
        connection.execute(t.audit_pending.insert(), [row._asdict() for row in held_back])
    served.integrate()
    assert served.watch() == ""


def test_a_leaf_that_is_in_the_table_but_not_in_the_tree_is_not_in_the_log(served: Served) -> None:
    served.gate.committed(served.now, {served.tenant_uid: secrets.token_bytes(32)})
    hash_ = hashlib.sha256(b"another").digest()
    served.now += 0.1
    began = served.now
    served.now += 0.1
    served.gate.committed(began, {served.tenant_uid: hash_})
    Writer(served.kept).commit([served.tenant_uid] * 300)
    served.integrate()
    e = t.audit_entry.c
    size = served.kept.anchored(served.tenant_uid)[0]
    inner = (e.tenant_uid == served.tenant_uid) & (e.leaf_index == size - 270)
    (old,) = [row for row in served.kept.rows(t.audit_entry, served.tenant_uid) if row.leaf_index == size - 270]
    served.kept.execute(t.audit_entry.update().where(inner).values(leaf_hash=hash_))
    assert [served.watch() for _ in range(6)][-1] == "LOG_STALLED"
    served.kept.execute(t.audit_entry.update().where(inner).values(leaf_hash=old.leaf_hash))


def test_an_idle_tenant_stays_served(served: Served) -> None:
    served.commit()
    served.integrate()
    assert [served.watch() for _ in range(50)] == [""] * 50


def test_busy_tenants_stay_served(served: Served) -> None:
    for _ in range(12):
        for _ in range(3):
            served.commit()
        served.integrate()
        assert served.watch() == ""


def test_a_log_in_the_tree_but_not_in_the_anchor_is_soon_late_though_its_leaves_look_young(served: Served) -> None:
    """The anchor can't be written, and the first entry that it lacks is said to be of just now."""
    integrator = served.kept.integrator(lease=served.kept.lease("next"))
    served.commit()
    integrator.round()
    assert [served.watch() for _ in range(6)][-1] == "LOG_STALLED"
    integrator.end()
    assert served.watch() == ""


def test_the_runner_tells_of_each_commit_and_a_server_s_gate_hears_it(sqlite_vault: Vault) -> None:
    told: list[dict[bytes, bytes]] = []
    with sqlite_vault.node() as node:
        node.runner.on_settled = lambda _began, last_hashes: told.append(last_hashes)
        uid = secrets.token_bytes(16)
        node.create_tenant(uid, f"tenant-{uid.hex()}", [])
        with node.engine.connect() as connection:
            rows = connection.execute(t.audit_pending.select().order_by(p.boot_sequence)).all()
        last = {row.tenant_uid: leaf_hash(row.leaf) for row in rows if row.boot_id == node.runner.chain.boot_id}
        assert uid in last
        assert {key: value for one in told for key, value in one.items()} == last
        with keeping_logs(node):
            assert node.runner.on_settled == node.gate.committed


class Clock:
    """Seconds as a test says."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


Commits = list[tuple[float, float]]


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 3.0)), max_size=60))
def test_the_newest_leaf_that_is_old_enough_is_due_and_few_are_kept(commits: Commits) -> None:
    clock = Clock()
    committed = CommittedLeaves(AGE_S, clock)
    committed.mark(UID, 7)
    leaves: list[tuple[float, bytes]] = []
    for number, (pause_s, took_s) in enumerate(commits):
        clock.now += pause_s + 0.001
        began, clock.now = clock.now, clock.now + took_s
        committed.note(began, {UID: number.to_bytes(32)})
        leaves.append((clock.now, number.to_bytes(32)))
        assert len(committed._logs[UID].leaves) <= AGE_S + 2
        due = committed.due(UID)
        old = [hash_ for time, hash_ in leaves if clock.now - time > AGE_S]
        young = [hash_ for time, hash_ in leaves if clock.now - time > AGE_S + 1.0]
        assert due is None or due.leaf_hash in old
        assert not young or (due is not None and due.leaf_hash >= young[-1])


@pytest.mark.parametrize(("began", "floor"), [(0.5, None), (1.0, None), (1.5, 10), (2.5, 20), (9.0, 80)])
def test_a_leaf_is_looked_for_behind_the_newest_size_that_was_seen_before_its_transaction(began: float, floor: int | None) -> None:
    clock = Clock()
    committed = CommittedLeaves(AGE_S, clock)
    for number in range(1, 9):
        clock.now = number
        committed.mark(UID, 10 * number)
    clock.now = 10.0
    committed.note(began, {UID: b"leaf", bytes(15) + b"1": b"unknown log"})
    clock.now += AGE_S + 1.0
    due = committed.due(UID)
    assert due == (None if floor is None else Due(b"leaf", 10 if began < 5 else floor))
    assert committed.due(bytes(15) + b"1") is None


def test_what_was_found_is_asked_for_no_more_and_what_came_later_is() -> None:
    clock = Clock()
    committed = CommittedLeaves(AGE_S, clock)
    committed.mark(UID, 0)
    for number in (1, 5):
        clock.now = number
        committed.note(clock.now - 0.1, {UID: bytes([number])})
    clock.now = 14.0
    assert committed.due(UID) == Due(b"\x01", 0)
    committed.found(UID, Due(b"\x01", 0))
    assert committed.due(UID) is None
    clock.now = 18.0
    assert committed.due(UID) == Due(b"\x05", 0)
    committed.found(UID, Due(b"\x01", 0))
    assert committed.due(UID) == Due(b"\x05", 0)
