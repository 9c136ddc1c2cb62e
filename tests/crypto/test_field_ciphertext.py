from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.envelope import DecryptionError
from vault.crypto.field_ciphertext import (
    MAX_CALLER_DATA_BYTES,
    MAX_CIPHERTEXT_BYTES,
    FieldKey,
    Header,
    read_header,
    seal_field,
    unseal_field,
)
from vault.crypto.keys import Key

A, B, C, D = (bytes([digit]) * 16 for digit in b"abcd")
KEY = FieldKey(A, B, C, 1, Key(bytes(range(32))))
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True)
CALLER_DATA = st.none() | st.binary(max_size=60)
OPENER = ("tenant_uid", "subject_uid", "key_id")


def opens(ciphertext: bytes, caller_data: bytes | None = None, key: FieldKey = KEY) -> bool:
    """Whether the ciphertext is accepted; any refusal but the generic one is an error of the test."""
    try:
        unseal_field(key, ciphertext, caller_data)
    except DecryptionError:
        return False
    return True


def key_of(vector):
    """The field key that a vector was made with."""
    return FieldKey(*(bytes.fromhex(vector[name]) for name in OPENER), vector["version"], Key(bytes.fromhex(vector["key"])))


def caller_data_of(vector):
    """What a vector was bound to; None if to nothing."""
    return None if vector["caller_data"] is None else bytes.fromhex(vector["caller_data"])


def test_opens_what_an_independent_writer_sealed(field_ciphertext_vector):
    vector, ciphertext = field_ciphertext_vector, bytes.fromhex(field_ciphertext_vector["ciphertext"])
    assert unseal_field(key_of(vector), ciphertext, caller_data_of(vector)).hex() == vector["plaintext"]
    purposes, is_bound = tuple(vector["purposes"].split(",")), vector["caller_data"] is not None
    said = Header(bytes.fromhex(vector["key_id"]), vector["data_class"], purposes, is_bound, vector["ill_formed"])
    assert read_header(ciphertext) == said


def test_seals_what_the_document_says(field_ciphertext_vector, monkeypatch):
    vector = field_ciphertext_vector
    monkeypatch.setattr("secrets.token_bytes", {12: bytes.fromhex(vector["nonce"])}.__getitem__)
    purposes, plaintext = vector["purposes"].split(",")[::-1], bytes.fromhex(vector["plaintext"])
    said = {"caller_data": caller_data_of(vector), "ill_formed": vector["ill_formed"]}
    ciphertext = seal_field(key_of(vector), vector["data_class"], purposes * 2, plaintext, **said)
    assert ciphertext.hex() == vector["ciphertext"]


def test_refuses_what_the_vectors_say(field_ciphertext_refused_vector):
    vector = field_ciphertext_refused_vector
    with pytest.raises(DecryptionError):
        unseal_field(key_of(vector), bytes.fromhex(vector["ciphertext"]), caller_data_of(vector))


@settings(deadline=None)
@given(NAMES, st.sets(NAMES, min_size=1, max_size=16), st.binary(max_size=300), CALLER_DATA, st.booleans())
def test_what_was_sealed_comes_back(data_class, purposes, plaintext, caller_data, ill_formed):
    ciphertext = seal_field(KEY, data_class, list(purposes), plaintext, caller_data=caller_data, ill_formed=ill_formed)
    assert unseal_field(KEY, ciphertext, caller_data) == plaintext
    assert read_header(ciphertext) == (C, data_class, tuple(sorted(purposes)), caller_data is not None, ill_formed)
    assert len(ciphertext) == len(plaintext) + len(data_class) + len(",".join(purposes)) + 50


@settings(deadline=None)
@given(CALLER_DATA, CALLER_DATA)
def test_a_ciphertext_opens_only_with_what_it_was_bound_to_and_none_is_not_empty(caller_data, other):
    assert opens(seal_field(KEY, "email", ["payout"], b"value", caller_data=caller_data), other) == (caller_data == other)


