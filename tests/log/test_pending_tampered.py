"""Pending rows that somebody edited, deleted, swapped, moved or added: each is named, and the log goes on."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.log import naive
from tests.log.kept import Kept, Writer

from vault.store import tables as t
from vault.store.log.integrator import Integrator
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1.audit_pb2 import AuditEvent

p = t.audit_pending.c

MISSING = "leaves before this one are missing"
TWICE = "there was a leaf of this number already"
EDITED = "it does not continue the leaf before it: one of the two was edited"
COLUMNS = "the columns of its pending row are not what the leaf says: it was edited"
UNSIGNED = "the chain does not end with a signature of its boot"
UNREADABLE = "the leaf can't be read: it was edited"
FOREIGN = "the leaf belongs to another tenant's log: its pending row was moved, and is taken out without becoming an entry"
STRAYED = "a leaf of this log was found waiting for another tenant's log: its pending row was moved or copied, and is taken out"
ILL_FORMED = "the leaf is nothing that a boot writes: it was edited"
NO_LEAF = "its pending row holds no leaf: it was edited, and is taken out without becoming an entry"
NO_START = "the chain does not begin with the start of its boot"
UNENDORSED = "the boot was not endorsed by the log's key"


def at(row: Any) -> sa.ColumnElement[bool]:
    """The pending row of a leaf."""
    return (p.tenant_uid == row.tenant_uid) & (p.boot_id == row.boot_id) & (p.boot_sequence == row.boot_sequence)


def edit(row: Any, **values: Any) -> sa.Update:
    return t.audit_pending.update().where(at(row)).values(**values)


def changed(leaf: bytes) -> bytes:
    """The leaf with another purpose, as if somebody had had a better one; its signature stays."""
    event = AuditEvent.FromString(leaf)
    event.purpose = "audit"
    return event.SerializeToString(deterministic=True)


def unsigned(leaf: bytes) -> bytes:
    event = AuditEvent.FromString(leaf)
    event.ClearField("boot_signature")
    return event.SerializeToString(deterministic=True)


class Case:
    """A tenant with one boot of which some leaves are in the log and five more, of two commits, are pending."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.tenant_uid = kept.new_tenant()
        self.writer = Writer(kept)
        self.integrator: Integrator = kept.integrator()
        self.writer.commit([self.tenant_uid] * 3)
        self.kept.run(self.integrator)
        self.rows = self.writer.commit([self.tenant_uid] * 2) + self.writer.commit([self.tenant_uid] * 3)

    def integrate(self) -> list[tuple[int, str]]:
        """What is told, as pairs of the leaf's place among the five and the problem; the queue is empty afterwards."""
        self.kept.run(self.integrator)
        assert not self.kept.rows(t.audit_pending, self.tenant_uid)
        first = self.rows[0].boot_sequence
        assert {uid for uid, _ in self.kept.watcher.troubles} <= {self.tenant_uid}
        found = [(trouble.boot_sequence - first, trouble.problem) for _, trouble in self.kept.watcher.troubles]
        self.kept.watcher.troubles.clear()
        with self.kept.engine.connect() as connection:
            naive.check(connection, self.tenant_uid, self.kept.public_key(self.tenant_uid))
        return found

    def go_on(self) -> list[tuple[int, str]]:
        """What is told of the next commit of the boot, which nobody touches."""
        self.writer.commit([self.tenant_uid])
        return self.integrate()


@pytest.fixture
def case(kept: Kept) -> Case:
    return Case(kept)


def test_what_nobody_touched_is_no_trouble(case: Case) -> None:
    assert case.integrate() == []
    assert case.go_on() == []
    case.kept.check(case.tenant_uid)


@pytest.mark.parametrize("which", range(4))
def test_an_edited_leaf_is_named_by_the_one_after_it(case: Case, which: int) -> None:
    case.kept.execute(edit(case.rows[which], leaf=changed(case.rows[which].leaf)))
    assert case.integrate() == [(which + 1, EDITED)]
    assert case.go_on() == []


def test_an_edited_last_leaf_is_named_by_its_signature(case: Case) -> None:
    case.kept.execute(edit(case.rows[4], leaf=changed(case.rows[4].leaf)))
    assert case.integrate() == [(4, UNSIGNED)]
    assert case.go_on() == [(5, EDITED)]


