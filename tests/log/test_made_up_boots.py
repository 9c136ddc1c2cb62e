"""Boots that somebody made up, began anew, replayed or cut short, in a log or in its queue: told before anybody signs for them."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.log import naive
from tests.log.kept import Kept, Writer
from tests.log.test_takeover import Case

from vault.store import tables as t
from vault.store.log import append
from vault.v1.audit_pb2 import DECISION_DENIED, AuditEvent

UNENDORSED = "it was allowed, and the log's key has not endorsed its boot"
BAD_ENDORSEMENT = "the boot was not endorsed by the log's key"
MISSING = "leaves before this one are missing"
TWICE = "there was a leaf of this number already"
Put = Callable[[Case, list[bytes]], None]

b, e = t.audit_boot.c, t.audit_entry.c


class Forger:
    """Somebody with a boot's key of their own."""

    def __init__(self, case: Case, boot_id: bytes = b"forged".ljust(16)) -> None:
        self._case = case
        self._key = Ed25519PrivateKey.generate()
        self.boot_id = boot_id
        self._sequence, self._last = 0, bytes(32)

    def start(self) -> bytes:
        """The first, signed."""
        return self.leaf(action="BootStarted", boot_public_key=self._key.public_key().public_bytes_raw())

    def leaf(self, **fields: Any) -> bytes:
        """The next one, signed."""
        place = {"boot_id": self.boot_id, "boot_sequence": self._sequence, "previous_hash": self._last}
        event = AuditEvent.FromString(self._case.forged(**place, **fields))
        event.boot_signature = self._key.sign(event.SerializeToString(deterministic=True))
        leaf = event.SerializeToString(deterministic=True)
        self._sequence, self._last = self._sequence + 1, naive.leaf_hash(leaf)
        return leaf


@pytest.fixture
def case(kept: Kept) -> Case:
    return Case(kept)


def put_into_the_log(case: Case, leaves: list[bytes]) -> None:
    """While nobody keeps it."""
    case.inject(*leaves)


def put_into_the_queue(case: Case, leaves: list[bytes]) -> None:
    for leaf in leaves:
        event = AuditEvent.FromString(leaf)
        place = {"boot_id": event.boot_id, "boot_sequence": event.boot_sequence, "time_us": event.time_us}
        case.kept.execute(t.audit_pending.insert().values(tenant_uid=case.tenant_uid, leaf=leaf, **place))


@pytest.fixture(params=[put_into_the_log, put_into_the_queue])
def put(request: pytest.FixtureRequest) -> Put:
    found: Put = request.param
    return found


def told(case: Case) -> list[tuple[str, int | None]]:
    """What an integrator tells that takes over now."""
    integrator = case.taking_over()
    case.kept.run(integrator)
    integrator.end()
    assert not case.kept.rows(t.audit_pending, case.tenant_uid)
    assert not case.kept.watcher.refusals
    found = [(trouble.problem, trouble.leaf_index) for _, trouble in case.kept.watcher.troubles]
    case.kept.watcher.troubles.clear()
    return found


def set_row(case: Case, boot_id: bytes, **values: Any) -> None:
    case.kept.execute(t.audit_boot.update().where(b.tenant_uid == case.tenant_uid, b.boot_id == boot_id).values(**values))


def other_boots_write(case: Case, commits: int) -> None:
    for _ in range(commits):
        Writer(case.kept).commit([case.tenant_uid] * 60)
    assert told(case) == []


def test_a_boot_made_up_whole_that_was_allowed_something_is_told(case: Case, put: Put) -> None:
    case.integrator.end()
    at, forger = case.size(), Forger(case)
    put(case, [forger.start(), forger.leaf(), forger.leaf()])
    assert told(case) == [(UNENDORSED, at + 1)]


def test_so_is_one_that_is_found_by_who_kept_the_log_all_the_time(case: Case) -> None:
    at, forger = case.size(), Forger(case)
    case.inject(forger.start(), forger.leaf())
    case.integrator.distrust(case.tenant_uid)
    assert case.told(case.integrator) == [(UNENDORSED, at + 1)]


def test_one_that_only_refused_is_none_until_something_is_allowed(case: Case, put: Put) -> None:
    case.integrator.end()
    forger = Forger(case)
    put_into_the_queue(case, [forger.start(), forger.leaf(decision=DECISION_DENIED)])
    assert told(case) == []
    at = case.size()
    put(case, [forger.leaf()])
    assert told(case) == [(UNENDORSED, at)]


def test_the_endorsement_of_another_boot_endorses_nobody(case: Case, put: Put) -> None:
    case.integrator.end()
    copied = endorsement(case)
    at, forger = case.size(), Forger(case)
    put(case, [forger.start(), forger.leaf(action="BootEndorsed", boot_endorsement=copied.boot_endorsement), forger.leaf()])
    assert told(case) == [(BAD_ENDORSEMENT, at + 1)]


