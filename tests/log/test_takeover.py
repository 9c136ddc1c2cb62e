"""A log that is taken over: what is in it beyond its anchor was put there by an integrator, or else it is told."""

import secrets
from typing import Any

import pytest
import sqlalchemy as sa
from tests.log import naive
from tests.log.kept import Kept, Writer

from vault.audit.chain import Chain
from vault.audit.merkle import CompactRange
from vault.store import tables as t
from vault.store.log.integrator import Integrator
from vault.store.log.lease import Lease
from vault.store.log.reader import LogReader
from vault.v1.audit_pb2 import AuditEvent

NO_START = "the chain does not begin with the start of its boot"
MISSING = "leaves before this one are missing"
UNSIGNED = "the chain does not end with a signature of its boot"
FOREIGN = "the leaf belongs to another tenant's log: its pending row was moved, and is taken out without becoming an entry"
UNREADABLE = "the leaf can't be read: it was edited"
TIME_US = 1_790_000_000_000_000


class Case:
    """A tenant with some events in the log, and whoever keeps it."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.tenant_uid = kept.new_tenant()
        self.writer = Writer(kept)
        self.lease = kept.lease("node")
        self.integrator = self.taking_over(self.lease)
        self.leaves = self.writer.commit([self.tenant_uid] * 3)
        kept.run(self.integrator)

    def taking_over(self, lease: Lease | None = None) -> Integrator:
        """An integrator that knows nothing yet, on the same node."""
        return self.kept.integrator(lease=lease or self.kept.lease("node"))

    def forged(self, **fields: Any) -> bytes:
        """A leaf of no boot."""
        usual = {"format": 1, "time_us": TIME_US, "tenant_uid": self.tenant_uid, "action": "Reveal", "decision": 1}
        ids = {"random": secrets.token_bytes(16), "boot_id": secrets.token_bytes(16), "previous_hash": bytes(32)}
        return AuditEvent(**(usual | ids | fields)).SerializeToString(deterministic=True)

    def inject(self, *leaves: bytes, instead_of: int = 0) -> None:
        """Write entries into the log, and adjust its head, as its integrator would; the last ones may be replaced."""
        with self.kept.engine.begin() as connection:
            reader = LogReader(connection, self.tenant_uid)
            size = reader.head().size - instead_of
            tail = CompactRange.load(reader.hashes, size)
            c = t.audit_entry.c
            connection.execute(t.audit_entry.delete().where(c.tenant_uid == self.tenant_uid, c.leaf_index >= size))
            tail.extend([naive.leaf_hash(leaf) for leaf in leaves])
            for index, leaf in enumerate(leaves, size):
                row = {"leaf_index": index, "leaf_hash": naive.leaf_hash(leaf), "leaf": leaf}
                connection.execute(t.audit_entry.insert().values(tenant_uid=self.tenant_uid, **row))
            head = t.audit_log.update().where(t.audit_log.c.tenant_uid == self.tenant_uid)
            connection.execute(head.values(size=tail.size, root=tail.root()))

    def told(self, integrator: Integrator) -> list[tuple[str, int | None]]:
        """What is told when somebody has committed, and this integrator goes on."""
        self.writer.commit([self.tenant_uid])
        self.kept.run(integrator)
        assert not self.kept.rows(t.audit_pending, self.tenant_uid)
        assert {uid for uid, _ in self.kept.watcher.troubles} <= {self.tenant_uid}
        return [(trouble.problem, trouble.leaf_index) for _, trouble in self.kept.watcher.troubles]

    def size(self) -> int:
        """Of the log."""
        with self.kept.engine.connect() as connection:
            return LogReader(connection, self.tenant_uid).head().size


@pytest.fixture
def case(kept: Kept) -> Case:
    return Case(kept)


def test_an_entry_written_into_the_log_beside_its_integrator_is_told_before_it_is_anchored(case: Case) -> None:
    at = case.size()
    case.inject(case.forged())
    assert case.told(case.integrator)[0] == (NO_START, at)
    assert case.kept.watcher.moves == [case.tenant_uid]


@pytest.mark.parametrize("by_us", [-1, 1, 10**12])
def test_one_written_beside_it_is_seen_as_a_moved_head_whatever_else_is_written_into_the_lease(case: Case, by_us: int) -> None:
    case.inject(case.forged())
    case.kept.execute(t.audit_lease.update().values(until_us=t.audit_lease.c.until_us + by_us))
    assert case.told(case.integrator)
    assert case.kept.watcher.moves == [case.tenant_uid]


def test_one_written_while_nobody_kept_the_log_is_told_too(case: Case) -> None:
    case.integrator.end()
    at = case.size()
    case.inject(case.forged())
    assert case.told(case.taking_over())[0] == (NO_START, at)


def test_one_that_only_its_publication_calls_for_is_told(case: Case) -> None:
    case.integrator.end()
    case.inject(case.forged())
    case.kept.run(case.taking_over())
    assert [trouble.problem for _, trouble in case.kept.watcher.troubles] == [NO_START]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_leaf_that_goes_on_with_a_boot_but_is_not_signed_by_it_is_told(case: Case, *, is_known: bool) -> None:
    last = case.leaves[-1]
    place = {"boot_id": last.boot_id, "boot_sequence": last.boot_sequence + 1, "previous_hash": naive.leaf_hash(last.leaf)}
    case.inject(case.forged(**place))
    case.writer = Writer(case.kept)
    integrator = case.integrator if is_known else case.taking_over()
    assert (UNSIGNED, None) in case.told(integrator)


def test_a_boot_whose_forged_row_claims_a_beginning_elsewhere_is_told(case: Case) -> None:
    chain = Chain("forged")
    boot_id = chain.boot_id
    at = case.size()
    case.inject(case.forged(boot_id=boot_id, boot_sequence=7, previous_hash=b"h" * 32))
    row = {"start_index": 0, "endorse_index": 1, "next_sequence": 8, "last_hash": b"h" * 32}
    case.kept.execute(t.audit_boot.insert().values(tenant_uid=case.tenant_uid, boot_id=boot_id, **row))
    assert case.told(case.taking_over()) == [(MISSING, at)]


@pytest.mark.parametrize(("leaf", "problem"), [(b"\xff" * 9, UNREADABLE), (None, FOREIGN)], ids=["bytes", "foreign"])
def test_an_entry_that_is_no_leaf_of_this_log_is_told(case: Case, leaf: bytes | None, problem: str) -> None:
    at = case.size()
    case.inject(leaf or case.forged(tenant_uid=b"x" * 16))
    assert case.told(case.taking_over()) == [(problem, at)]


def test_what_an_integrator_left_unanchored_is_no_trouble_however_far_it_came(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    writer.commit([tenant_uid] * 5)
    kept.run(kept.integrator())
    for max_batch in (3, 300, 4000):
        for _ in range(4):
            writer.commit([tenant_uid] * 80)
        left = kept.integrator(max_batch=max_batch)
        assert left.round().entries
        if max_batch == 300:
            writer.end()
    kept.run(kept.integrator())
    assert not kept.watcher.troubles
    assert not kept.watcher.moves
    kept.check(tenant_uid)


def test_a_log_that_is_verified_again_in_the_middle_of_a_commit_is_no_trouble(case: Case) -> None:
    integrator = case.kept.integrator(lease=case.kept.lease("node"), max_batch=2)
    case.writer.commit([case.tenant_uid] * 9)
    for _ in range(3):
        assert integrator.round().entries
        integrator.distrust(case.tenant_uid)
    assert case.told(integrator) == []
    assert not case.kept.watcher.moves
    case.kept.check(case.tenant_uid)


def test_one_that_was_overtaken_by_the_next_holder_of_the_lease_raises_no_alarm(case: Case) -> None:
    case.kept.execute(t.audit_lease.update().values(until_us=0))
    case.writer.commit([case.tenant_uid])
    other = case.kept.integrator(lease=case.kept.lease("other"))
    assert other.round().entries
    case.writer.commit([case.tenant_uid])
    assert case.integrator.round().entries == 0
    case.kept.run(other)
    assert not case.kept.watcher.moves
    assert not case.kept.watcher.troubles
    case.kept.check(case.tenant_uid)
    other.end()


def test_entries_that_were_replaced_before_they_were_anchored_are_told(case: Case) -> None:
    case.writer.commit([case.tenant_uid])
    assert case.integrator.round().entries == 1
    case.inject(case.forged(), instead_of=1)
    case.integrator.distrust(case.tenant_uid)
    case.kept.run(case.integrator)
    assert case.kept.watcher.moves == [case.tenant_uid]
    assert [trouble.problem for _, trouble in case.kept.watcher.troubles] == [NO_START]


def test_a_log_whose_unanchored_leaf_hashes_are_not_those_of_its_entries_does_not_grow(case: Case) -> None:
    for _ in range(6):
        case.writer.commit([case.tenant_uid] * 100)
    assert case.integrator.round().entries == 600
    c = t.audit_entry.c
    early = (c.tenant_uid == case.tenant_uid) & (c.leaf_index == 20)
    case.kept.execute(t.audit_entry.update().where(early).values(leaf_hash=b"x" * 32))
    integrator = case.taking_over()
    case.writer.commit([case.tenant_uid])
    assert integrator.round().entries == 0
    assert case.kept.watcher.refusals == [(case.tenant_uid, "INTEGRITY")]
    leaf = next(row.leaf for row in case.kept.rows(t.audit_entry, case.tenant_uid) if row.leaf_index == 20)
    case.kept.execute(t.audit_entry.update().where(early).values(leaf_hash=naive.leaf_hash(leaf)))
    assert case.kept.run(integrator)
    case.kept.check(case.tenant_uid)


def test_a_log_whose_unanchored_entries_are_not_those_of_its_tree_does_not_grow(case: Case) -> None:
    case.writer.commit([case.tenant_uid])
    assert case.integrator.round().entries == 1
    c = t.audit_entry.c
    last = (c.tenant_uid == case.tenant_uid) & (c.leaf_index == case.size() - 1)
    case.kept.execute(t.audit_entry.update().where(last).values(leaf=case.forged()))
    integrator = case.taking_over()
    case.writer.commit([case.tenant_uid])
    assert integrator.round().entries == 0
    assert case.kept.watcher.refusals == [(case.tenant_uid, "INTEGRITY")]
    genuine = case.kept.committed[case.tenant_uid]
    case.kept.execute(
        t.audit_entry.update().where(last).values(leaf=sa.select(sa.literal(genuine[-2], sa.LargeBinary)).scalar_subquery())
    )
    assert case.kept.run(integrator)
    case.kept.check(case.tenant_uid)


def test_a_log_with_more_pending_than_a_batch_holds_is_published_batch_by_batch(case: Case) -> None:
    integrator = case.kept.integrator(lease=case.kept.lease("node"), max_batch=10)
    for _ in range(5):
        case.writer.commit([case.tenant_uid] * 4)
    before = case.size()
    assert integrator.round() == (8, True, pytest.approx(0.0, abs=60.0))
    integrator.publisher.publish(every_s=0.0)
    assert case.kept.anchored(case.tenant_uid)[0] == case.size() == before + 8
    case.kept.run(integrator)
    case.kept.check(case.tenant_uid)
