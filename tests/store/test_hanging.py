"""What hangs on a tenant's keys is listed in one place, and all of it is; so is what goes with a person."""

from vault.server.key_worker import rotation
from vault.store import tables as t
from vault.store.erasing import LEFT
from vault.store.hanging import ON_EPOCHS, ON_INDEX_KEYS
from vault.store.rotation.census import Census

_NOT_HANGING = {t.tenant, t.erasure}
"""Their columns name current keys: of now, and of the time of an erasure."""


def _noting(name: str) -> set[str]:
    return {table.name for table in t.metadata.sorted_tables if name in table.c and table not in _NOT_HANGING}


def test_every_row_that_notes_an_epoch_or_an_index_key_hangs_on_it() -> None:
    assert {each.table.name for each in ON_EPOCHS if each.noted is not None} == _noting("epoch")
    assert {each.table.name for each in ON_INDEX_KEYS} == _noting("index_key_version")


def test_whatever_hangs_on_a_key_is_counted_before_it_goes() -> None:
    assert [each.kind for each in (*ON_EPOCHS, *ON_INDEX_KEYS)] == [kind for kind in Census._fields if kind != "rekey_due"]


def test_whatever_hangs_on_a_key_is_moved_by_a_phase_of_a_rotation() -> None:
    moved = {kind for phase, kind in rotation._KINDS.items() if phase != rotation.REKEY}
    assert moved == {each.kind for each in (*ON_EPOCHS, *ON_INDEX_KEYS)}


def test_every_row_that_names_whose_it_is_goes_with_them_but_that_of_their_erasure() -> None:
    assert {table.name for table in t.metadata.sorted_tables if "subject_uid" in table.c and table is not t.erasure} == {
        table.name for table in LEFT
    }
