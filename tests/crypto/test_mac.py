import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.keys import Key
from vault.crypto.mac import mac, verify

KEY = Key(bytes(range(32)))
LABEL = "pdvault/v1/example-row"
ROW = (b"t" * 16, "id_0", 3, b"")
FIELDS = st.lists(st.binary(max_size=10) | st.integers(0, 2**64 - 1) | st.text("abc", max_size=10), max_size=5)


def test_authenticates_what_the_document_says(mac_vector, unspell):
    key = Key(bytes.fromhex(mac_vector["authority_key"]))
    fields = [unspell(field) for field in mac_vector["fields"]]
    assert mac(key, mac_vector["label"], *fields).hex() == mac_vector["mac"]
    assert verify(key, bytes.fromhex(mac_vector["mac"]), mac_vector["label"], *fields)


@settings(deadline=None)
@given(FIELDS)
def test_a_row_is_verified_by_its_own_tag(fields):
    tag = mac(KEY, LABEL, *fields)
    assert len(tag) == 32
    assert verify(KEY, tag, LABEL, *fields)


def test_every_damage_to_a_tag_is_refused(damaged):
    tag = mac(KEY, LABEL, *ROW)
    assert [changed.hex() for changed in damaged(tag) if verify(KEY, changed, LABEL, *ROW)] == []


@pytest.mark.parametrize(
    "row",
    [
        (b"u" * 16, "id_0", 3, b""),
        (b"t" * 16, "id_1", 3, b""),
        (b"t" * 16, "id_0", 4, b""),
        (b"t" * 16, "id_0", 3, b"\x00"),
        (b"t" * 16, "id_0", 3),
        (b"t" * 16, "id_0", 3, b"", b""),
        ("id_0", b"t" * 16, 3, b""),
        (b"t" * 15, "tid_0", 3, b""),
    ],
    ids=repr,
)
def test_a_row_with_other_fields_is_refused(row):
    assert not verify(KEY, mac(KEY, LABEL, *ROW), LABEL, *row)


def test_another_tenant_or_kind_of_row_is_refused():
    tag = mac(KEY, LABEL, *ROW)
    assert not verify(Key.generate(), tag, LABEL, *ROW)
    assert not verify(KEY.derive("pdvault/v1/authority"), tag, LABEL, *ROW)
    assert not verify(KEY, tag, LABEL + "s", *ROW)


@pytest.mark.parametrize("tag", [None, "", "0" * 32, 0])
def test_a_tag_of_another_type_is_never_accepted(tag):
    def accepted():
        try:
            return verify(KEY, tag, LABEL, *ROW)
        except TypeError:
            return False

    assert not accepted()
