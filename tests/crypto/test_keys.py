import copy
import dataclasses
import logging
import pickle
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.crypto import keys
from vault.crypto.envelope import DecryptionError, key_version, seal, unseal
from vault.crypto.keys import Key, unwrap, wrap

RAW = bytes(range(0xC0, 0xE0))


@dataclasses.dataclass
class Holder:
    """Something that holds a key, as callers' objects do."""

    key: Key


def test_derives_what_the_document_says(derive_vector):
    derived = Key(bytes.fromhex(derive_vector["key"])).derive(derive_vector["label"])
    assert derived.raw.hex() == derive_vector["derived"]


def test_the_labels_are_those_of_the_document(vectors):
    document = (vectors.parents[1] / "docs" / "formats.md").read_text("utf-8")
    labels = [value for name, value in vars(keys).items() if name.startswith("LABEL_")]
    assert len(labels) == 6
    assert [label for label in labels if document.count(f"`{label}` | AES-256-GCM |") != 1] == []


def test_generated_keys_are_random_in_every_bit():
    numbers = [int.from_bytes(Key.generate().raw, "big") for _ in range(200)]
    ever_one, ever_zero = 0, 0
    for number in numbers:
        ever_one |= number
        ever_zero |= ~number
    assert ever_one == 2**256 - 1
    assert ever_zero & (2**256 - 1) == 2**256 - 1


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_different_labels_derive_different_keys(label, other):
    root = Key(RAW)
    assert (root.derive(label) == root.derive(other)) == (label == other)


def test_a_derived_key_is_kept_and_is_neither_root_nor_that_of_another_root():
    root = Key(RAW)
    assert root.derive("a") is root.derive("a")
    assert root.derive("a") == Key(RAW).derive("a")
    assert root.derive("a") != root
    assert root.derive("a") != Key(bytes(32)).derive("a")
    assert root.derive("a").derive("b") != root.derive("b")


@pytest.mark.parametrize("raw", [b"", RAW[:-1], RAW + b"\x00", bytearray(RAW), RAW.decode("latin-1"), None])
def test_anything_but_32_bytes_is_no_key(raw, spells_out):
    with pytest.raises(ValueError, match="32 bytes") as refused:
        Key(raw)
    assert not spells_out(repr(refused.value), RAW)


def test_keys_compare_by_content_only_with_keys_and_have_no_hash():
    assert Key(RAW) == Key(RAW)
    assert Key(RAW) != Key(RAW[::-1])
    assert Key(RAW) != RAW
    with pytest.raises(TypeError):
        hash(Key(RAW))


def test_no_rendering_of_a_key_shows_it(spells_out, caplog):
    key = Key(RAW)
    key.derive("a").aead  # noqa: B018  # a key that has been used is to show no more than a fresh one
    with caplog.at_level(logging.WARNING):
        logging.getLogger("renders_keys").warning("%s %r %a", key, [key], Holder(key))
    shown = [repr(key), str(key), f"{key}", f"{key!a}", repr([key]), repr(Holder(key)), caplog.text]
    assert repr(key) == "<Key>"
    assert [text for text in shown if "<Key>" not in text or spells_out(text, RAW)] == []
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_is_not_pickled(protocol):
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        pickle.dumps(Holder(Key(RAW)), protocol)


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        lambda key: dataclasses.asdict(Holder(key)),
        lambda key: key.__getstate__(),
        lambda key: key.__reduce__(),
    ],
    ids=["copy", "deepcopy", "asdict", "getstate", "reduce"],
)
def test_a_key_is_not_copied(duplicate):
    with pytest.raises(TypeError):
        duplicate(Key(RAW))


def test_wraps_as_the_document_says(wrapped_key_vector, monkeypatch):
    vector = wrapped_key_vector
    kek, bound = Key(bytes.fromhex(vector["kek"])), bytes.fromhex(vector["associated_data"])
    key = Key(bytes.fromhex(vector["key"]))
    assert unwrap(kek, bytes.fromhex(vector["envelope"]), bound) == key
    monkeypatch.setattr("secrets.token_bytes", {12: bytes.fromhex(vector["nonce"])}.__getitem__)
    assert wrap(kek, vector["key_version"], key, bound).hex() == vector["envelope"]


def test_a_wrapped_key_comes_back_and_says_its_version(key):
    wrapped = wrap(key, 9, Key(RAW), b"place")
    assert unwrap(key, wrapped, b"place") == Key(RAW)
    assert key_version(wrapped) == 9
    assert len(wrapped) == 66


def test_every_damage_to_a_wrapped_key_is_refused(key, damaged):
    def opens(envelope):
        try:
            unwrap(key, envelope, b"place")
        except DecryptionError:
            return False
        return True

    wrapped = wrap(key, 1, Key(RAW), b"place")
    assert opens(wrapped)
    assert [envelope.hex() for envelope in damaged(wrapped) if opens(envelope)] == []


@pytest.mark.parametrize(("kek", "place"), [(Key(RAW), b"place"), (Key(bytes(range(32))), b"other")])
def test_a_wrapped_key_opens_only_for_its_kek_and_place(key, kek, place):
    with pytest.raises(DecryptionError):
        unwrap(kek, wrap(key, 1, Key(RAW), b"place"), place)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_an_envelope_around_anything_but_32_bytes_is_no_wrapped_key(key, length):
    with pytest.raises(DecryptionError):
        unwrap(key, seal(key, 1, bytes(length), b"place"), b"place")


def failures(key):
    """Every way in which a function that takes a key refuses."""
    good = seal(key, 1, b"value", b"place")
    yield lambda: unseal(key, good[:-1] + bytes([good[-1] ^ 1]), b"place")
    yield lambda: unseal(key, b"", b"place")
    yield lambda: unseal(key, good, None)
    yield lambda: unwrap(key, good, b"place")
    yield lambda: seal(key, -1, b"value", b"place")
    yield lambda: seal(key, 1, key.raw * 40_000, b"place")
    yield lambda: seal(key, 1, None, b"place")
    yield lambda: key.derive("\ud800")
    yield lambda: key < key
    yield lambda: key.unknown
    yield lambda: setattr(key, "raw", b"")
    yield lambda: setattr(key, "another", b"")
    yield lambda: copy.copy(key)
    yield lambda: pickle.dumps(key)


@pytest.mark.parametrize("number", range(14))
def test_no_refusal_shows_the_key(number, spells_out):
    key = Key(RAW)
    failure = list(failures(key))[number]
    with pytest.raises(Exception) as refused:  # noqa: PT011  # whatever it is, it must not show the key
        failure()
    shown = [*traceback.format_exception(refused.value), repr(refused.value), repr(refused.value.args)]
    assert [text for text in shown if spells_out(text, RAW)] == []
