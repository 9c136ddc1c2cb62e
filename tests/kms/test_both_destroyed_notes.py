"""What holds of the notes of destroyed keys, wherever they lie: written once, listed whole, forgotten by the key worker."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.kms.arguments import MAX_DESTROYED_BYTES
from vault.kms.key_manager import KmsIntegrityError

ONE, TWO = b"1" * 16, b"2" * 16


def test_what_was_noted_is_listed_by_every_node(kms):
    tenant = kms.tenant()
    assert kms.manager.destroyed(tenant) == {}
    kms.manager.note_destroyed(tenant, ONE, '{"key_ids": []}')
    kms.manager.note_destroyed(tenant, TWO, "ß" * 100)
    expected = {ONE: '{"key_ids": []}', TWO: "ß" * 100}
    assert kms.manager.destroyed(tenant) == kms.another().destroyed(tenant) == expected
    assert kms.manager.noted(tenant) == kms.another().noted(tenant) == expected.keys()


def test_one_note_is_read_by_itself(kms):
    tenant, other = kms.tenant(), kms.tenant()
    kms.manager.note_destroyed(tenant, ONE, "one")
    kms.manager.note_destroyed(tenant, TWO, "two")
    assert [kms.another().destroyed_by(tenant, uid) for uid in (ONE, TWO, bytes(16))] == ["one", "two", None]
    assert kms.manager.destroyed_by(other, ONE) is None
    kms.administrator.forget_destroyed(tenant, [ONE])
    assert kms.manager.destroyed_by(tenant, ONE) is None
    for wrong in (b"", b"1" * 15, b"1" * 17):
        with pytest.raises(ValueError, match="16 bytes"):
            kms.manager.destroyed_by(tenant, wrong)


def test_each_tenant_has_notes_of_its_own(kms):
    tenants = [kms.tenant(), kms.tenant()]
    for tenant in tenants:
        kms.manager.note_destroyed(tenant, ONE, tenant.hex())
    assert [kms.manager.destroyed(tenant) for tenant in tenants] == [{ONE: tenant.hex()} for tenant in tenants]


def test_the_same_text_again_is_no_error_and_another_is_refused(kms):
    tenant = kms.tenant()
    for _ in range(3):
        kms.manager.note_destroyed(tenant, ONE, "text")
    for other in ("other", "text ", "tex"):
        with pytest.raises(KmsIntegrityError, match="something else"):
            kms.another().note_destroyed(tenant, ONE, other)
    assert kms.manager.destroyed(tenant) == {ONE: "text"}


def test_of_many_writers_at_once_one_text_wins(kms):
    tenant = kms.tenant()
    managers = [kms.another() for _ in range(4)]

    def write(number):
        try:
            managers[number % 4].note_destroyed(tenant, ONE, f"text {number}")
        except KmsIntegrityError:
            return None
        return f"text {number}"

    with ThreadPoolExecutor(8) as pool:
        written = [text for text in pool.map(write, range(16)) if text]
    assert list(kms.manager.destroyed(tenant).values()) == written


def test_a_note_has_1_byte_to_64_kib(kms):
    tenant = kms.tenant()
    longest = "ß" * (MAX_DESTROYED_BYTES // 2)
    kms.manager.note_destroyed(tenant, ONE, longest)
    for wrong in ("", longest + "x", "\ud800"):
        with pytest.raises(ValueError, match=r"bytes|encode"):
            kms.manager.note_destroyed(tenant, TWO, wrong)
    assert kms.manager.destroyed(tenant) == {ONE: longest}


@pytest.mark.parametrize("wrong", [b"", bytes(15), bytes(17), "1" * 16])
def test_what_is_no_erasure_uid_is_refused(kms, wrong):
    tenant = kms.tenant()
    with pytest.raises(ValueError, match="erasure uid"):
        kms.manager.note_destroyed(tenant, wrong, "text")
    assert kms.manager.destroyed(tenant) == {}


def test_the_key_worker_has_the_notes_forgotten_that_it_names_and_no_others(kms):
    tenant, other = kms.tenant(), kms.tenant()
    kms.manager.note_destroyed(other, ONE, "of another tenant")
    kms.manager.note_destroyed(tenant, ONE, "old")
    kms.manager.note_destroyed(tenant, TWO, "new")
    assert [kms.administrator.forget_destroyed(tenant, [ONE, bytes(16)]) for _ in range(2)] == [1, 0]
    assert kms.manager.destroyed(tenant) == {TWO: "new"}
    assert kms.manager.destroyed(other) == {ONE: "of another tenant"}
    assert kms.administrator.forget_destroyed(tenant, []) == 0
    assert kms.administrator.forget_destroyed(tenant, [TWO]) == 1
    assert kms.manager.destroyed(tenant) == {}


def test_many_notes_are_listed(kms):
    tenant = kms.tenant()
    noted = {secrets.token_bytes(16): f"text {number}" for number in range(50)}
    for uid, text in noted.items():
        kms.manager.note_destroyed(tenant, uid, text)
    assert kms.manager.destroyed(tenant) == noted
