"""Whoever edits the database ends no key version that something living hangs on, nor brings anybody to a horizon too early."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from structlog.testing import capture_logs
from tests.erasure.working import Working, statement_of
from tests.fields.requests import made, plain
from tests.harness import context
from tests.rotation.works import Stored, attested, begin_destruction, begin_rotation, desk, found, phases, rotate, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.errors import VaultError
from vault.keys.operations import uid_of
from vault.server.key_worker.destruction import HORIZONS, Destruction
from vault.server.key_worker.held_operation import HeldOperation
from vault.store import tables as t
from vault.store.rows import RETENTION_US, TenantKeyRow
from vault.v1 import key_service_pb2 as v1
from vault.v1.subject_service_pb2 import ErasureStatement


def _oldest(inside: Inside) -> int:
    return inside.node.key_manager.kek(inside.tenant().uid).oldest


def _versions(inside: Inside) -> list[int]:
    """The KEK versions that open."""
    return sorted(inside.node.key_manager.kek(inside.tenant().uid).versions)


def _half_rotated(inside: Inside) -> str:
    """A rotation that stands still once it has made the new keys: everything is under the old ones. Its name."""
    name = begin_rotation(inside).name
    assert next(phase for phase in phases(inside) if phase == "REKEY")
    inside.ask(v1.PauseOperationRequest(context=context("rotation"), name=name), "security")
    return name


def _end(inside: Inside, name: str) -> None:
    """Let a rotation come to its end."""
    inside.ask(v1.ResumeOperationRequest(context=context("rotation"), name=name), "security")
    with worker(inside) as working:
        working.look()
    assert attested(inside, name).retired_epochs


def _refused(inside: Inside, keep_from: int, phase: str = "") -> str:
    """Why a destruction fails, of which no version comes to its end or stays suspended."""
    before, oldest = _versions(inside), _oldest(inside)
    name = begin_destruction(inside, keep_from)
    inside.edit(t.operation, {"uid": uid_of(name)}, phase=phase)
    with worker(inside) as working:
        working.look()
    assert (_versions(inside), _oldest(inside)) == (before, oldest)
    return found(inside, name).error.message


@pytest.mark.parametrize("phase", ["", "DESTROY"])
@pytest.mark.parametrize("forged", [{"kek_version": 1000}, {"state": "RETIRED"}, {"state": "DESTROYED", "kek_version": 1000}])
def test_keys_in_use_stay_whatever_their_rows_say(open_vault: Inside, forged: dict[str, object], phase: str) -> None:
    stored = Stored(open_vault, people=1)
    uid, keep_from = open_vault.tenant().uid, max(_versions(open_vault)) + 1
    name = _half_rotated(open_vault)
    old = [row for row in open_vault.rows(t.tenant_key, tenant_uid=uid) if row.state == "OLD"]
    for row in old:
        open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": row.kind, "version": row.version}, **forged)
    open_vault.node.keys.clear()
    assert "under older keys" in _refused(open_vault, keep_from, phase)
    for row in old:
        open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": row.kind, "version": row.version}, **row._asdict())
    open_vault.node.keys.clear()
    _end(open_vault, name)
    stored.check()


def test_what_hangs_on_a_key_is_told_by_its_envelope(open_vault: Inside) -> None:
    subject = new_subject()
    ciphertext = made(open_vault, "kept@example.org", subject=subject)
    name = _half_rotated(open_vault)
    moved = open_vault.row(t.tenant, uid=open_vault.tenant().uid).epoch
    rows = open_vault.rows(t.subject_key)
    for row in rows:
        where = {"subject_uid": row.subject_uid, "kind": row.kind, "version": row.version}
        open_vault.edit(t.subject_key, where, epoch=moved)
    assert f"subject keys under older keys ({len(rows)})" in _refused(open_vault, max(_versions(open_vault)))
    _end(open_vault, name)
    assert plain(open_vault, ciphertext) == ["kept@example.org"]


def test_versions_without_which_a_key_does_not_open_are_let_again(open_vault: Inside) -> None:
    """As with a blob that says of itself that a newer version wrapped it."""
    stored = Stored(open_vault, people=1)
    rotate(open_vault)
    uid = open_vault.tenant().uid
    (index, epoch) = (open_vault.row(t.tenant_key, tenant_uid=uid, state="ACTIVE", kind=kind) for kind in ("index", "epoch"))
    other = {"tenant_uid": uid, "kind": "index", "version": index.version + 7}
    row = index._replace(version=index.version + 7, state="RETIRED", wrapped=epoch.wrapped)
    with open_vault.engine.begin() as connection:
        connection.execute(t.tenant_key.insert().values(row._asdict()))
    assert "does not open" in _refused(open_vault, max(_versions(open_vault)))
    open_vault.remove(t.tenant_key, **other)
    stored.check()


def test_a_key_that_is_needed_and_hidden_keeps_every_version(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    rotate(open_vault)
    uid = open_vault.tenant().uid
    row = open_vault.row(t.tenant_key, tenant_uid=uid, state="ACTIVE", kind="index")
    keep_from = max(_versions(open_vault))
    where = {"tenant_uid": uid, "kind": "index", "version": row.version}
    older = row._replace(version=row.version + 1)
    open_vault.edit(t.tenant_key, where, version=older.version)
    try:
        assert _refused(open_vault, keep_from)
    finally:
        open_vault.edit(t.tenant_key, where | {"version": older.version}, version=row.version)
    open_vault.node.keys.clear()
    stored.check()


def test_a_destruction_that_was_cut_off_while_it_tried_is_done_by_whoever_goes_on(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    keep_from = rotate(open_vault).kek_version
    name = begin_destruction(open_vault, keep_from)
    with worker(open_vault) as working:
        working._desk.administrator.suspend_before(open_vault.tenant().uid, keep_from)
        open_vault.edit(t.operation, {"uid": uid_of(name)}, phase="DESTROY")
        working.look()
    assert attested(open_vault, name).kek_version == keep_from
    assert _oldest(open_vault) == keep_from
    stored.check()


def _erased(at_work: Working) -> bytes:
    """Somebody's erasure, whose receipt's opening is gone as after 24 hours."""
    subject = new_subject()
    at_work.inside.ask(tokenize((subject, "email", new_email())))
    uid: bytes = statement_of(at_work.erase(subject)).erasure_uid
    at_work.lies_back(uid)
    return uid


def _is_reached(at_work: Working, erasure_uid: bytes) -> bool:
    at_work.integrate()
    reached = at_work.receipt(erasure_uid).HasField("horizon")
    assert at_work.verify(erasure_uid).horizon_reached == reached
    return reached


def test_no_horizon_is_reached_by_keys_that_are_only_said_to_be_destroyed(at_work: Working) -> None:
    inside = at_work.inside
    uid, keep_from = inside.tenant().uid, rotate(inside).kek_version
    erasure_uid = _erased(at_work)
    last = rotate(inside).kek_version
    for kind in ("epoch", "index"):
        rows = inside.rows(t.tenant_key, tenant_uid=uid, kind=kind, state="RETIRED")
        newest = max(row.version for row in rows)
        inside.edit(t.tenant_key, {"tenant_uid": uid, "kind": kind, "version": newest}, state="DESTROYED", kek_version=1)
    name = begin_destruction(inside, keep_from)
    with worker(inside) as working:
        working.look()
    assert attested(inside, name).destroyed_kek_versions
    assert not _is_reached(at_work, erasure_uid)
    for kind in ("epoch", "index"):
        rows = inside.rows(t.tenant_key, tenant_uid=uid, kind=kind, state="DESTROYED")
        newest = max(row.version for row in rows)
        inside.edit(t.tenant_key, {"tenant_uid": uid, "kind": kind, "version": newest}, state="RETIRED", kek_version=keep_from)
    name = begin_destruction(inside, last)
    with worker(inside) as working:
        working.look()
    assert attested(inside, name).horizons_reached >= 1
    assert _is_reached(at_work, erasure_uid)


@contextmanager
def _said_to_be_destroyed(inside: Inside) -> Iterator[None]:
    """For a while, the rows of the current keys say that these were destroyed, and hold nothing; nodes have them in memory."""
    living = inside.rows(t.tenant_key, tenant_uid=inside.tenant().uid, state="ACTIVE")
    for row in living:
        if row.kind != "authority":
            _edit_key(inside, row, wrapped=b"", state="DESTROYED", kek_version=1)
    try:
        yield
    finally:
        for row in living:
            _edit_key(inside, row, **row._asdict())


def _edit_key(inside: Inside, row: TenantKeyRow, **values: object) -> None:
    inside.edit(t.tenant_key, {"tenant_uid": row.tenant_uid, "kind": row.kind, "version": row.version}, **values)


def _rotated_past_a_version(inside: Inside) -> int:
    """A rotation before which somebody made a KEK version that wraps nothing: the current keys have lower numbers than theirs."""
    with desk(inside) as one:
        one.administrator.rotate(inside.tenant().uid, max(_versions(inside)))
    return rotate(inside).kek_version


def test_an_erasure_names_the_kek_version_in_use_whatever_rows_say_meanwhile(at_work: Working) -> None:
    latest = _rotated_past_a_version(at_work.inside)
    at_work.inside.keys()
    with _said_to_be_destroyed(at_work.inside):
        erasure_uid = _erased(at_work)
    statement = ErasureStatement.FromString(at_work.inside.row(t.erasure, uid=erasure_uid).statement)
    assert max(statement.kek_versions) == latest


def test_no_horizon_is_reached_while_its_keys_are_current_whatever_rows_say_meanwhile(at_work: Working) -> None:
    """Not even by an erasure of which the receipt's opening alone is under the current keys."""
    inside = at_work.inside
    erasure_uid = _erased(at_work)
    keep_from = _rotated_past_a_version(inside)
    begin_us = inside.row(t.erasure, uid=erasure_uid).begin_us
    inside.reseal(t.erasure, {"uid": erasure_uid}, begin_us=begin_us + 2 * RETENTION_US)  # as it was: the rotation came that day
    name = begin_destruction(inside, keep_from)
    with desk(inside) as one:
        inside.edit(t.operation, {"uid": uid_of(name)}, state="RUNNING", holder=one.name)
        work = Destruction(HeldOperation(one, inside.row(t.operation, uid=uid_of(name))), 1)
        while work.held.place.phase != HORIZONS:
            work.step()
        with _said_to_be_destroyed(inside), suppress(VaultError):
            work.step()
        inside.edit(t.operation, {"uid": uid_of(name)}, cursor=b"")
        work = Destruction(HeldOperation(one, inside.row(t.operation, uid=uid_of(name))), 1)
        while work.step():
            pass
    inside.edit(t.operation, {"uid": uid_of(name)}, state="CANCELLED", live_kind=None)
    assert not _is_reached(at_work, erasure_uid)
    inside.reseal(t.erasure, {"uid": erasure_uid}, begin_us=begin_us)


