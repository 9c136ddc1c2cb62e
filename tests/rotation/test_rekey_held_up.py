"""A rotation that somebody's rows or somebody's erasure are in the way of comes to an end, and says whose."""

from typing import Any

import pytest
from tests.rotation.works import Stored, begin_rotation, found, rotate, worker
from tests.use_cases.inside import Inside

from vault.server.key_worker import held_up
from vault.store import tables as t


def _due(inside: Inside) -> Any:
    """Somebody of whom something was deleted."""
    return inside.rows(t.subject, tenant_uid=inside.tenant().uid, rekey_due=True)[0]


def _ended(inside: Inside, name: str) -> str:
    """Why a rotation has failed."""
    with worker(inside) as working:
        working.look()
    operation = found(inside, name)
    assert operation.done
    return str(operation.error)


def test_a_damaged_key_keeps_nobody_else_from_being_rekeyed_and_is_named_in_the_end(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=3)
    hurt = _due(open_vault)
    where = {"subject_uid": hurt.uid, "kind": "store"}
    key = open_vault.row(t.subject_key, **where)
    open_vault.edit(t.subject_key, where, wrapped=bytes(66))
    error = _ended(open_vault, begin_rotation(open_vault).name)
    assert "INTEGRITY" in error
    assert "subject keys (1)" in error
    assert hurt.uid.hex() in error
    assert [row.uid for row in open_vault.rows(t.subject, tenant_uid=hurt.tenant_uid, rekey_due=True)] == [hurt.uid]
    open_vault.edit(t.subject_key, where, **key._asdict())
    rotate(open_vault)
    stored.check()


def test_an_erasure_that_is_not_done_for_too_long_ends_the_rotation_and_is_named(
    open_vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored(open_vault, people=2)
    before = _due(open_vault)
    where = {"tenant_uid": before.tenant_uid, "uid": before.uid}
    open_vault.reseal(t.subject, where, state="ERASING")
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        working.look()
    assert not found(open_vault, name).done
    monkeypatch.setattr(held_up, "ERASING_PATIENCE_S", 0.0)
    error = _ended(open_vault, name)
    assert "WRONG_STATE" in error
    assert before.uid.hex() in error
    open_vault.reseal(t.subject, where, state="ACTIVE")
    assert rotate(open_vault).retired_epochs
    stored.check()
