"""A rotation leaves nothing under old keys, loses nothing on the way, and says so in the log."""

import hashlib
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from tests.harness import context
from tests.rotation.works import Stored, attested, begin_rotation, found, rotate, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.errors import VaultError
from vault.keys.operations import uid_of
from vault.kms.local.administrator import LocalAdministrator
from vault.server.key_worker import new_keys
from vault.store import tables as t
from vault.store.rotation.census import census
from vault.v1 import key_service_pb2 as v1


def _tenant(inside: Inside):
    return inside.row(t.tenant, uid=inside.tenant().uid)


def test_after_a_rotation_everything_is_found_and_nothing_hangs_on_old_keys(open_vault: Inside) -> None:
    stored, before = Stored(open_vault), _tenant(open_vault)
    attestation = rotate(open_vault)
    after = _tenant(open_vault)
    assert (after.epoch, after.index_key_version) == (before.epoch + 1, before.index_key_version + 1)
    assert list(attestation.retired_epochs) == [before.epoch]
    assert list(attestation.retired_index_keys) == [before.index_key_version]
    assert not any(attestation.left.values())
    with open_vault.engine.connect() as connection:
        assert census(connection, after.uid, after.epoch, after.index_key_version).is_empty
    stored.check()
    rows = open_vault.rows(t.tenant_key, tenant_uid=after.uid)
    states = {(row.kind, row.version): (row.state, bool(row.wrapped)) for row in rows}
    assert states["epoch", before.epoch] == states["index", before.index_key_version] == ("RETIRED", False)
    assert states["epoch", after.epoch] == states["index", after.index_key_version] == ("ACTIVE", True)
    assert {row.kek_version for row in rows if row.state == "ACTIVE"} == {attestation.kek_version}


def test_whoever_had_something_deleted_gets_a_new_store_key_and_the_old_one_is_gone(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=2)
    uid = open_vault.tenant().uid
    due = open_vault.rows(t.subject, tenant_uid=uid, rekey_due=True)
    old = {row.key_id for row in open_vault.rows(t.subject_key, tenant_uid=uid) if row.subject_uid in {s.uid for s in due}}
    rotate(open_vault)
    assert due
    assert not open_vault.rows(t.subject, tenant_uid=uid, rekey_due=True)
    assert not old & {row.key_id for row in open_vault.rows(t.subject_key, tenant_uid=uid)}
    stored.check()


def test_the_log_attests_that_nothing_is_left_and_names_what_went_by_its_hash(open_vault: Inside) -> None:
    before = _tenant(open_vault)
    (epoch,) = open_vault.rows(t.tenant_key, tenant_uid=before.uid, kind="epoch", version=before.epoch)
    with open_vault.events() as events:
        rotate(open_vault)
    rotated, retired = (next(event for event in events if event.action == action) for action in ("KeysRotated", "KeysRetired"))
    assert rotated.details["epoch"] == str(before.epoch + 1)
    assert retired.details[f"epoch_{before.epoch}"] == hashlib.sha256(epoch.wrapped).hexdigest()
    assert {name: count for name, count in retired.details.items() if name.startswith("left_")} == dict.fromkeys(
        ("left_subject_keys", "left_requests", "left_openings", "left_subjects", "left_aliases", "left_items"), "0"
    )


def test_two_rotations_at_once_are_refused_by_name(open_vault: Inside) -> None:
    first = begin_rotation(open_vault)
    with pytest.raises(VaultError, match=first.name) as refusal:
        begin_rotation(open_vault)
    assert refusal.value.reason_name == "OPERATION_UNDER_WAY"
    open_vault.ask(v1.CancelOperationRequest(context=context("rotation"), name=first.name), "security")
    assert found(open_vault, first.name).error.message
    with worker(open_vault) as working:
        assert working.look() == 0


