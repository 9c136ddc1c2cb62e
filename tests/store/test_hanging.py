"""What hangs on a tenant's keys is listed in one place, and all of it is."""

from vault.store import tables as t
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
