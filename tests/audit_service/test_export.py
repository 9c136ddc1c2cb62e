"""Export sends a bundle that an auditor can check without the vault: whole, of the published tree, and nothing of it twice."""

import json
import tempfile
import zipfile

import pytest
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import BEGIN_US, HOUR_US, dice, draft
from tests.harness import context
from tests.log_http import rfc6962

from vault.audit.bundle import Bundle
from vault.audit.tiles import TILE_WIDTH, decode_bundle, parse_path
from vault.store import tables as t
from vault.v1.audit_service_pb2 import ExportRequest, ExportResponse, GetCheckpointRequest

ENTRIES = 700


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    tenant = desk.new_tenant()
    fill(desk, tenant, ENTRIES, seed=50)
    return tenant


def export(**fields) -> ExportRequest:
    return ExportRequest(context=context("audit"), **fields)


def files_of(messages: list[ExportResponse]) -> dict[str, bytes]:
    """Each file once, its pieces one after the other."""
    found: dict[str, bytes] = {}
    last = ""
    for message in messages:
        assert message.path == last or message.path not in found
        assert len(message.data) <= 1024 * 1024
        found[message.path] = found.get(message.path, b"") + message.data
        last = message.path
    return found


def opened(files: dict[str, bytes]) -> Bundle:
    """The bundle as the offline verifier reads it, which refuses what is missing, too much or there twice."""
    packed = tempfile.TemporaryFile()  # noqa: SIM115  the bundle reads it as long as it lives
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return Bundle(packed)


def check(desk: Desk, tenant: str, files: dict[str, bytes]) -> Bundle:
    """That tiles and entries of a bundle are those of the log, by RFC 6962 alone; and the beginnings of all boots are there."""
    bundle, rows = opened(files), desk.entries(tenant)
    size = bundle.manifest.size
    levels = [[rfc6962.leaf_hash(row.leaf) for row in rows[:size]]]
    while len(levels[-1]) >= TILE_WIDTH:
        below = levels[-1]
        levels.append([rfc6962.root(below[at : at + TILE_WIDTH]) for at in range(0, len(below) - TILE_WIDTH + 1, TILE_WIDTH)])
    held = {}
    for path, data in files.items():
        if path.startswith("tile/"):
            tile = parse_path(path)
            start = tile.index * TILE_WIDTH
            if tile.level is None:
                held |= dict(enumerate(decode_bundle(data), start))
            else:
                assert data == b"".join(levels[tile.level][start : start + tile.width]), path
    assert all(entry == rows[index].leaf for index, entry in held.items())
    events = [event_of(row) for row in rows[:size]]
    begun = {event.boot_id: index for index, event in reversed(list(enumerate(events)))}
    endorsed = [(index, event.boot_id) for index, event in enumerate(events) if event.boot_endorsement]
    boots = {event.boot_id for event in events[bundle.manifest.start_index : bundle.manifest.end_index]}
    assert all(begun[boot_id] in held for boot_id in boots)
    assert all(index in held for index, boot_id in endorsed if boot_id in boots)
    return bundle


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (0, 1), (255, 257), (256, 512), (300, 310), (ENTRIES - 1, ENTRIES), (600, 0), (0, ENTRIES)]
)
def test_a_range_by_index_is_whole(desk: Desk, filled: str, start: int, end: int) -> None:
    messages = desk.stream(export(start_index=start, end_index=end), tenant=filled)
    bundle = check(desk, filled, files_of(messages))
    assert (bundle.manifest.start_index, bundle.manifest.end_index) == (start, end or bundle.manifest.size)
    assert bundle.manifest.tenant_uid == desk.tenant(filled).uid
    assert messages[-1].entries_done == messages[-1].entries_total
    assert [m.entries_done for m in messages] == sorted(m.entries_done for m in messages)


def test_the_checkpoint_and_the_key_are_those_that_are_published(desk: Desk, filled: str) -> None:
    published = desk.ask(GetCheckpointRequest(context=context("audit")), tenant=filled)
    files = files_of(desk.stream(export(), tenant=filled))
    assert files["checkpoint"].decode() == published.checkpoint
    assert json.loads(files["manifest.json"])["log_key"] == published.log_key


@pytest.mark.parametrize("known", [1, 255, 256, 511, ENTRIES])
def test_it_is_proven_to_begin_with_a_tree_that_was_seen_before(desk: Desk, filled: str, known: int) -> None:
    bundle = opened(files_of(desk.stream(export(known_size=known, start_index=1, end_index=2), tenant=filled)))
    hashes = [rfc6962.leaf_hash(row.leaf) for row in desk.entries(filled)]
    roots = rfc6962.root(hashes[:known]), rfc6962.root(hashes[: bundle.manifest.size])
    assert rfc6962.verify_consistency(known, bundle.manifest.size, *roots, bundle.consistency())