def test_nor_does_one_that_comes_once_the_boots_beginning_is_forgotten(case: Case, put: Put) -> None:
    case.integrator.end()
    copied, forger = endorsement(case), Forger(case)
    put_into_the_queue(case, [forger.start()])
    assert told(case) == []
    at = case.size()
    put(case, [forger.leaf(action="BootEndorsed", boot_endorsement=copied.boot_endorsement), forger.leaf()])
    assert told(case) == [(BAD_ENDORSEMENT, at)]


def test_nor_does_a_row_that_names_the_leaf_of_another_boot(case: Case, put: Put) -> None:
    case.integrator.end()
    forger = Forger(case)
    put_into_the_queue(case, [forger.start()])
    assert told(case) == []
    at = case.size()
    (row,) = (row for row in case.kept.rows(t.audit_boot, case.tenant_uid) if row.boot_id == case.leaves[-1].boot_id)
    set_row(case, forger.boot_id, endorse_index=row.endorse_index)
    put(case, [forger.leaf()])
    assert told(case) == [(UNENDORSED, at)]


def test_a_boot_that_is_begun_anew_is_told(case: Case, put: Put) -> None:
    case.integrator.end()
    at, forger = case.size(), Forger(case, case.leaves[-1].boot_id)
    put(case, [forger.start(), forger.leaf()])
    assert told(case) == [(TWICE, at)]


def test_leaves_that_are_there_again_are_told_whatever_their_boots_row_says(case: Case, put: Put) -> None:
    case.integrator.end()
    at, first = case.size(), case.leaves[0]
    event = AuditEvent.FromString(first.leaf)
    set_row(case, first.boot_id, next_sequence=first.boot_sequence, last_hash=event.previous_hash)
    put(case, [leaf.leaf for leaf in case.leaves])
    assert told(case) == [(TWICE, at)]


def test_leaves_that_were_taken_out_of_the_queue_are_told_whatever_their_boots_row_says(case: Case) -> None:
    case.integrator.end()
    at = case.size()
    case.writer.commit([case.tenant_uid])
    (row,) = case.kept.rows(t.audit_pending, case.tenant_uid)
    case.writer.commit([case.tenant_uid])
    p = t.audit_pending.c
    case.kept.execute(t.audit_pending.delete().where(p.tenant_uid == case.tenant_uid, p.boot_sequence == row.boot_sequence))
    set_row(case, row.boot_id, next_sequence=row.boot_sequence + 1, last_hash=naive.leaf_hash(row.leaf))
    assert told(case) == [(MISSING, at)]


def test_entries_that_were_taken_out_before_they_were_anchored_are_told(case: Case) -> None:
    case.writer.commit([case.tenant_uid])
    (kept_leaf,) = case.writer.commit([case.tenant_uid])
    assert case.integrator.round().entries == 2
    case.inject(kept_leaf.leaf, instead_of=2)
    assert told(case) == [(MISSING, case.size() - 1)]


@pytest.mark.parametrize("reach", [100, 1000])
def test_a_boot_that_was_silent_for_long_goes_on_where_it_was(case: Case, monkeypatch: pytest.MonkeyPatch, reach: int) -> None:
    monkeypatch.setattr(append, "_REACH", reach)
    idle = case.taking_over()
    case.integrator.end()
    other_boots_write(case, 12)
    Writer(case.kept).commit([case.tenant_uid])
    assert case.kept.run(idle)
    case.writer.commit([case.tenant_uid])
    assert case.kept.run(idle) == 1
    idle.end()
    case.writer.commit([case.tenant_uid] * 2)
    assert told(case) == []
    other_boots_write(case, 12)
    case.writer.commit([case.tenant_uid] * 2)
    left = case.taking_over()
    assert left.round().entries == 2
    assert told(case) == []
    case.kept.check(case.tenant_uid)


@pytest.mark.parametrize("distance", [0, 12], ids=["near", "far"])
def test_no_edited_entry_hides_how_far_a_boot_had_come(case: Case, put: Put, distance: int) -> None:
    case.integrator.end()
    last, at = case.leaves[-1], case.size() - 1
    other_boots_write(case, distance)
    set_row(case, last.boot_id, next_sequence=last.boot_sequence, last_hash=AuditEvent.FromString(last.leaf).previous_hash)
    entry = (e.tenant_uid == case.tenant_uid) & (e.leaf_index == at)
    case.kept.execute(t.audit_entry.update().where(entry).values(leaf=case.forged()))
    put(case, [last.leaf])
    assert told(case)
    value = sa.select(sa.literal(last.leaf, sa.LargeBinary)).scalar_subquery()
    case.kept.execute(t.audit_entry.update().where(entry).values(leaf=value))


def endorsement(case: Case) -> AuditEvent:
    """That of the boot which has written to the log."""
    events = [AuditEvent.FromString(leaf) for leaf in case.kept.committed[case.tenant_uid]]
    return next(event for event in events if event.action == "BootEndorsed")
