"""Rows that somebody put into the queue, of any form: each becomes an entry or is taken out, is told, and the log goes on."""

import secrets
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.log import naive
from tests.log.kept import Kept, Writer

from vault.audit.leaf_form import MAX_TEXT, is_well_formed
from vault.store import tables as t
from vault.store.log.rows import PendingRow
from vault.store.writes import insert
from vault.v1.audit_pb2 import AuditEvent, Touched

TIME_US = 1_790_000_000_000_000
_U64, _U32, _I32 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1)


def lengths(*common: int) -> st.SearchStrategy[bytes]:
    """Bytes, mostly of one of these lengths."""
    return st.sampled_from(common).flatmap(lambda n: st.binary(min_size=n, max_size=n)) | st.binary(max_size=40)


def long(size: int) -> st.SearchStrategy[bytes]:
    return st.just(b"x" * size)


TEXT = st.text(max_size=20) | st.sampled_from(["", "\0", "\ud7ff\uffff", "a" * MAX_TEXT, "é" * (MAX_TEXT + 1), "p" * 20_000])
TOUCHED = st.builds(
    Touched,
    data_class=TEXT,
    form=_I32,
    partial_name=TEXT,
    count=_U32,
    subject_uids=lengths(0, 16, 32),
    token_uids=lengths(0, 16, 48),
    reason=_I32,
    change=_I32,
    mismatched=_U32,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "format": _U32,
    "time_us": st.sampled_from([0, 2**63 - 1, 2**63, 2**64 - 1]) | _U64,
    "principal_uid": lengths(0, 16),
    "principal": TEXT,
    "certificate_sha256": lengths(0, 32),
    "node": TEXT,
    "action": TEXT,
    "decision": st.integers(-1, 6) | _I32,
    "reason": st.integers(-1, 80) | _I32,
    "policy_ids": st.lists(TEXT, max_size=4),
    "roles": st.lists(TEXT, max_size=2),
    "policy_sha256": lengths(0, 32),
    "purpose": TEXT,
    "recipient": TEXT,
    "request_id": lengths(0, 16),
    "touched": st.lists(TOUCHED, max_size=3),
    "details": st.dictionaries(TEXT, TEXT, max_size=2),
    "random": lengths(16),
    "boot_id": lengths(16) | long(8_000),
    "boot_sequence": st.integers(0, 3) | st.sampled_from([2**63 - 2, 2**63 - 1, 2**63, 2**64 - 1]),
    "previous_hash": lengths(32) | long(20_000),
    "boot_public_key": lengths(0, 32),
    "boot_endorsement": lengths(0, 64),
    "boot_signature": lengths(0, 64),
}
ROW = {
    "boot_id": st.binary(max_size=20) | long(2_000),
    "boot_sequence": st.integers(0, 3) | st.sampled_from([-(2**63), -1, 2**63 - 1]),
    "time_us": st.just(TIME_US) | st.sampled_from([-(2**63), 0, 2**63 - 1]),
}


@st.composite
def events(draw: st.DrawFn) -> AuditEvent:
    """An event with a few fields as nobody would write them. Its tenant is set later."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=4))
    return sound(**{name: draw(FIELDS[name]) for name in sorted(names)})


def sound(**fields: Any) -> AuditEvent:
    usual = {"format": 1, "time_us": TIME_US, "action": "Reveal", "decision": 1, "random": bytes(16), "boot_id": bytes(16)}
    return AuditEvent(**(usual | {"previous_hash": bytes(32)} | fields))


class Queue:
    """A tenant's queue, into which anybody puts what they like, and a boot that works beside."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.tenant_uid = kept.new_tenant()
        self.writer = Writer(kept)
        self.integrator = kept.integrator()

    def put(self, *leaves: bytes, **columns: Any) -> None:
        """Put rows with these leaves into the queue; their other columns are right, or as given."""
        rows = [
            PendingRow(
                self.tenant_uid,
                **{"boot_id": secrets.token_bytes(16), "boot_sequence": 0, "time_us": TIME_US, "leaf": leaf, **columns},
            )
            for leaf in leaves
        ]
        with self.kept.engine.begin() as connection:
            insert(connection, t.audit_pending, rows)

    def go_on(self) -> list[bytes]:
        """Integrate, and then an event that nobody touched: the log's leaves. All that is derived from them is what they say."""
        self.kept.run(self.integrator)
        assert not self.kept.rows(t.audit_pending, self.tenant_uid)
        assert not self.kept.watcher.refusals
        self.kept.watcher.troubles.clear()
        honest = self.writer.commit([self.tenant_uid])
        self.kept.run(self.integrator)
        assert not self.kept.watcher.troubles
        with self.kept.engine.connect() as connection:
            leaves = naive.check(connection, self.tenant_uid, self.kept.public_key(self.tenant_uid)).leaves
        assert [leaf.leaf for leaf in honest] == leaves[-len(honest) :]
        return leaves