@pytest.mark.parametrize("make", [unsigned, lambda leaf: leaf[:-1] + bytes([leaf[-1] ^ 1])], ids=["taken away", "one bit"])
def test_a_last_leaf_whose_signature_is_no_good_is_named(case: Case, make: Callable[[bytes], bytes]) -> None:
    case.kept.execute(edit(case.rows[4], leaf=make(case.rows[4].leaf)))
    assert case.integrate() == [(4, UNSIGNED)]


@pytest.mark.parametrize("which", range(4))
def test_a_deleted_row_is_named_by_the_next_leaf(case: Case, which: int) -> None:
    case.kept.execute(t.audit_pending.delete().where(at(case.rows[which])))
    assert case.integrate() == [(which + 1, MISSING)]
    assert case.go_on() == []


def test_a_deleted_last_row_is_named_by_what_the_boot_writes_next(case: Case) -> None:
    case.kept.execute(t.audit_pending.delete().where(at(case.rows[4])))
    assert case.integrate() == [(3, UNSIGNED)]
    assert case.go_on() == [(5, MISSING)]
    assert case.go_on() == []


def test_a_whole_commit_deleted_at_the_end_is_named_by_what_the_boot_writes_next(case: Case) -> None:
    for row in case.rows[2:]:
        case.kept.execute(t.audit_pending.delete().where(at(row)))
    assert case.integrate() == []
    assert case.go_on() == [(5, MISSING)]


def test_swapped_leaves_are_named_and_stand_in_their_own_order(case: Case) -> None:
    one, other = case.rows[1], case.rows[3]
    case.kept.execute(edit(one, leaf=other.leaf))
    case.kept.execute(edit(other, leaf=one.leaf))
    ((place, problem),) = case.integrate()
    assert (place in (1, 3), problem) == (True, COLUMNS)
    naive.check_chains([entry.leaf for entry in case.kept.rows(t.audit_entry, case.tenant_uid)])
    assert case.go_on() == []


@pytest.mark.parametrize(
    ("column", "value"), [("time_us", 0), ("time_us", 2**62), ("boot_id", bytes(16)), ("boot_sequence", 2**62)]
)
def test_edited_columns_are_named_and_move_nothing(case: Case, column: str, value: Any) -> None:
    case.kept.execute(edit(case.rows[2], **{column: value}))
    ((_, problem),) = case.integrate()
    assert problem == COLUMNS
    naive.check_chains([entry.leaf for entry in case.kept.rows(t.audit_entry, case.tenant_uid)])
    assert case.go_on() == []


@pytest.mark.parametrize("leaf", [b"\xff" * 100, b"\x00", b"no protobuf at all " * 3000], ids=["bits", "byte", "long"])
def test_what_is_no_leaf_becomes_an_entry_that_nothing_finds(case: Case, leaf: bytes) -> None:
    case.kept.execute(edit(case.rows[1], leaf=leaf))
    assert case.integrate() == [(1, UNREADABLE)]
    assert leaf in [entry.leaf for entry in case.kept.rows(t.audit_entry, case.tenant_uid)]
    assert case.go_on() == []


@pytest.mark.parametrize("leaf", [b"", b"x" * 65_536], ids=["empty", "too long"])
def test_what_can_be_no_entry_is_taken_out_and_named(case: Case, leaf: bytes) -> None:
    case.kept.execute(edit(case.rows[1], leaf=leaf))
    assert case.integrate() == [(1, NO_LEAF)]
    assert case.go_on() == []


def test_text_that_no_column_can_hold_does_not_keep_the_log_from_growing(case: Case) -> None:
    event = AuditEvent.FromString(case.rows[1].leaf)
    event.purpose, event.time_us, event.boot_sequence = "nul \0", 2**64 - 1, 2**64 - 1
    event.touched.add(subject_uids=b"short", token_uids=b"t" * 17)
    case.kept.execute(edit(case.rows[1], leaf=event.SerializeToString(deterministic=True)))
    assert case.integrate() == [(1, ILL_FORMED)]
    assert len(case.kept.rows(t.audit_entry, case.tenant_uid)) == len(case.kept.committed[case.tenant_uid])