def test_no_horizon_is_reached_by_an_erasure_that_was_edited(at_work: Working) -> None:
    inside = at_work.inside
    rotate(inside)
    erasure_uid = _erased(at_work)
    row = inside.row(t.erasure, uid=erasure_uid)
    keep_from = max(_versions(inside))
    inside.edit(t.erasure, {"uid": erasure_uid}, epoch=0, index_key_version=0)
    name = begin_destruction(inside, keep_from)
    with worker(inside) as working:
        working.look()
    assert found(inside, name).done
    inside.edit(t.erasure, {"uid": erasure_uid}, epoch=row.epoch, index_key_version=row.index_key_version)
    assert not _is_reached(at_work, erasure_uid)


@pytest.mark.parametrize("edited", [{"epoch": 0}, {"statement": b""}, {"state": "BEGUN"}])
def test_an_erasure_that_was_edited_keeps_no_other_from_its_horizon(at_work: Working, edited: dict[str, object]) -> None:
    inside = at_work.inside
    damaged, other = _erased(at_work), _erased(at_work)
    row = inside.row(t.erasure, uid=damaged)
    inside.edit(t.erasure, {"uid": damaged}, **edited)
    try:
        name = begin_destruction(inside, rotate(inside).kek_version)
        with inside.events() as events, worker(inside) as working, capture_logs() as logs:
            working.look()
    finally:
        inside.edit(t.erasure, {"uid": damaged}, **row._asdict())
    assert attested(inside, name).horizons_reached
    (said,) = (event.details for event in events if event.action == "HorizonReached")
    assert said["altered"] == "1"
    assert other.hex() in said["erasures"]
    assert damaged.hex() not in said["erasures"]
    assert [entry["erasure"] for entry in logs if "was altered" in entry["event"]] == [damaged.hex()]


def test_all_horizons_are_reached_though_some_have_to_wait(at_work: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.keys.horizon.MAX_ERASURES", 2)
    inside = at_work.inside
    early = [_erased(at_work) for _ in range(3)]
    keep_from = rotate(inside).kek_version
    late = [_erased(at_work) for _ in range(5)]
    name = begin_destruction(inside, keep_from)
    with worker(inside) as working:
        working.look()
    assert attested(inside, name).horizons_reached >= len(early)
    reached = {row.uid for row in inside.rows(t.erasure) if row.horizon_us}
    assert reached >= set(early)
    assert not reached & set(late)