@pytest.fixture(scope="module")
def queue(opened: Kept) -> Queue:
    return Queue(opened)


@settings(max_examples=60, report_multiple_bugs=False)
@given(forged=st.lists(events(), min_size=1, max_size=6), row=st.fixed_dictionaries({}, optional=ROW))
def test_whatever_event_is_forged_becomes_an_entry_and_the_log_goes_on(
    queue: Queue, forged: list[AuditEvent], row: dict[str, Any]
) -> None:
    leaves = []
    for event in forged:
        event.tenant_uid, event.random = queue.tenant_uid, event.random and secrets.token_bytes(len(event.random))
        event.details["unique"] = secrets.token_hex(8)
        leaves.append(event.SerializeToString(deterministic=True))
    for leaf in leaves:
        queue.put(leaf, **{**row, "boot_id": row.get("boot_id", b"") + secrets.token_bytes(16)})
    assert {leaf for leaf in leaves if len(leaf) <= 65_535} <= set(queue.go_on())


@settings(max_examples=40, report_multiple_bugs=False)
@given(junk=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6, unique=True))
def test_whatever_bytes_are_put_into_the_queue_the_log_goes_on(queue: Queue, junk: list[bytes]) -> None:
    unique = [noise + b"\xff" + secrets.token_bytes(12) for noise in junk]
    queue.put(*unique)
    entries = set(queue.go_on())
    for leaf in unique:
        assert (leaf in entries) is not _is_foreign(leaf, queue.tenant_uid)


def _is_foreign(leaf: bytes, tenant_uid: bytes) -> bool:
    try:
        named = AuditEvent.FromString(leaf).tenant_uid
    except DecodeError:
        return False
    return len(named) == 16 and named != tenant_uid


@pytest.mark.parametrize(
    "fields",
    [
        {"boot_id": b"x" * 8_000},
        {"boot_id": b""},
        {"previous_hash": b"x" * 60_000},
        {"decision": -(2**31)},
        {"decision": 0},
        {"time_us": 2**64 - 1},
        {"boot_sequence": 2**64 - 1},
        {"principal": "p" * 60_000},
        {"purpose": "a\0b"},
        {"policy_ids": ["ok", "a\0"]},
        {"touched": [Touched(data_class="\0")]},
        {"touched": [Touched(token_uids=b"x" * 17)]},
        {"format": 2},
    ],
    ids=lambda fields: f"{next(iter(fields))}-{len(str(fields))}",
)
def test_what_no_boot_writes_is_told_and_neither_followed_nor_found(kept: Kept, fields: dict[str, Any]) -> None:
    queue = Queue(kept)
    leaf = sound(tenant_uid=queue.tenant_uid, **fields).SerializeToString(deterministic=True)
    queue.put(leaf)
    kept.run(queue.integrator)
    (trouble,) = [trouble for uid, trouble in kept.watcher.troubles if uid == queue.tenant_uid]
    assert trouble.problem == "the leaf is nothing that a boot writes: it was edited"
    entries = kept.rows(t.audit_entry, queue.tenant_uid)
    assert entries[trouble.leaf_index or 0].leaf == leaf
    assert trouble.leaf_index not in [event.leaf_index for event in kept.rows(t.audit_event, queue.tenant_uid)]
    assert leaf in queue.go_on()


def test_all_that_boots_write_is_well_formed(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    for _ in range(20):
        writer.commit([tenant_uid] * 10)
    writer.end()
    kept.run(kept.integrator())
    with kept.engine.connect() as connection:
        leaves = naive.check(connection, tenant_uid, kept.public_key(tenant_uid)).leaves
    assert leaves
    assert all(is_well_formed(AuditEvent.FromString(leaf)) for leaf in leaves)
