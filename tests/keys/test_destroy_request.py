"""Asking for the end of KEK versions: refused while anything hangs on them, approved by another, then handed to the worker."""

import pytest
from tests.keys.requests import approve, destroy
from tests.rotation.works import Stored, attested, found, rotate, worker
from tests.use_cases.inside import Inside

from vault.errors import VaultError
from vault.store import tables as t
from vault.v1 import key_service_pb2 as v1


def _newest(inside: Inside) -> int:
    return max(row.kek_version for row in inside.rows(t.tenant_key, tenant_uid=inside.tenant().uid))


def test_with_another_persons_approval_it_is_done(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    rotate(open_vault)
    newest = _newest(open_vault)
    asked = open_vault.ask(destroy(newest), "security").approval
    assert f"before {newest} of the tenant acme" in asked.summary
    assert "epoch key" in asked.summary
    open_vault.ask(approve(asked.approval_uid), "security-2")
    operation = open_vault.ask(destroy(newest, asked.approval_uid), "security").operation
    progress = v1.OperationProgress()
    assert operation.metadata.Unpack(progress)
    assert (progress.kind, progress.state) == ("Destroy", "WAITING")
    with worker(open_vault) as working:
        working.look()
    assert attested(open_vault, operation.name).destroyed_kek_versions[-1] == newest - 1
    stored.check()


def test_what_is_in_use_is_refused_at_once_and_named(open_vault: Inside) -> None:
    before = len(open_vault.rows(t.approval, tenant_uid=open_vault.tenant().uid))
    with pytest.raises(VaultError, match=r"epoch key \d+ \(active\).*index key \d+ \(active\).*rotate") as refusal:
        open_vault.ask(destroy(_newest(open_vault) + 1), "security")
    assert refusal.value.reason_name == "KEY_IN_USE"
    assert len(open_vault.rows(t.approval, tenant_uid=open_vault.tenant().uid)) == before


def test_what_came_into_use_after_it_was_approved_is_refused_and_the_approval_stays(open_vault: Inside) -> None:
    rotate(open_vault)
    newest, uid = _newest(open_vault), open_vault.tenant().uid
    asked = open_vault.ask(destroy(newest), "security").approval
    open_vault.ask(approve(asked.approval_uid), "security-2")
    retired = next(row for row in open_vault.rows(t.tenant_key, tenant_uid=uid) if row.state == "RETIRED")
    where = {"tenant_uid": uid, "kind": retired.kind, "version": retired.version}
    open_vault.edit(t.tenant_key, where, state="DAMAGED")
    assert open_vault.refused(destroy(newest, asked.approval_uid), "security") == "KEY_IN_USE"
    open_vault.edit(t.tenant_key, where, state="RETIRED")
    assert open_vault.ask(destroy(newest, asked.approval_uid), "security").operation.name
    with worker(open_vault) as working:
        working.look()


def test_what_is_gone_is_not_destroyed_again(open_vault: Inside) -> None:
    rotate(open_vault)
    newest = _newest(open_vault)
    asked = open_vault.ask(destroy(newest), "security").approval
    open_vault.ask(approve(asked.approval_uid), "security-2")
    open_vault.ask(destroy(newest, asked.approval_uid), "security")
    with worker(open_vault) as working:
        working.look()
    with pytest.raises(VaultError, match="nothing is left") as refusal:
        open_vault.ask(destroy(newest), "security")
    assert refusal.value.reason_name == "WRONG_STATE"


def test_a_second_destruction_waits_for_the_first(open_vault: Inside) -> None:
    rotate(open_vault)
    newest = _newest(open_vault)
    approvals = [open_vault.ask(destroy(newest), who).approval.approval_uid for who in ("security", "security-2")]
    open_vault.ask(approve(approvals[0]), "security-2")
    open_vault.ask(approve(approvals[1]), "security")
    open_vault.ask(destroy(newest, approvals[0]), "security")
    assert open_vault.refused(destroy(newest, approvals[1]), "security-2") == "OPERATION_UNDER_WAY"
    assert open_vault.row(t.approval, uid=approvals[1]).state == "APPROVED"
    with worker(open_vault) as working:
        working.look()


@pytest.mark.parametrize("keep_from", [0, 1])
def test_no_version_is_before_the_first(open_vault: Inside, keep_from: int) -> None:
    assert open_vault.refused(destroy(keep_from), "security") == "INVALID_FIELD"


@pytest.mark.parametrize("kind", ["epoch", "index"])
def test_what_a_row_notes_of_its_kek_version_is_not_believed(open_vault: Inside, kind: str) -> None:
    stored, uid = Stored(open_vault, people=1), open_vault.tenant().uid
    newest = _newest(open_vault)
    current = max(row.version for row in open_vault.rows(t.tenant_key, tenant_uid=uid, kind=kind))
    where = {"tenant_uid": uid, "kind": kind, "version": current}
    open_vault.edit(t.tenant_key, where, kek_version=newest + 1)
    with pytest.raises(VaultError, match=rf"{kind} key {current} \(active\)") as refusal:
        open_vault.ask(destroy(newest + 1), "security")
    assert refusal.value.reason_name == "KEY_IN_USE"
    open_vault.edit(t.tenant_key, where, kek_version=newest)
    stored.check()


def test_the_worker_believes_neither_a_keys_state_nor_what_it_notes_of_its_kek_version(open_vault: Inside) -> None:
    rotate(open_vault)
    stored, uid, newest = Stored(open_vault, people=1), open_vault.tenant().uid, _newest(open_vault)
    asked = open_vault.ask(destroy(newest), "security").approval
    open_vault.ask(approve(asked.approval_uid), "security-2")
    name = open_vault.ask(destroy(newest, asked.approval_uid), "security").operation.name
    retired = max(row.version for row in open_vault.rows(t.tenant_key, tenant_uid=uid, kind="epoch") if row.state == "RETIRED")
    subject = open_vault.rows(t.subject_key, tenant_uid=uid)[0]
    where = {"tenant_uid": uid, "subject_uid": subject.subject_uid, "kind": subject.kind, "version": subject.version}
    open_vault.edit(t.subject_key, where, epoch=retired)
    open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": "epoch", "version": retired}, kek_version=newest)
    with worker(open_vault) as working:
        working.look()
    assert "subject keys under older keys (1)" in found(open_vault, name).error.message
    assert open_vault.node.key_manager.kek(uid).oldest < newest
    open_vault.edit(t.subject_key, where, epoch=subject.epoch)
    open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": "epoch", "version": retired}, kek_version=newest - 1)
    stored.check()
