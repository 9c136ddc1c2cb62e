"""docs/formats-kms.md is true: its examples, and a reader written from the page alone."""

import hmac
import re
import struct
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from tests.kms.keyring_of_version_1 import content as content_of_version_1

from vault.crypto.envelope import seal
from vault.crypto.keys import Key
from vault.kms.key_manager import Anchored, KmsIntegrityError
from vault.kms.local import destroyed, keyring_v1
from vault.kms.local.anchors import KEY_LABEL, Anchors
from vault.kms.local.anchors import decode as decode_anchors
from vault.kms.local.anchors import encode as encode_anchors
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring import KekVersion, Keyring, KeyringFormatError, TenantEntry, decode, encode
from vault.kms.local.keyring_sealing import seal_keyring, unseal_keyring
from vault.kms.local.keyring_secret import Argon2Parameters, Passphrase, RawKey

PAGE = Path(__file__).parents[2] / "docs" / "formats-kms.md"
WORDS = b"correct horse battery staple"
MADE_US = 1_795_330_151_000_000


@pytest.fixture(scope="module")
def examples():
    """The page's examples: name → field → bytes."""
    found = {}
    for name, block in re.findall(r"^```vector (\S+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            content = line.split(";")[0]
            if "=" in content:
                field, content = content.split("=", 1)
                fields = found.setdefault(name, {})
                fields[field.strip()] = ""
            fields[field.strip()] += content.strip()
    return found


def raw(example, field):
    return bytes.fromhex(example[field])


def pack(label, *fields):
    return b"".join(struct.pack(">I", len(part)) + part for part in (label.encode(), *fields))


def hkdf(key, info):
    return HKDF(SHA256(), 32, None, info).derive(key)


def open_envelope(key, envelope, bound):
    return AESGCM(key).decrypt(envelope[6:18], envelope[18:], pack("pdvault/v1/envelope", envelope[:6], bound))


def file_with(path, keyring, key):
    path.touch(mode=0o600)
    path.write_bytes(seal_keyring(keyring, key, None))
    return LocalKeyManager(path, key)


KEYS = st.binary(min_size=32, max_size=32).map(Key)
TIMES = st.integers(0, 2**64 - 1)


@st.composite
def entries(draw, times, imported):
    keks = draw(st.dictionaries(st.integers(1, 2**32 - 1), st.builds(KekVersion, KEYS, times), min_size=1, max_size=4))
    return TenantEntry(max(keks), draw(st.integers(1, max(keks))), keks, draw(KEYS), draw(imported))


TENANTS = st.dictionaries(st.binary(min_size=16, max_size=16), entries(TIMES, st.booleans()), max_size=4)


def in_order(tenants):
    return dict(sorted(tenants.items()))


TENANTS_OF_VERSION_1 = st.dictionaries(st.binary(min_size=16, max_size=16), entries(st.just(0), st.just(False)), max_size=4)


@pytest.fixture
def example_keyring(examples):
    example = examples["keyring-file"]
    entry = TenantEntry(3, 3, {3: KekVersion(Key(raw(example, "kek")), MADE_US)}, Key(raw(example, "log_seed")), imported=True)
    return Keyring(int(example["generation"]), {raw(example, "tenant"): entry})


def test_the_pages_keyring_file_is_read_as_the_page_says(examples, example_keyring):
    example = examples["keyring-file"]
    keyring, parameters = unseal_keyring(raw(example, "file"), raw_key(raw(example, "key")))
    assert keyring == example_keyring
    assert parameters is None
    assert encode(keyring.tenants) == raw(example, "content")


def test_the_pages_keyring_of_version_1_is_read_as_one_that_tells_less(examples, example_keyring):
    example = examples["keyring-file-1"]
    keyring, _ = unseal_keyring(raw(example, "file"), raw_key(raw(example, "key")))
    ((uid, entry),) = example_keyring.tenants.items()
    keks = {version: replace(kek, made_us=0) for version, kek in entry.keks.items()}
    assert keyring == Keyring(2, {uid: replace(entry, keks=keks, imported=False)})


@given(TENANTS_OF_VERSION_1)
def test_a_content_of_version_1_is_read_as_a_writer_by_the_page_wrote_it(tenants):
    assert keyring_v1.decode(content_of_version_1(in_order(tenants))) == tenants


@given(st.binary(max_size=400))
def test_arbitrary_content_of_version_1_is_read_back_to_itself_or_refused(content):
    try:
        tenants = keyring_v1.decode(content)
    except KeyringFormatError:
        return
    assert content_of_version_1(tenants) == content


@given(TENANTS_OF_VERSION_1.filter(bool), st.data())
def test_content_of_version_1_that_is_shortened_lengthened_or_out_of_order_is_refused(tenants, data):
    content = content_of_version_1(in_order(tenants))
    wrong = [content[: data.draw(st.integers(0, len(content) - 1))], content + b"\0"]
    if len(tenants) > 1:
        wrong.append(content_of_version_1(dict(reversed(in_order(tenants).items()))))
    for each in wrong:
        with pytest.raises(KeyringFormatError):
            keyring_v1.decode(each)


def test_the_pages_note_of_destroyed_keys_is_read_and_written_as_the_page_says(examples, example_keyring, keyring_path):
    example = examples["local-destroyed-note"]
    tenant, erasure, root = raw(example, "tenant"), raw(example, "erasure"), raw(example, "key")
    manager = file_with(keyring_path, example_keyring, raw_key(root))
    folder = keyring_path.with_name("keyring.destroyed") / tenant.hex()
    folder.mkdir(parents=True, mode=0o700)
    (folder / erasure.hex()).touch(mode=0o600)
    (folder / erasure.hex()).write_bytes(raw(example, "file"))
    assert manager.destroyed(tenant) == {erasure: raw(example, "text").decode()}
    key = Key(root).derive(destroyed.KEY_LABEL)
    assert destroyed.encode(destroyed.StoredNote('{"key_ids":[]}', MADE_US), tenant, erasure, key) == raw(example, "file")


def raw_key(key):
    return RawKey(b64encode(key))


def test_the_pages_wrapped_key_is_read_as_the_page_says(examples, example_keyring, keyring_path):
    example = examples["local-wrapped-key"]
    manager = file_with(keyring_path, example_keyring, raw_key(bytes(32)))
    blob, context, tenant = (raw(example, field) for field in ("envelope", "context", "tenant"))
    assert manager.unwrap(tenant, [(blob, context)]) == [Key(raw(example, "key"))]


def test_a_reader_written_from_the_page_opens_what_the_vault_wraps(examples, example_keyring, keyring_path):
    example = examples["local-wrapped-key"]
    tenant, context, key = raw(example, "tenant"), b"any context", Key.generate()
    manager = file_with(keyring_path, example_keyring, raw_key(bytes(32)))
    (wrapped,) = manager.wrap(tenant, [(key, context)])
    bound = pack("pdvault/v1/local-kek", tenant, context)
    assert wrapped.kek_version == struct.unpack(">I", wrapped.blob[2:6])[0] == 3
    assert len(wrapped.blob) == 66
    assert open_envelope(hkdf(raw(example, "kek"), bound), wrapped.blob, bound) == key.raw


@pytest.mark.parametrize("by_passphrase", [False, True])
def test_a_reader_written_from_the_page_opens_the_vaults_keyring(example_keyring, by_passphrase):
    parameters = Argon2Parameters(salt=bytes(range(16)), memory_kib=7168, passes=2, lanes=3) if by_passphrase else None
    data = seal_keyring(example_keyring, Passphrase(WORDS) if by_passphrase else raw_key(bytes(32)), parameters)
    magic, version, sealing, generation, memory, passes, lanes, salt = struct.unpack_from(">8sBBQIIB16s", data)
    assert (magic, version, sealing, generation) == (b"pdvkring", 2, 1 if by_passphrase else 2, 2)
    root = bytes(32)
    if by_passphrase:
        root = hash_secret_raw(WORDS, salt, passes, memory, lanes, 32, Type.ID, version=0x13)
    else:
        assert data[18:43] == bytes(25)
    content = open_envelope(hkdf(root, b"pdvault/v1/key/keyring"), data[43:], pack("pdvault/v1/keyring", data[:43]))
    assert content == encode(example_keyring.tenants)


@pytest.mark.parametrize(
    ("at", "wrong"),
    [(0, b"q"), (8, b"\0"), (8, b"\3"), (9, b"\1"), (9, b"\3"), (10, bytes(8)), (18, b"\1"), (22, b"\1"), (26, b"\1"), (42, b"\1")],
)
def test_a_header_that_the_page_forbids_is_refused_even_if_authentic(example_keyring, at, wrong):
    header = struct.pack(">8sBBQIIB16s", b"pdvkring", 2, 2, 1, 0, 0, 0, bytes(16))
    content = encode(example_keyring.tenants)

    def file(header):
        key = Key(bytes(32)).derive("pdvault/v1/key/keyring")
        return header + seal(key, 0, content, pack("pdvault/v1/keyring", header))

    assert unseal_keyring(file(header), raw_key(bytes(32)))[0].tenants == example_keyring.tenants
    with pytest.raises(KmsIntegrityError):
        unseal_keyring(file(header[:at] + wrong + header[at + len(wrong) :]), raw_key(bytes(32)))


@given(TENANTS)
def test_a_keyrings_content_is_read_as_it_was_written(tenants):
    assert decode(encode(tenants)) == tenants


@given(TENANTS, st.data())
def test_shortened_or_lengthened_content_is_refused(tenants, data):
    content = encode(tenants)
    for wrong in (content[: data.draw(st.integers(0, len(content) - 1))], content + b"\0"):
        with pytest.raises(KeyringFormatError):
            decode(wrong)


@given(st.binary(max_size=400))
def test_arbitrary_content_is_read_back_to_itself_or_refused(content):
    try:
        tenants = decode(content)
    except KeyringFormatError:
        return
    assert encode(tenants) == content


def test_content_out_of_order_or_with_senseless_versions_is_refused(example_keyring):
    def content(tenants, uids, latest, minimum, versions, imported=0):
        keks = b"".join(struct.pack(">IQ", version, 1) + bytes(32) for version in versions)
        entry = struct.pack(">IIBI", latest, minimum, imported, len(versions)) + keks + bytes(32)
        return struct.pack(">I", tenants) + b"".join(uid + entry for uid in uids)

    one, two = b"1" * 16, b"2" * 16
    assert len(decode(content(2, (one, two), 2, 1, (1, 2)))) == 2
    for wrong in (
        content(2, (two, one), 2, 1, (1, 2)),
        content(2, (one, one), 2, 1, (1, 2)),
        content(1, (one,), 2, 1, (2, 1)),
        content(1, (one,), 2, 1, (2, 2)),
        content(1, (one,), 3, 1, (1, 2)),
        content(1, (one,), 1, 1, (1, 2)),
        content(1, (one,), 2, 3, (1, 2)),
        content(1, (one,), 2, 0, (1, 2)),
        content(1, (one,), 2, 1, (0, 2)),
        content(1, (one,), 1, 1, ()),
        content(1, (one,), 2, 1, (1, 2), imported=2),
        content(2**32 - 1, (one,), 1, 1, (1,)),
    ):
        with pytest.raises(KeyringFormatError):
            decode(wrong)


def anchors_tag(root, content):
    key = hkdf(root, b"pdvault/v1/key/anchors")
    return hmac.digest(key, pack("pdvault/v1/anchors", b"pdvanchr\1", content), "sha256")


def test_the_pages_anchors_file_is_read_and_written_as_the_page_says(examples):
    example = examples["local-anchors-file"]
    root, file = raw(example, "key"), raw(example, "file")
    anchors = Anchors(3, 2, {raw(example, "tenant"): Anchored(raw(example, "text").decode(), 2)})
    key = Key(root).derive(KEY_LABEL)
    assert decode_anchors(file, key) == anchors
    assert encode_anchors(anchors, key) == file == b"pdvanchr\1" + anchors_tag(root, file[41:]) + file[41:]


def test_a_writer_by_the_page_is_read_by_the_vault(tmp_path, example_keyring):
    secret, root = raw_key(bytes(range(32))), bytes(range(32))
    uid, text = next(iter(example_keyring.tenants)), b"Anker\n"
    content = struct.pack(">QQI16sQI", 1, 1, 1, uid, 9, len(text)) + text
    path = tmp_path / "keyring.anchors"
    path.touch(mode=0o600)
    path.write_bytes(b"pdvanchr\1" + anchors_tag(root, content) + content)
    assert file_with(tmp_path / "keyring", example_keyring, secret).read_anchor(uid) == Anchored("Anker\n", 9)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ANCHORED = st.builds(Anchored, TEXTS, st.integers(1, 2**64 - 1))
COUNTS = st.integers(1, 2**64 - 1)
ANCHORS = st.builds(Anchors, COUNTS, COUNTS, st.dictionaries(st.binary(min_size=16, max_size=16), ANCHORED, max_size=4))
ZERO = Key(bytes(32))


def sealed_anchors(content):
    return b"pdvanchr\1" + hmac.digest(ZERO.raw, pack("pdvault/v1/anchors", b"pdvanchr\1", content), "sha256") + content


@given(ANCHORS)
def test_anchors_are_read_as_they_were_written(anchors):
    assert decode_anchors(encode_anchors(anchors, ZERO), ZERO) == anchors


@given(ANCHORS, st.data())
def test_shortened_or_lengthened_anchors_are_refused_even_if_authentic(anchors, data):
    content = encode_anchors(anchors, ZERO)[41:]
    for wrong in (content[: data.draw(st.integers(0, len(content) - 1))], content + b"\0"):
        with pytest.raises(KmsIntegrityError, match="content"):
            decode_anchors(sealed_anchors(wrong), ZERO)


@given(st.binary(max_size=200))
def test_arbitrary_anchors_are_read_back_to_themselves_or_refused(content):
    try:
        anchors = decode_anchors(sealed_anchors(content), ZERO)
    except KmsIntegrityError:
        return
    assert encode_anchors(anchors, ZERO)[41:] == content


def test_anchors_that_the_page_forbids_are_refused_even_if_authentic():
    def content(uids=(b"1" * 16,), sequence=1, generation=1, version=1, text=b"x"):
        anchors = b"".join(uid + struct.pack(">QI", version, len(text)) + text for uid in uids)
        return struct.pack(">QQI", sequence, generation, len(uids)) + anchors

    one, two = b"1" * 16, b"2" * 16
    assert len(decode_anchors(sealed_anchors(content((one, two), text=b"x" * 65_536)), ZERO).by_tenant) == 2
    for wrong in (
        content((two, one)),
        content((one, one)),
        content(sequence=0),
        content(generation=0),
        content(version=0),
        content(text=b""),
        content(text=b"x" * 65_537),
        content(text=b"\xff"),
        content()[:20],
    ):
        with pytest.raises(KmsIntegrityError, match="content"):
            decode_anchors(sealed_anchors(wrong), ZERO)
