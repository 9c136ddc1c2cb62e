"""However much somebody put into the queue, a batch has only so many bytes of it in memory, and nothing is lost or left behind."""

import secrets
from typing import Any

import pytest
import sqlalchemy as sa
from tests.log.kept import Kept, Writer

from vault.audit.chain import MAX_LEAF
from vault.store import tables as t
from vault.store.log import pending
from vault.store.log.pending import MAX_BATCH, MAX_BATCH_BYTES, read
from vault.store.log.rows import PendingRow
from vault.store.writes import insert


class Fetched:
    """Counts the bytes of leaves that come out of the database."""

    def __init__(self) -> None:
        self.bytes = 0
        self.most = 0

    def note(self, _kind: type, fields: Any) -> PendingRow:
        """In the place of ``PendingRow._make``, through which every row goes that was read."""
        row = PendingRow(*fields)
        self.bytes += len(row.leaf)
        self.most = max(self.most, self.bytes)
        return row


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    counter = Fetched()
    monkeypatch.setattr(pending.PendingRow, "_make", classmethod(counter.note))
    return counter


def fill(kept: Kept, tenant_uid: bytes, sizes: list[int], boots: int = 1) -> list[PendingRow]:
    ids = [secrets.token_bytes(16) for _ in range(boots)]
    rows = [PendingRow(tenant_uid, ids[n % boots], n // boots, n, secrets.token_bytes(size)) for n, size in enumerate(sizes)]
    with kept.engine.begin() as connection:
        insert(connection, t.audit_pending, rows)
    return rows


def test_a_full_queue_of_long_leaves_is_read_a_batch_s_bytes_at_a_time(kept: Kept, fetched: Fetched) -> None:
    tenant_uid = kept.new_tenant()
    rows = fill(kept, tenant_uid, [MAX_LEAF] * 400)
    fetched.most = fetched.bytes = 0
    with kept.engine.connect() as connection:
        pending = read(connection, tenant_uid, {}, MAX_BATCH)
    assert pending.rows == rows[: MAX_BATCH_BYTES // MAX_LEAF]
    assert not pending.is_all
    assert fetched.most <= MAX_BATCH_BYTES


def test_rows_that_a_stepped_back_clock_put_behind_others_are_bounded_too(kept: Kept, fetched: Fetched) -> None:
    tenant_uid = kept.new_tenant()
    rows = fill(kept, tenant_uid, [MAX_LEAF] * 600, boots=3)
    p = t.audit_pending.c
    backwards = t.audit_pending.update().where(p.tenant_uid == tenant_uid).values(time_us=10_000 - p.boot_sequence)
    kept.execute(backwards)
    fetched.most = fetched.bytes = 0
    with kept.engine.connect() as connection:
        pending = read(connection, tenant_uid, {}, MAX_BATCH)
    for boot_id in {row.boot_id for row in rows}:
        sequences = [row.boot_sequence for row in pending.rows if row.boot_id == boot_id]
        assert sequences == list(range(len(sequences)))
    assert pending.rows
    assert fetched.most <= 4 * MAX_BATCH_BYTES


def test_of_a_row_that_can_be_no_leaf_only_a_beginning_is_read(kept: Kept, fetched: Fetched) -> None:
    tenant_uid = kept.new_tenant()
    fill(kept, tenant_uid, [3 * MAX_BATCH_BYTES, 10])
    fetched.most = fetched.bytes = 0
    kept.run(kept.integrator())
    assert fetched.most < 2 * MAX_LEAF
    assert not kept.rows(t.audit_pending, tenant_uid)


def test_all_of_a_long_queue_becomes_entries_in_its_order(kept: Kept) -> None:
    tenant_uid, writer = kept.new_tenant(), Writer(kept)
    for _ in range(3):
        writer.commit([tenant_uid] * 20)
    rows = fill(kept, tenant_uid, [40_000] * 450 + [1] * 50)
    kept.run(kept.integrator())
    assert not kept.rows(t.audit_pending, tenant_uid)
    entries = [row.leaf for row in kept.rows(t.audit_entry, tenant_uid)]
    assert [leaf for leaf in entries if leaf in {row.leaf for row in rows}] == [row.leaf for row in rows]
    with kept.engine.connect() as connection:
        assert connection.scalar(sa.select(t.audit_log.c.size).where(t.audit_log.c.tenant_uid == tenant_uid)) == len(entries)
