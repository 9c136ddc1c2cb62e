"""The library primitives that the vault relies on, against the vectors of Project Wycheproof."""

import json

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.crypto.encoding import pack
from vault.crypto.envelope import DecryptionError, unseal
from vault.crypto.keys import Key

HEADER = b"\x01\x01\x00\x00\x00\x01"


@pytest.fixture
def cases(vectors):
    """Loads a file's tests, each with the fields of its group, and checks that none is missing."""

    def load(name):
        content = json.loads((vectors / "wycheproof" / name).read_text("utf-8"))
        tests = [group | test for group in content["testGroups"] for test in group["tests"]]
        assert len(tests) == content["numberOfTests"]
        assert {test["result"] for test in tests} == {"valid", "invalid"}
        return tests

    return load


def unhex(test, *names):
    return [bytes.fromhex(test[name]) for name in names]


def decrypted(test):
    """What AES-GCM makes of the test as the envelope uses it; None if it refuses."""
    key, iv, data, tag, associated_data = unhex(test, "key", "iv", "ct", "tag", "aad")
    try:
        return Key(key).aead.decrypt(iv, data + tag, associated_data)
    except InvalidTag:
        return None


def test_aes_256_gcm_with_96_bit_nonces_agrees_with_every_vector(cases):
    tests = [test for test in cases("aes_gcm_256.json") if test["ivSize"] == 96]
    assert len(tests) == 66
    assert {(test["keySize"], test["tagSize"]) for test in tests} == {(256, 128)}
    expected = {test["tcId"]: test["msg"] if test["result"] == "valid" else None for test in tests}
    found = {test["tcId"]: None if (plain := decrypted(test)) is None else plain.hex() for test in tests}
    assert found == expected


def test_aes_256_gcm_encrypts_to_every_valid_vector(cases):
    tests = [test for test in cases("aes_gcm_256.json") if test["ivSize"] == 96 and test["result"] == "valid"]
    wrong = []
    for test in tests:
        key, iv, message, associated_data = unhex(test, "key", "iv", "msg", "aad")
        if Key(key).aead.encrypt(iv, message, associated_data).hex() != test["ct"] + test["tag"]:
            wrong.append(test["tcId"])
    assert len(tests) == 39
    assert wrong == []


def test_the_envelope_refuses_every_vector_whose_nonce_is_not_96_bits_long(cases):
    """Put behind a header they are refused, even those that the library itself would encrypt."""
    tests = [test for test in cases("aes_gcm_256.json") if test["ivSize"] != 96]
    assert len(tests) == 39
    for test in tests:
        key, iv, data, tag = unhex(test, "key", "iv", "ct", "tag")
        with pytest.raises(DecryptionError):
            unseal(Key(key), HEADER + iv + data + tag, b"")
        if 8 <= len(iv) <= 128:
            bound = pack("pdvault/v1/envelope", HEADER, b"")
            with pytest.raises(DecryptionError):
                unseal(Key(key), HEADER + iv + Key(key).aead.encrypt(iv, b"value", bound), b"")


def test_ed25519_agrees_with_every_vector(cases):
    def verified(test):
        public_key, signature, message = unhex({"pk": test["publicKey"]["pk"]} | test, "pk", "sig", "msg")
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except InvalidSignature:
            return "invalid"
        return "valid"

    tests = cases("ed25519.json")
    assert len(tests) == 151
    assert [test["tcId"] for test in tests if verified(test) != test["result"]] == []
