import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.encoding import EncodingError, decode_base64url, pack, utf8

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS = st.lists(st.binary(max_size=20), max_size=6)


def test_packs_what_the_document_says(pack_vector, unspell):
    fields = [unspell(field) for field in pack_vector["fields"]]
    assert pack(pack_vector["label"], *fields).hex() == pack_vector["packed"]


@settings(deadline=None)
@given(TEXT, FIELDS, TEXT, FIELDS)
def test_two_lists_are_packed_alike_only_if_they_are_equal(label, fields, other_label, other_fields):
    packed_alike = pack(label, *fields) == pack(other_label, *other_fields)
    assert packed_alike == ((label, fields) == (other_label, other_fields))


@settings(deadline=None)
@given(TEXT, FIELDS)
def test_a_reader_finds_every_field_again(label, fields):
    data, found = pack(label, *fields), []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        found.append(data[4:end])
        data = data[end:]
    assert found == [label.encode(), *fields]


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.data())
def test_moving_the_border_between_two_fields_changes_the_bytes(content, data):
    cut, other_cut = (data.draw(st.integers(0, len(content))) for _ in range(2))
    same = pack("l", content[:cut], content[cut:]) == pack("l", content[:other_cut], content[other_cut:])
    assert same == (cut == other_cut)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_different_numbers_are_packed_differently(number, other):
    assert (pack("l", number) == pack("l", other)) == (number == other)


@pytest.mark.parametrize("number", [-1, 2**64, -(2**70), 2**70])
def test_a_number_that_does_not_fit_is_refused(number):
    with pytest.raises(EncodingError) as refused:
        pack("l", number)
    assert str(number) not in str(refused.value)


@pytest.mark.parametrize("field", [True, None, 1.0, bytearray(b"x"), memoryview(b"x"), ("x",)], ids=lambda x: type(x).__name__)
def test_a_field_of_another_type_is_refused(field):
    with pytest.raises(TypeError):
        pack("l", field)


@pytest.mark.parametrize("encode", [utf8, pack, lambda text: pack("l", text)], ids=["utf8", "label", "field"])
def test_text_without_utf8_form_is_refused_and_not_carried_along(encode):
    with pytest.raises(EncodingError) as refused:
        encode("Li Na \ud800")
    assert "Li Na" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_base64url_is_read_as_it_is_written(data):
    assert decode_base64url(base64.urlsafe_b64encode(data).decode()) == data


@pytest.mark.parametrize("text", ["A", "AA", "AA=", "AB==", "AAAA=", "AA==\n", " AAAA", "AA+/", "AÄAA", "\ud800AAA"])
def test_any_other_spelling_of_base64url_is_refused(text):
    with pytest.raises(EncodingError, match="base64url"):
        decode_base64url(text)