def test_a_leaf_moved_into_another_tenant_s_queue_enters_neither_log_and_both_are_told(case: Case) -> None:
    kept, other_uid = case.kept, case.kept.new_tenant()
    rows = case.writer.commit([case.tenant_uid] * 3)
    kept.execute(edit(rows[1], tenant_uid=other_uid))
    kept.run(case.integrator)
    told = {(uid, trouble.problem) for uid, trouble in kept.watcher.troubles}
    assert told == {(case.tenant_uid, MISSING), (case.tenant_uid, STRAYED), (other_uid, FOREIGN)}
    assert not kept.rows(t.audit_pending, other_uid)
    for tenant_uid in (case.tenant_uid, other_uid):
        assert rows[1].leaf not in [entry.leaf for entry in kept.rows(t.audit_entry, tenant_uid)]
    kept.watcher.troubles.clear()
    Writer(kept).commit([other_uid])
    kept.run(case.integrator)
    kept.check(other_uid)
    assert not kept.watcher.troubles


def test_a_leaf_that_names_a_tenant_that_is_none_is_taken_out_and_told_to_the_log_it_waited_for(case: Case) -> None:
    event = AuditEvent.FromString(case.rows[1].leaf)
    event.tenant_uid = secrets.token_bytes(16)
    case.kept.execute(edit(case.rows[1], leaf=event.SerializeToString(deterministic=True)))
    assert case.integrate() == [(1, FOREIGN)]
    assert case.go_on() == []


def add(kept: Kept, row: PendingRow) -> None:
    with kept.engine.begin() as connection:
        insert(connection, t.audit_pending, [row])


def test_a_row_added_to_a_chain_is_named_even_if_it_continues_it_rightly(case: Case) -> None:
    last = case.rows[4]
    event = AuditEvent.FromString(unsigned(last.leaf))
    event.boot_sequence, event.previous_hash = last.boot_sequence + 1, naive.leaf_hash(last.leaf)
    add(
        case.kept,
        PendingRow(*last)._replace(boot_sequence=last.boot_sequence + 1, leaf=event.SerializeToString(deterministic=True)),
    )
    assert case.integrate() == [(5, UNSIGNED)]
    assert case.go_on() == [(5, TWICE)]
    assert case.go_on() == []


def test_a_chain_without_its_start_is_named(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    rows = writer.commit([tenant_uid] * 3)
    kept.execute(t.audit_pending.delete().where(at(rows[0])))
    kept.run(kept.integrator())
    assert [trouble.problem for _, trouble in kept.watcher.troubles] == [MISSING]


def test_a_boot_with_a_key_of_its_own_making_is_named_when_it_claims_to_be_endorsed(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    writer._endorsement = lambda _: bytes(64)  # type: ignore[method-assign]
    writer.commit([tenant_uid] * 3)
    kept.run(kept.integrator())
    assert [trouble.problem for _, trouble in kept.watcher.troubles] == [UNENDORSED]


def test_a_start_without_a_key_is_named(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    rows = writer.commit([tenant_uid] * 3, endorsed=False)
    event = AuditEvent.FromString(rows[0].leaf)
    event.ClearField("boot_public_key")
    kept.execute(edit(rows[0], leaf=event.SerializeToString(deterministic=True)))
    kept.run(kept.integrator())
    assert [trouble.problem for _, trouble in kept.watcher.troubles] == [NO_START]


def test_rows_of_a_log_that_does_not_exist_are_named_and_left_alone(case: Case) -> None:
    stranger = bytes([255]) * 16
    add(case.kept, PendingRow(*case.rows[0])._replace(tenant_uid=stranger))
    assert case.integrate() == []
    assert (stranger, "KMS_DENIED") in case.kept.watcher.refusals
    assert case.kept.rows(t.audit_pending, stranger)
    case.kept.execute(t.audit_pending.delete().where(p.tenant_uid == stranger))


def test_a_batch_that_is_cut_short_is_no_trouble_but_its_end_is_checked_later(case: Case) -> None:
    case.integrator = case.kept.integrator(max_batch=2)
    case.kept.execute(edit(case.rows[4], leaf=unsigned(case.rows[4].leaf)))
    assert case.integrate() == [(4, UNSIGNED)]
