import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto import fingerprint as hashes
from vault.crypto.fingerprint import deterministic, fingerprint, request_digest, subject_lookup
from vault.crypto.keys import Key

KEY, OTHER_TENANT = Key(bytes(range(32))), Key(bytes(range(1, 33)))
RAW_KEYS = st.binary(min_size=32, max_size=32)
NAMES = st.text("abcdefghij_", min_size=1, max_size=12)
SHORT = st.text("ab", max_size=2)
VALUES = st.tuples(st.sampled_from([KEY, OTHER_TENANT]), SHORT, st.integers(0, 1), SHORT)
"""Few enough that equal ones, and those that differ in one part, come up often."""
SUBJECT = b"s" * 16


def test_hashes_what_the_document_says(keyed_hash_vector, unspell):
    arguments = [unspell(argument) for argument in keyed_hash_vector["arguments"]]
    function, key = getattr(hashes, keyed_hash_vector["function"]), Key(bytes.fromhex(keyed_hash_vector["index_key"]))
    assert function(key, *arguments).hex() == keyed_hash_vector["hash"]


@settings(deadline=None)
@given(VALUES, VALUES)
def test_fingerprints_are_equal_only_for_equal_key_class_version_and_value(one, other):
    def hashed(tenant, name, version, value):
        return fingerprint(tenant, name, version, value.encode())

    assert (hashed(*one) == hashed(*other)) == (one == other)


@settings(deadline=None)
@given(RAW_KEYS, NAMES, st.integers(0, 2**64 - 2), st.binary(max_size=40))
def test_one_difference_is_enough(raw, name, version, value):
    other_raw = bytes([raw[0] ^ 1]) + raw[1:]
    variants = [
        fingerprint(Key(raw), name, version, value),
        fingerprint(Key(other_raw), name, version, value),
        fingerprint(Key(raw), name + "x", version, value),
        fingerprint(Key(raw), name, version + 1, value),
        fingerprint(Key(raw), name, version, value + b"\x00"),
    ]
    assert len(set(variants)) == len(variants)
    assert {len(variant) for variant in variants} == {32}
    assert fingerprint(Key(raw), name, version, value) == variants[0]


def test_class_and_value_cannot_be_shifted_into_each_other():
    assert fingerprint(KEY, "phone", 1, b"8613") != fingerprint(KEY, "phon", 1, b"e8613")


def test_a_subject_is_looked_up_under_another_hash_in_every_tenant():
    assert subject_lookup(KEY, "customer-4711") == subject_lookup(KEY, "customer-4711")
    assert subject_lookup(KEY, "customer-4711") != subject_lookup(KEY, "customer-4712")
    assert subject_lookup(KEY, "customer-4711") != subject_lookup(OTHER_TENANT, "customer-4711")


def test_a_request_is_the_same_only_with_the_same_method_and_body():
    digests = {
        request_digest(KEY, "/a/B", b"xy"),
        request_digest(KEY, "/a/Bx", b"y"),
        request_digest(KEY, "/a/B", b"xz"),
        request_digest(OTHER_TENANT, "/a/B", b"xy"),
    }
    assert len(digests) == 4


@settings(deadline=None)
@given(st.lists(NAMES, max_size=5), st.lists(NAMES, max_size=5))
def test_purposes_count_as_a_set(purposes, others):
    equal = deterministic(KEY, SUBJECT, b"f" * 32, purposes) == deterministic(KEY, SUBJECT, b"f" * 32, others)
    assert equal == (set(purposes) == set(others))


def test_another_subject_value_or_tenant_has_another_deterministic_token():
    found = {
        deterministic(KEY, SUBJECT, b"f" * 32, ["payout"]),
        deterministic(KEY, b"t" * 16, b"f" * 32, ["payout"]),
        deterministic(KEY, SUBJECT, b"g" * 32, ["payout"]),
        deterministic(OTHER_TENANT, SUBJECT, b"f" * 32, ["payout"]),
    }
    assert len(found) == 4


def test_one_name_is_not_taken_for_a_list_of_letters():
    with pytest.raises(TypeError):
        deterministic(KEY, SUBJECT, b"f" * 32, "payout")


def test_no_use_shares_its_key_or_its_message_with_another():
    same_fields = b"\x00" * 16
    assert len({subject_lookup(KEY, "x"), deterministic(KEY, b"x", b"", []), request_digest(KEY, "x", b"")}) == 3
    assert deterministic(KEY, same_fields, b"", ["p"]) != fingerprint(KEY, same_fields.decode(), 0, b"p")
