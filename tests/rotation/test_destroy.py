"""Destroying KEK versions ends what hung on them alone, refuses while anything live does, and says whose horizon it was."""

import secrets

import pytest
from google.longrunning import operations_pb2
from google.protobuf.message import Message
from tests.harness import context
from tests.rotation.works import Stored, attested, begin_destruction, desk, found, rotate, worker
from tests.use_cases.inside import Inside

from vault.kms.key_manager import KmsIntegrityError
from vault.server.key_worker.last_look import LastLook
from vault.server.key_worker.worker import Worker
from vault.store import tables as t
from vault.store.rows import ErasureRow
from vault.store.sealing import sealed
from vault.store.writes import insert
from vault.v1 import key_service_pb2 as v1
from vault.v1.subject_service_pb2 import ErasureStatement


def _destroy(inside: Inside, keep_from: int) -> operations_pb2.Operation:
    name = begin_destruction(inside, keep_from)
    with worker(inside) as working:
        working.look()
    return found(inside, name)


def _current(inside: Inside) -> int:
    return max(row.kek_version for row in inside.rows(t.tenant_key, tenant_uid=inside.tenant().uid))


def _erased(inside: Inside) -> bytes:
    """An erasure that is done, under the keys of now."""
    tenant, uid = inside.row(t.tenant, uid=inside.tenant().uid), secrets.token_bytes(16)
    row = ErasureRow(
        tenant.uid,
        uid,
        secrets.token_bytes(16),
        "DONE",
        ErasureStatement(kek_versions=[_current(inside)]).SerializeToString(),
        tenant.epoch,
        tenant.index_key_version,
        1,
        2,
        0,
        None,
        None,
        None,
        None,
    )
    with inside.engine.begin() as connection:
        insert(connection, t.erasure, [sealed(inside.keys().authority, row)])
    return uid


def test_old_keys_are_gone_for_good_and_new_ones_serve(open_vault: Inside) -> None:
    stored = Stored(open_vault)
    old = [row for row in open_vault.rows(t.tenant_key, tenant_uid=open_vault.tenant().uid) if row.kind == "epoch" and row.wrapped]
    rotate(open_vault)
    operation = _destroy(open_vault, _current(open_vault))
    attestation = attested(open_vault, operation.name)
    assert list(attestation.destroyed_kek_versions) == list(range(1, _current(open_vault)))
    with pytest.raises(KmsIntegrityError):
        open_vault.node.key_manager.unwrap(open_vault.tenant().uid, [(row.wrapped, b"any") for row in old])
    states = {
        row.state
        for row in open_vault.rows(t.tenant_key, tenant_uid=open_vault.tenant().uid)
        if row.kek_version < _current(open_vault)
    }
    assert states == {"DESTROYED"}
    open_vault.node.keys.clear()
    stored.check()


def test_what_is_in_use_is_not_destroyed_and_named(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    versions = _current(open_vault)
    operation = _destroy(open_vault, versions + 1)
    assert "epoch key" in operation.error.message
    assert open_vault.node.key_manager.kek(open_vault.tenant().uid).latest == versions
    stored.check()


def test_a_key_said_to_be_retired_behind_the_vaults_back_is_not_destroyed(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    uid, before = open_vault.tenant().uid, _current(open_vault)
    old = [row for row in open_vault.rows(t.tenant_key, tenant_uid=uid) if row.state == "ACTIVE" and row.kind != "authority"]
    rotate(open_vault)
    subject = open_vault.rows(t.subject, tenant_uid=uid)[0]
    epoch = next(row.version for row in old if row.kind == "epoch")
    where = {"tenant_uid": uid, "subject_uid": subject.uid, "kind": "store"}
    now = open_vault.row(t.subject_key, **where)
    open_vault.edit(t.subject_key, where, epoch=epoch)
    operation = _destroy(open_vault, before + 1)
    assert "subject keys under older keys (1)" in operation.error.message
    open_vault.edit(t.subject_key, where, epoch=now.epoch)
    assert open_vault.node.key_manager.kek(uid).oldest <= before
    stored.check()


@pytest.mark.parametrize("steered", [v1.PauseOperationRequest, v1.CancelOperationRequest])
def test_nothing_is_destroyed_once_somebody_thinks_better_of_it(
    open_vault: Inside, steered: type[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in the last moment: when everything was looked at, and older versions open nothing any more."""
    stored, keep_from = Stored(open_vault, people=1), rotate(open_vault).kek_version
    before = open_vault.node.key_manager.kek(open_vault.tenant().uid)
    name = begin_destruction(open_vault, keep_from)
    check_opens = LastLook.check_opens

    def steer(look: LastLook) -> None:
        check_opens(look)
        assert min(open_vault.node.key_manager.kek(open_vault.tenant().uid).versions) == keep_from
        open_vault.ask(steered(context=context("incident"), name=name), "security")

    with monkeypatch.context() as patched, worker(open_vault) as working:
        patched.setattr(LastLook, "check_opens", steer)
        working.look()
    assert open_vault.node.key_manager.kek(open_vault.tenant().uid) == before
    if steered is v1.PauseOperationRequest:
        open_vault.ask(v1.CancelOperationRequest(context=context("incident"), name=name), "security")
    stored.check()


def test_a_destruction_attests_what_the_kms_says_is_gone(open_vault: Inside) -> None:
    """Also where another one has destroyed more meanwhile."""
    uid, first = open_vault.tenant().uid, rotate(open_vault).kek_version
    last = rotate(open_vault).kek_version
    name = begin_destruction(open_vault, first)
    with desk(open_vault) as one:
        one.administrator.destroy_before(uid, last)
        Worker(one).look()
    assert list(attested(open_vault, name).destroyed_kek_versions) == list(range(1, last))
    assert attested(open_vault, name).kek_version == last


def test_the_horizon_is_reached_when_every_key_that_touched_the_erased_is_gone(open_vault: Inside) -> None:
    uid = open_vault.tenant().uid
    early = _erased(open_vault)
    rotate(open_vault)
    late = _erased(open_vault)
    with open_vault.events() as events:
        attestation = attested(open_vault, _destroy(open_vault, _current(open_vault)).name)
    reached = {row.uid: bool(row.horizon_us) for row in open_vault.rows(t.erasure, tenant_uid=uid)}
    assert (reached[early], reached[late]) == (True, False)
    listed = [event.details["erasures"].split(",") for event in events if event.action == "HorizonReached"]
    assert early.hex() in listed[0]
    assert late.hex() not in listed[0]
    assert attestation.horizons_reached == sum(map(len, listed))