def test_a_paused_rotation_stands_still_and_goes_on_where_it_was(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=2)
    name = begin_rotation(open_vault).name
    open_vault.ask(v1.PauseOperationRequest(context=context("rotation"), name=name), "security")
    with worker(open_vault) as working:
        working.look()
        assert not found(open_vault, name).done
        open_vault.ask(v1.ResumeOperationRequest(context=context("rotation"), name=name), "security")
        working.look()
    assert attested(open_vault, name).retired_epochs
    stored.check()


def test_only_security_officers_rotate(open_vault: Inside) -> None:
    for who in ("all", "privacy", "auditor", "app"):
        assert open_vault.refused(v1.RotateRequest(context=context("rotation")), who) == "POLICY_DENIED"


def test_an_operation_whose_request_was_edited_is_not_run(open_vault: Inside) -> None:
    name, before = begin_rotation(open_vault).name, _tenant(open_vault)
    edited = v1.RotateRequest(max_rows_per_second=1).SerializeToString()
    open_vault.edit(t.operation, {"tenant_uid": before.uid, "uid": uid_of(name)}, request=edited)
    with worker(open_vault) as working:
        working.look()
    assert _tenant(open_vault) == before
    assert open_vault.row(t.operation, tenant_uid=before.uid, uid=uid_of(name)).state == "FAILED"


def test_an_altered_item_keeps_the_old_keys_and_is_named_as_such(open_vault: Inside) -> None:
    open_vault.ask(tokenize((new_subject(), "email", new_email())))
    uid = open_vault.tenant().uid
    item = open_vault.rows(t.item, tenant_uid=uid)[0]
    open_vault.edit(t.item, {"tenant_uid": uid, "uid": item.uid}, purposes="payout,spying")
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        working.look()
    operation = found(open_vault, name)
    assert operation.done
    assert "altered" in operation.error.message
    with open_vault.engine.connect() as connection:
        states = set(connection.scalars(sa.select(t.tenant_key.c.state).where(t.tenant_key.c.tenant_uid == uid)))
    assert "OLD" in states
    open_vault.edit(t.item, {"tenant_uid": uid, "uid": item.uid}, purposes=item.purposes)
    rotate(open_vault)


def test_a_kek_that_was_imported_is_not_rotated_and_the_refusal_says_why(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = _tenant(open_vault), LocalAdministrator.kek
    monkeypatch.setattr(LocalAdministrator, "kek", lambda *of: replace(real(*of), imported=True, may_rotate=False))
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        working.look()
    operation = found(open_vault, name)
    assert operation.done
    assert "imported" in operation.error.message
    assert _tenant(open_vault) == before
    monkeypatch.undo()
    rotate(open_vault)


def test_a_rotation_waits_for_whoever_is_being_erased(open_vault: Inside) -> None:
    """Of whom something was deleted, too: their keys move nowhere, and are not given up as altered ones."""
    stored = Stored(open_vault, people=2)
    before = open_vault.rows(t.subject, tenant_uid=open_vault.tenant().uid, rekey_due=True)[0]
    where = {"tenant_uid": before.tenant_uid, "uid": before.uid}
    open_vault.reseal(t.subject, where, state="ERASING")
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        working.look()
        assert not found(open_vault, name).done
        open_vault.reseal(t.subject, where, state="ACTIVE")
        working.look()
    assert attested(open_vault, name).retired_epochs
    stored.check()


def test_a_kek_version_from_the_future_is_not_used_before_its_time(open_vault: Inside) -> None:
    tenant = open_vault.row(t.tenant, uid=open_vault.tenant().uid)
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(new_keys, "time", SimpleNamespace(time=lambda: time.time() - 3600))
            working.look()
        assert open_vault.row(t.operation, uid=uid_of(name)).state == "RUNNING"
        assert open_vault.row(t.tenant, uid=tenant.uid) == tenant
        open_vault.edit(t.operation, {"uid": uid_of(name)}, until_us=0)
        working.look()
    assert attested(open_vault, name).retired_epochs == [tenant.epoch]
