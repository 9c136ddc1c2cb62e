import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.encoding import EncodingError
from vault.crypto.plaintext import PlaintextError, decode, encode

VALUES = st.binary(max_size=100) | st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


def test_encodes_what_the_document_says(plaintext_vector, unspell):
    value = unspell(plaintext_vector["value"])
    assert encode(value).hex() == plaintext_vector["encoded"]
    assert decode(bytes.fromhex(plaintext_vector["encoded"])) == value


def test_refuses_what_the_vectors_say(plaintext_refused_vector):
    with pytest.raises(PlaintextError):
        decode(bytes.fromhex(plaintext_refused_vector["encoded"]))


@settings(deadline=None)
@given(VALUES)
def test_a_value_comes_back_with_its_type(value):
    decoded = decode(encode(value))
    assert decoded == value
    assert type(decoded) is type(value)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_whatever_is_decoded_encodes_to_the_same_bytes(data):
    try:
        value = decode(data)
    except PlaintextError:
        return
    assert encode(value) == data


def test_every_type_but_text_and_bytes_is_refused():
    def is_known(kind):
        try:
            decode(bytes([kind]) + b"abc")
        except PlaintextError:
            return False
        return True

    assert [kind for kind in range(256) if is_known(kind)] == [1, 2]


@pytest.mark.parametrize(
    ("refuse", "error"),
    [
        (lambda: decode(b"\x01li.na@example.org\xff"), PlaintextError),
        (lambda: decode(b"\x07li.na@example.org"), PlaintextError),
        (lambda: encode("li.na@example.org\ud800"), EncodingError),
    ],
    ids=["not UTF-8", "unknown type", "surrogate"],
)
def test_no_refusal_carries_the_value(refuse, error):
    with pytest.raises(error) as refused:
        refuse()
    assert "li.na" not in repr(refused.value)
    assert "'li.na" not in "".join(traceback.format_exception_only(refused.value))
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
