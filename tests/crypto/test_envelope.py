from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto.encoding import pack
from vault.crypto.envelope import (
    MAX_ENVELOPE_BYTES,
    MAX_PLAINTEXT_BYTES,
    DecryptionError,
    key_version,
    seal,
    unseal,
)
from vault.crypto.keys import Key

KEY = Key(bytes(range(32)))
VERSIONS = st.integers(0, 2**32 - 1)


def opens(envelope: bytes, associated_data: bytes, key: Key = KEY) -> bool:
    """Whether the envelope is accepted; any refusal but the generic one is an error of the test."""
    try:
        unseal(key, envelope, associated_data)
    except DecryptionError:
        return False
    return True


def test_opens_what_an_independent_writer_sealed(envelope_vector):
    key, envelope, bound = (bytes.fromhex(envelope_vector[name]) for name in ("key", "envelope", "associated_data"))
    opened = unseal(Key(key), envelope, bound)
    assert opened.hex() == envelope_vector["plaintext"]
    assert key_version(envelope) == envelope_vector["key_version"]


def test_seals_what_the_document_says(envelope_vector, monkeypatch):
    monkeypatch.setattr("secrets.token_bytes", {12: bytes.fromhex(envelope_vector["nonce"])}.__getitem__)
    key, plaintext, bound = (bytes.fromhex(envelope_vector[name]) for name in ("key", "plaintext", "associated_data"))
    assert seal(Key(key), envelope_vector["key_version"], plaintext, bound).hex() == envelope_vector["envelope"]


def test_refuses_what_the_vectors_say(envelope_refused_vector):
    vector = envelope_refused_vector
    key, envelope, bound = (bytes.fromhex(vector[name]) for name in ("key", "envelope", "associated_data"))
    with pytest.raises(DecryptionError):
        unseal(Key(key), envelope, bound)


@settings(deadline=None)
@given(VERSIONS, st.binary(max_size=300), st.binary(max_size=100))
def test_what_was_sealed_comes_back(version, plaintext, associated_data):
    envelope = seal(KEY, version, plaintext, associated_data)
    assert unseal(KEY, envelope, associated_data) == plaintext
    assert key_version(envelope) == version
    assert len(envelope) == len(plaintext) + 34


@settings(deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_envelope_opens_only_for_what_it_was_bound_to(associated_data, other):
    assert opens(seal(KEY, 1, b"value", associated_data), other) == (associated_data == other)


@pytest.mark.parametrize("plaintext", [b"", b"v", b"\x01li.na@example.org"])
def test_every_damage_is_refused(plaintext, damaged):
    envelope = seal(KEY, 0x01020304, plaintext, b"place")
    assert opens(envelope, b"place")
    assert [changed.hex() for changed in damaged(envelope) if opens(changed, b"place")] == []


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    assert not opens(data, b"place")
    assert not opens(b"\x01\x01" + data, b"place")


def test_another_key_is_refused():
    envelope = seal(KEY, 1, b"value", b"place")
    assert not opens(envelope, b"place", Key.generate())
    assert not opens(envelope, b"place", KEY.derive("pdvault/v1/key/item"))


def test_header_and_associated_data_cannot_be_shifted_into_each_other():
    envelope = seal(KEY, 1, b"value", b"\x00place")
    assert not opens(envelope, b"place")
    assert not opens(envelope, envelope[:6] + b"\x00place")


@pytest.mark.parametrize("iv_bytes", [8, 11, 13, 16, 24, 32])
def test_a_nonce_of_another_length_is_refused(iv_bytes):
    header, iv = b"\x01\x01\x00\x00\x00\x01", bytes(range(iv_bytes))

    def sealed(nonce: bytes) -> bytes:
        return header + nonce + KEY.aead.encrypt(nonce, b"value", pack("pdvault/v1/envelope", header, b"place"))

    assert opens(sealed(bytes(12)), b"place")
    assert not opens(sealed(iv), b"place")


def test_nonces_are_random_in_every_bit_and_never_repeat():
    nonces = [int.from_bytes(seal(KEY, 1, b"", b"")[6:18], "big") for _ in range(500)]
    ever_one, ever_zero = 0, 0
    for nonce in nonces:
        ever_one |= nonce
        ever_zero |= ~nonce
    assert len(set(nonces)) == len(nonces)
    assert ever_one == ever_zero & (2**96 - 1) == 2**96 - 1


def test_the_largest_plaintext_fits_and_one_byte_more_does_not():
    largest = bytes(MAX_PLAINTEXT_BYTES)
    envelope = seal(KEY, 1, largest, b"")
    assert len(envelope) == MAX_ENVELOPE_BYTES == 1_114_112
    assert unseal(KEY, envelope, b"") == largest
    with pytest.raises(ValueError, match="at most 1114078 bytes"):
        seal(KEY, 1, largest + b"\x00", b"")


def test_an_envelope_over_the_limit_is_refused_although_its_tag_fits():
    header, nonce = b"\x01\x01\x00\x00\x00\x01", bytes(12)
    bound = pack("pdvault/v1/envelope", header, b"")
    too_long = header + nonce + KEY.aead.encrypt(nonce, bytes(MAX_PLAINTEXT_BYTES + 1), bound)
    assert not opens(too_long, b"")
    with pytest.raises(DecryptionError):
        key_version(too_long)


@pytest.mark.parametrize("version", [-1, 2**32])
def test_a_key_version_that_does_not_fit_is_refused(version):
    with pytest.raises(ValueError, match="key_version"):
        seal(KEY, version, b"", b"")


def test_an_unknown_version_or_algorithm_is_refused_although_its_tag_fits():
    def sealed(version: int, algorithm: int) -> bytes:
        header, nonce = bytes([version, algorithm, 0, 0, 0, 1]), bytes(12)
        bound = pack("pdvault/v1/envelope", header, b"place")
        return header + nonce + KEY.aead.encrypt(nonce, b"value", bound)

    pairs = [(version, 1) for version in range(256)] + [(1, algorithm) for algorithm in range(256)]
    assert {pair for pair in pairs if opens(sealed(*pair), b"place")} == {(1, 1)}
    for unknown in (sealed(2, 1), sealed(1, 2), sealed(0, 0)):
        with pytest.raises(DecryptionError):
            key_version(unknown)


def test_every_refusal_says_the_same():
    envelope = seal(KEY, 1, b"value", b"place")
    messages = set()
    for data in (b"", b"\x02" + envelope[1:], envelope[:-1], envelope[:-1] + bytes([envelope[-1] ^ 1])):
        with pytest.raises(DecryptionError) as refused:
            unseal(KEY, data, b"place")
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_threads_may_share_a_key():
    root = Key.generate()

    def round_trips(number: int) -> bool:
        value, place = b"%d" % number * 50, b"%d" % number
        key = root.derive("pdvault/v1/key/item")
        return unseal(key, seal(key, number, value, place), place) == value

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trips, range(2000)))
