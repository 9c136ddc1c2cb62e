"""``pdvault audit verify --database`` after items were sealed anew: the log explains each envelope, and edits are still named."""

import re
from pathlib import Path

import pytest
from tests.audit_verify.vaults import Desk
from tests.harness import context
from tests.rotation.works import attested, rotate, worker
from tests.use_cases.inside import Inside

from vault.store import tables as t
from vault.v1 import key_service_pb2


@pytest.fixture
def desk(open_vault: Inside) -> Desk:
    """A tenant of the test's own, in which there was work of every kind."""
    made = Desk(open_vault)
    made.work()
    return made


def _rekey_all(desk: Desk) -> None:
    request = key_service_pb2.RekeyRequest(context=context("incident"))
    operation = desk.inside.ask(request, "security", desk.name).operation
    with worker(desk.inside) as working:
        working.look()
    assert attested(desk.inside, operation.name, desk.name).done["subjects_rekeyed"]


def test_re_keyed_items_are_at_the_revision_that_callers_have_written(desk: Desk, tmp_path: Path) -> None:
    for _ in range(2):
        _rekey_all(desk)
    desk.integrate()
    found, compared = desk.compared(desk.bundle(), tmp_path)
    assert found == []
    assert compared.tokens == 2


def test_so_are_those_that_a_rotation_has_re_keyed(desk: Desk, tmp_path: Path) -> None:
    assert rotate(desk.inside, desk.name).done["subjects_rekeyed"]
    desk.integrate()
    assert desk.compared(desk.bundle(), tmp_path)[0] == []


def test_an_item_whose_revision_was_edited_is_still_named(desk: Desk, tmp_path: Path) -> None:
    _rekey_all(desk)
    desk.integrate()
    files = desk.bundle()
    item = next(row for row in desk.inside.rows(t.item, tenant_uid=desk.tenant.uid) if row.revision == 3)
    desk.edit(t.item.update().where(t.item.c.uid == item.uid).values(revision=4))
    (found,) = desk.compared(files, tmp_path)[0]
    assert re.fullmatch(
        f"item: {item.uid.hex()} of token [0-9a-f]+ was edited: it is at revision 4, and the log has written 3", found
    )


def test_an_item_that_was_put_back_to_before_its_re_keying_is_named(desk: Desk, tmp_path: Path) -> None:
    before = {row.uid: row for row in desk.inside.rows(t.item, tenant_uid=desk.tenant.uid)}
    _rekey_all(desk)
    desk.integrate()
    files = desk.bundle()
    uid, old = next(iter(before.items()))
    columns = {"envelope": old.envelope, "envelope_sha256": old.envelope_sha256, "store_key_version": old.store_key_version}
    desk.edit(t.item.update().where(t.item.c.uid == uid).values(columns))
    (found,) = desk.compared(files, tmp_path)[0]
    assert re.match(f"item: {uid.hex()} of token [0-9a-f]+ was put back to what entry", found)