@pytest.mark.parametrize("caller_data", [None, b"", b"row 17"])
@pytest.mark.parametrize("plaintext", [b"", b"\x01li.na@example.org"])
def test_every_damage_is_refused(plaintext, caller_data, damaged):
    ciphertext = seal_field(KEY, "email", ["billing", "payout"], plaintext, caller_data=caller_data)
    assert opens(ciphertext, caller_data)
    for given_data in {caller_data, None, b""}:
        assert [changed.hex() for changed in damaged(ciphertext) if opens(changed, given_data)] == []


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    assert not opens(data)
    assert not opens(b"\x01\x01" + C + data)


@pytest.mark.parametrize(
    "other",
    [{"tenant_uid": D}, {"subject_uid": D}, {"key_id": D}, {"version": 2}, {"key": Key.generate()}],
    ids=lambda o: next(iter(o)),
)
def test_another_place_or_key_is_refused(other):
    ciphertext = seal_field(KEY, "email", ["payout"], b"value")
    assert opens(ciphertext)
    assert not opens(ciphertext, key=replace(KEY, **other))


def test_neither_names_nor_caller_data_can_be_shifted_into_each_other():
    ciphertext = seal_field(KEY, "email", ["payout"], b"value", caller_data=b"row")
    with_class_shorter = ciphertext[:19] + b"\x04emai" + ciphertext[24:]
    assert not opens(with_class_shorter, b"row")
    assert not opens(ciphertext, b"\x00\x00\x00\x03row")
    assert not opens(ciphertext[:18] + b"\x00" + ciphertext[19:])


def test_nonces_never_repeat():
    ciphertexts = [seal_field(KEY, "email", ["payout"], b"value") for _ in range(500)]
    assert len({ciphertext[33:45] for ciphertext in ciphertexts}) == 500
    assert {ciphertext[:33] for ciphertext in ciphertexts} == {ciphertexts[0][:33]}


def test_the_largest_plaintext_fits_and_one_byte_more_does_not():
    largest = bytes(MAX_CIPHERTEXT_BYTES - 61)
    ciphertext = seal_field(KEY, "email", ["payout"], largest)
    assert len(ciphertext) == MAX_CIPHERTEXT_BYTES == 1_114_112
    assert unseal_field(KEY, ciphertext) == largest
    with pytest.raises(ValueError, match="at most 1114112 bytes"):
        seal_field(KEY, "email", ["payout"], largest + b"\x00")
    assert not opens(ciphertext + b"\x00")


@pytest.mark.parametrize(
    ("data_class", "purposes"),
    [
        ("", ["payout"]),
        ("Email", ["payout"]),
        ("e" * 65, ["payout"]),
        ("email\n", ["payout"]),
        ("email\ud800", ["payout"]),
        ("email", []),
        ("email", [""]),
        ("email", ["a,b"]),
        ("email", ["pay out"]),
        ("email", ["p" * 65]),
        ("email", [f"p{n}" for n in range(17)]),
    ],
)
def test_what_is_no_name_is_never_sealed(data_class, purposes):
    with pytest.raises(ValueError, match=r"names|surrogate"):
        seal_field(KEY, data_class, purposes, b"value")


def test_caller_data_is_bounded():
    largest = bytes(MAX_CALLER_DATA_BYTES)
    assert opens(seal_field(KEY, "email", ["payout"], b"value", caller_data=largest), largest)
    with pytest.raises(ValueError, match="at most 4096 bytes"):
        seal_field(KEY, "email", ["payout"], b"value", caller_data=largest + b"\x00")


@pytest.mark.parametrize("wrong", [{"tenant_uid": b"short"}, {"subject_uid": b""}, {"key_id": b"x" * 17}, {"version": -1}])
def test_a_place_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"16 bytes|version"):
        replace(KEY, **wrong)


def test_every_refusal_says_the_same():
    ciphertext = seal_field(KEY, "email", ["payout"], b"value")
    messages = set()
    for data in (b"", b"\x02" + ciphertext[1:], ciphertext[:-1], ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])):
        with pytest.raises(DecryptionError) as refused:
            unseal_field(KEY, data)
        messages.add(str(refused.value))
    assert len(messages) == 1