def test_the_newest_tree_itself_needs_no_proof(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 20, seed=51)
    size = opened(files_of(desk.stream(export(), tenant=tenant))).manifest.size
    files = files_of(desk.stream(export(known_size=size), tenant=tenant))
    assert files["consistency"] == b""
    opened(files)


@pytest.mark.parametrize(("start_h", "end_h"), [(0, 1), (5, 20), (10, 11), (0, 100), (39, None), (None, 3)])
def test_a_range_by_time_holds_every_entry_of_that_time(desk: Desk, filled: str, start_h: int | None, end_h: int | None) -> None:
    request = export()
    if start_h is not None:
        request.start_time.FromMicroseconds(BEGIN_US + start_h * HOUR_US)
    if end_h is not None:
        request.end_time.FromMicroseconds(BEGIN_US + end_h * HOUR_US)
    bundle = check(desk, filled, files_of(desk.stream(request, tenant=filled)))
    start_us = BEGIN_US + (start_h or 0) * HOUR_US if start_h is not None else 0
    end_us = BEGIN_US + end_h * HOUR_US if end_h is not None else 2**63
    wanted = [row.leaf_index for row in desk.entries(filled)[: bundle.manifest.size] if start_us <= event_of(row).time_us < end_us]
    assert (bundle.manifest.start_index, bundle.manifest.end_index) == (min(wanted), max(wanted) + 1)


def test_what_is_not_there_is_refused(desk: Desk, filled: str) -> None:
    nothing = export()
    nothing.start_time.FromMicroseconds(BEGIN_US - 50 * HOUR_US)
    nothing.end_time.FromMicroseconds(BEGIN_US - 40 * HOUR_US)
    both = export(start_index=5)
    both.start_time.FromMicroseconds(BEGIN_US)
    cases = [
        (export(start_index=10**6), "LOG_RANGE"),
        (export(end_index=10**6), "LOG_RANGE"),
        (export(known_size=10**6), "LOG_RANGE"),
        (export(start_index=2**64 - 1), "LOG_RANGE"),
        (nothing, "LOG_RANGE"),
        (both, "INVALID_FIELD"),
        (export(start_index=5, end_index=5), "INVALID_FIELD"),
    ]
    for request, reason in cases:
        assert desk.refused(request, tenant=filled).reason_name == reason, request


def test_large_entries_come_in_pieces(desk: Desk) -> None:
    tenant = desk.new_tenant()
    for number in range(40):
        big = draft(dice(number), desk.tenant(tenant).uid)
        big.details = {"padding": "x" * 60_000}
        desk.write([big], BEGIN_US + number)
    desk.integrate()
    messages = desk.stream(export(), tenant=tenant)
    check(desk, tenant, files_of(messages))
    assert sum("entries" in message.path for message in messages) > 1


def test_whatever_was_altered_ends_the_export(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    rows = desk.entries(filled)
    boots = desk.inside.rows(t.audit_boot, tenant_uid=uid)
    boot = next(row for row in boots if row.start_index > 5 != row.endorse_index)  # else some changes would be none
    changes = [
        (t.audit_entry, {"leaf_index": 3}, {"leaf": rows[4].leaf}, "audit_entry"),
        (t.audit_entry, {"leaf_index": 3}, {"leaf": rows[4].leaf, "leaf_hash": rows[4].leaf_hash}, "audit_entry"),
        (t.audit_entry, {"leaf_index": ENTRIES - 1}, {"leaf_hash": bytes(32)}, "audit_"),
        (t.audit_entry, {"leaf_index": 3}, {"leaf_index": 10**9}, "missing"),
        (t.audit_node, {"level": 1, "node_index": 0}, {"hash": bytes(32)}, "audit_"),
        (t.audit_node, {"level": 1, "node_index": 1}, {"node_index": 7}, "missing"),
        (t.audit_boot, {"boot_id": boot.boot_id}, {"start_index": boot.start_index + 1}, "audit_boot"),
        (t.audit_boot, {"boot_id": boot.boot_id}, {"start_index": 0}, "audit_boot"),
        (t.audit_boot, {"boot_id": boot.boot_id}, {"endorse_index": 5}, "audit_boot"),
        (t.audit_boot, {"boot_id": boot.boot_id}, {"boot_id": bytes(16)}, "audit_boot"),
    ]
    for table, where, values, named in changes:
        with desk.behind_its_back(table, {"tenant_uid": uid, **where}, **values):
            refusal = desk.refused(export(), tenant=filled)
        assert (refusal.reason_name, named in refusal.message) == ("INTEGRITY", True), (table.name, values, refusal.message)


def test_an_export_is_an_event(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 5, seed=52)
    desk.stream(export(start_index=1, end_index=3, known_size=2), tenant=tenant)
    event = desk.last_event(tenant)
    assert (event.action, dict(event.details)) == ("Export", {"start_index": "1", "end_index": "3", "known_size": "2"})


@pytest.mark.parametrize("who", ["admin", "all"])
def test_only_auditors_export(desk: Desk, who: str) -> None:
    assert desk.refused(export(), who).reason_name == "POLICY_DENIED"
