"""Whoever can edit the database makes a destruction neither take what is in use nor say that a horizon was reached that was not."""

import secrets

import pytest
from tests.rotation.works import Stored, begin_destruction, desk, found, rotate, worker
from tests.use_cases.inside import Inside

from vault.keys.operations import uid_of
from vault.kms.key_manager import KmsIntegrityError
from vault.server.key_worker.destruction import DESTROY, HORIZONS, Destruction
from vault.server.key_worker.held_operation import HeldOperation
from vault.store import tables as t
from vault.store.rows import ErasureRow, TenantKeyRow
from vault.store.sealing import sealed
from vault.store.writes import insert
from vault.v1.subject_service_pb2 import ErasureStatement

_NOT_KEPT = {"request_id": None, "principal_uid": None, "opening": None, "operation_uid": None}


def _live(inside: Inside) -> list[TenantKeyRow]:
    return inside.rows(t.tenant_key, tenant_uid=inside.tenant().uid, state="ACTIVE")


def _edit(inside: Inside, row: TenantKeyRow, **values: object) -> None:
    inside.edit(t.tenant_key, {"tenant_uid": row.tenant_uid, "kind": row.kind, "version": row.version}, **values)


def _erased(inside: Inside) -> ErasureRow:
    """An erasure that is done, under the keys of now."""
    tenant = inside.row(t.tenant, uid=inside.tenant().uid)
    latest = inside.node.key_manager.kek(tenant.uid).latest
    row = ErasureRow(
        tenant_uid=tenant.uid,
        uid=secrets.token_bytes(16),
        subject_uid=secrets.token_bytes(16),
        state="DONE",
        statement=ErasureStatement(kek_versions=[latest]).SerializeToString(),
        epoch=tenant.epoch,
        index_key_version=tenant.index_key_version,
        begin_us=1,
        end_us=2,
        horizon_us=0,
        **_NOT_KEPT,
    )
    row = sealed(inside.keys().authority, row)
    with inside.engine.begin() as connection:
        insert(connection, t.erasure, [row])
    return row


def _oldest(inside: Inside) -> int:
    return inside.node.key_manager.kek(inside.tenant().uid).oldest


def _has_horizon(inside: Inside, erasure: ErasureRow) -> bool:
    return bool(inside.row(t.erasure, tenant_uid=erasure.tenant_uid, uid=erasure.uid).horizon_us)


def test_keys_in_use_that_only_claim_another_kek_version_stop_it(open_vault: Inside) -> None:
    """Edited after the worker has fetched the keys, to be put back once the KEK version that they need is gone."""
    stored, uid, oldest = Stored(open_vault, people=1), open_vault.tenant().uid, _oldest(open_vault)
    live = _live(open_vault)
    latest = open_vault.node.key_manager.kek(uid).latest
    name = begin_destruction(open_vault, latest + 1)
    with desk(open_vault) as one:
        one.administrator.rotate(uid, latest)
        for row in live:
            claimed = row.wrapped[:2] + (latest + 1).to_bytes(4, "big") + row.wrapped[6:]
            _edit(open_vault, row, wrapped=claimed, kek_version=latest + 1)
        open_vault.edit(t.operation, {"uid": uid_of(name)}, state="RUNNING", holder=one.name)
        with pytest.raises(KmsIntegrityError):
            Destruction(HeldOperation(one, open_vault.row(t.operation, uid=uid_of(name))), 1).step()
    for row in live:
        _edit(open_vault, row, wrapped=row.wrapped, kek_version=row.kek_version)
    open_vault.edit(t.operation, {"uid": uid_of(name)}, state="CANCELLED", live_kind=None)
    assert _oldest(open_vault) == oldest
    open_vault.node.keys.clear()
    stored.check()


def test_an_operation_said_to_have_looked_already_looks_again(open_vault: Inside) -> None:
    stored, oldest = Stored(open_vault, people=1), _oldest(open_vault)
    name = begin_destruction(open_vault, open_vault.node.key_manager.kek(open_vault.tenant().uid).latest)
    open_vault.edit(t.operation, {"uid": uid_of(name)}, phase=DESTROY)
    with worker(open_vault) as working:
        working.look()
    assert "epoch key" in found(open_vault, name).error.message
    assert _oldest(open_vault) == oldest
    stored.check()


@pytest.mark.parametrize("how", ["edited", "removed"])
def test_no_horizon_is_reached_while_the_kms_has_the_kek_version(open_vault: Inside, how: str) -> None:
    """Neither rows of keys nor how far an operation says to be bring it about."""
    rotate(open_vault)
    erasure = _erased(open_vault)
    rotate(open_vault)
    ended = open_vault.rows(t.tenant_key, tenant_uid=erasure.tenant_uid, state="RETIRED")
    for row in ended:
        if how == "edited":
            _edit(open_vault, row, state="DESTROYED", kek_version=1)
        else:
            open_vault.remove(t.tenant_key, tenant_uid=row.tenant_uid, kind=row.kind, version=row.version)
    name = begin_destruction(open_vault, 2)
    open_vault.edit(t.operation, {"uid": uid_of(name)}, phase=HORIZONS)
    with worker(open_vault) as working:
        working.look()
    assert found(open_vault, name).done
    assert not _has_horizon(open_vault, erasure)
    with open_vault.engine.begin() as connection:
        if how == "removed":
            insert(connection, t.tenant_key, ended)
    for row in ended:
        _edit(open_vault, row, state=row.state, kek_version=row.kek_version)
    name = begin_destruction(open_vault, max(row.kek_version for row in ended) + 1)
    with worker(open_vault) as working:
        working.look()
    assert found(open_vault, name).done
    assert _has_horizon(open_vault, erasure)
