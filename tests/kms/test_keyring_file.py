"""The local keyring on disk: whole or refused, private, written by one at a time, never older than before."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import structlog

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.local import keyring_secret, private_file
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring import Keyring
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_sealing import MAX_FILE_BYTES, seal_keyring, unseal_keyring
from vault.kms.local.keyring_secret import Argon2Parameters, Passphrase, RawKey, from_file, from_variable
from vault.kms.local.private_file import PrivateFile
from vault.kms.local.provisioner import LocalProvisioner

RAW = RawKey(b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=")
WORDS = b"correct horse battery staple"
CHEAP = Argon2Parameters(salt=bytes(range(16)), memory_kib=7168, passes=1, lanes=1)
TENANT, CONTEXT = b"t" * 16, b"context"
ALL_FILES = ["keyring", "keyring.anchors", "keyring.anchors.lock", "keyring.lock"]


@pytest.fixture
def provisioner(keyring_path):
    made = LocalProvisioner(keyring_path, RAW)
    made.create_keyring()
    made.create_tenant_keys(TENANT)
    return made


def write(path, data):
    """Put other bytes in the keyring's place, as somebody who can write there would."""
    other = path.with_suffix(".other")
    other.touch(mode=0o600)
    other.write_bytes(data)
    other.replace(path)


def bit_flips(data):
    return ((int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big") for bit in range(len(data) * 8))


def test_every_changed_bit_of_the_file_is_refused(provisioner, keyring_path):
    data = keyring_path.read_bytes()
    refused = 0
    for changed in bit_flips(data):
        with pytest.raises((KmsIntegrityError, KmsDeniedError)):
            unseal_keyring(changed, RAW)
        refused += 1
    assert refused == 8 * len(data) > 1000


def test_every_changed_bit_of_a_header_with_a_passphrase_is_refused(monkeypatch):
    run = []
    secret = Passphrase(WORDS)
    data = seal_keyring(Keyring(generation=1), secret, CHEAP)
    hash_it = Passphrase._hash
    monkeypatch.setattr(Passphrase, "_hash", lambda self, p: run.append(p) or hash_it(self, replace(p, memory_kib=7168, passes=1)))
    for changed in bit_flips(data[:43]):
        with pytest.raises((KmsIntegrityError, KmsDeniedError)):
            unseal_keyring(changed + data[43:], secret)
    assert max(parameters.memory_kib for parameters in run) <= 1_048_576
    assert max(parameters.passes for parameters in run) <= 16


def test_every_shorter_and_longer_file_is_refused(provisioner, keyring_path):
    data = keyring_path.read_bytes()
    for wrong in [data[:length] for length in range(len(data))] + [data + b"\0", bytes(MAX_FILE_BYTES + 1)]:
        with pytest.raises(KmsIntegrityError):
            unseal_keyring(wrong, RAW)


def test_a_damaged_file_is_refused_at_once_and_nothing_is_said_of_its_bytes(provisioner, keyring_path):
    manager = LocalKeyManager(keyring_path, RAW)
    data = keyring_path.read_bytes()
    write(keyring_path, data[:-1] + bytes([data[-1] ^ 1]))
    for call in (
        manager.check,
        lambda: manager.wrap(TENANT, [(Key.generate(), CONTEXT)]),
        lambda: LocalKeyManager(keyring_path, RAW),
    ):
        with pytest.raises(KmsIntegrityError, match="wrong secret, or the file was changed") as failed:
            call()
        assert failed.value.__context__ is None
        assert str(keyring_path) not in str(failed.value)
    write(keyring_path, data)
    manager.check()


@pytest.mark.parametrize("wrong", [Passphrase(b"correct horse battery stable"), Passphrase(WORDS + b" ")])
def test_a_wrong_passphrase_is_refused(keyring_path, wrong):
    LocalProvisioner(keyring_path, Passphrase(WORDS)).create_keyring()
    with pytest.raises(KmsIntegrityError, match="wrong secret"):
        LocalKeyManager(keyring_path, wrong)


def test_a_wrong_key_is_refused(provisioner, keyring_path):
    with pytest.raises(KmsIntegrityError, match="wrong secret"):
        LocalKeyManager(keyring_path, RawKey(b"A" * 43 + b"="))


def test_the_other_kind_of_secret_is_named(provisioner, keyring_path, tmp_path):
    with pytest.raises(KmsDeniedError, match="opened by a key"):
        LocalKeyManager(keyring_path, Passphrase(WORDS))
    LocalProvisioner(tmp_path / "other", Passphrase(WORDS)).create_keyring()
    with pytest.raises(KmsDeniedError, match="opened by a passphrase"):
        LocalKeyManager(tmp_path / "other", RAW)


def test_a_passphrase_opens_with_the_recommended_parameters_and_hashes_once(keyring_path, monkeypatch):
    run = []
    hash_it = keyring_secret.hash_secret_raw
    monkeypatch.setattr(keyring_secret, "hash_secret_raw", lambda *a, **k: run.append(k) or hash_it(*a, **k))
    secret = Passphrase(WORDS)
    provisioner = LocalProvisioner(keyring_path, secret)
    provisioner.create_keyring()
    provisioner.create_tenant_keys(TENANT)
    manager = LocalKeyManager(keyring_path, secret)
    provisioner.create_tenant_keys(b"u" * 16)
    (wrapped,) = manager.wrap(b"u" * 16, [(Key.generate(), CONTEXT)])
    assert manager.unwrap(b"u" * 16, [(wrapped.blob, CONTEXT)])
    assert [(k["memory_cost"], k["time_cost"], k["parallelism"], k["hash_len"]) for k in run] == [(65_536, 3, 4, 32)]


def test_each_new_file_has_its_own_salt():
    assert Argon2Parameters.generate().salt != Argon2Parameters.generate().salt


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory_kib": 7167},
        {"memory_kib": 1_048_577},
        {"passes": 0},
        {"passes": 17},
        {"lanes": 0},
        {"lanes": 17},
    ],
)
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValueError, match="out of bounds"):
        replace(CHEAP, **wrong)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])
def test_a_file_that_others_may_touch_is_refused(provisioner, keyring_path, mode):
    keyring_path.chmod(mode)
    with pytest.raises(KmsDeniedError, match="0600"):
        LocalKeyManager(keyring_path, RAW)
    with pytest.raises(KmsDeniedError, match="0600"):
        provisioner.create_tenant_keys(b"u" * 16)


def test_whatever_the_umask_the_files_are_private(tmp_path):
    before = os.umask(0)
    try:
        LocalProvisioner(tmp_path / "keyring", RAW).create_keyring()
    finally:
        os.umask(before)
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {
        "keyring": 0o600,
        "keyring.lock": 0o600,
    }


def test_a_missing_file_is_unavailable(keyring_path, tmp_path):
    with pytest.raises(KmsUnavailableError, match="missing"):
        LocalKeyManager(keyring_path, RAW)
    with pytest.raises(KmsUnavailableError, match="missing"):
        LocalProvisioner(keyring_path, RAW).create_tenant_keys(TENANT)
    with pytest.raises(KmsUnavailableError, match="directory"):
        LocalProvisioner(tmp_path / "no" / "keyring", RAW).create_keyring()


def test_a_file_that_disappears_is_unavailable_even_with_its_keys_in_memory(provisioner, keyring_path):
    manager = LocalKeyManager(keyring_path, RAW)
    keyring_path.unlink()
    with pytest.raises(KmsUnavailableError):
        manager.sign(TENANT, b"message")


def test_a_directory_in_its_place_is_refused(keyring_path):
    keyring_path.mkdir(mode=0o700)
    with pytest.raises(KmsUnavailableError):
        LocalKeyManager(keyring_path, RAW)


def test_a_keyring_is_never_overwritten(provisioner, keyring_path):
    data = keyring_path.read_bytes()
    with pytest.raises(KmsDeniedError, match="not overwritten"):
        provisioner.create_keyring()
    assert keyring_path.read_bytes() == data


def test_each_write_is_a_new_generation_and_no_change_is_no_write(provisioner, keyring_path):
    file = KeyringFile(keyring_path, RAW)
    assert file.current().generation == 2
    provisioner.create_tenant_keys(b"u" * 16)
    assert file.current().generation == 3
    data = keyring_path.read_bytes()
    provisioner.create_tenant_keys(b"u" * 16)
    assert keyring_path.read_bytes() == data


def test_an_older_file_is_refused_once_a_newer_was_seen(provisioner, keyring_path):
    older = keyring_path.read_bytes()
    provisioner.create_tenant_keys(b"u" * 16)
    manager = LocalKeyManager(keyring_path, RAW)
    write(keyring_path, older)
    with pytest.raises(KmsIntegrityError, match="older"):
        manager.check()


def test_an_open_manager_sees_new_tenants(provisioner, keyring_path):
    manager = LocalKeyManager(keyring_path, RAW)
    with pytest.raises(KmsDeniedError):
        manager.log_public_key(b"u" * 16)
    provisioner.create_tenant_keys(b"u" * 16)
    assert len(manager.log_public_key(b"u" * 16)) == 32


def test_provisioners_at_the_same_time_lose_nothing(provisioner, keyring_path):
    together = threading.Barrier(4)

    def work(number):
        mine = LocalProvisioner(keyring_path, RAW)
        together.wait(timeout=60)
        for tenant in range(5):
            mine.create_tenant_keys(bytes([number, tenant]) * 8)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(KeyringFile(keyring_path, RAW).current().tenants) == 1 + 4 * 5
    assert sorted(file.name for file in keyring_path.parent.iterdir()) == ALL_FILES


def test_a_writer_that_holds_the_lock_too_long_is_not_waited_for_for_ever(provisioner, keyring_path, monkeypatch):
    monkeypatch.setattr(private_file, "LOCK_TIMEOUT_S", 0.1)
    with PrivateFile(keyring_path, "keyring").exclusive(), pytest.raises(KmsUnavailableError, match="another process"):
        provisioner.create_tenant_keys(b"u" * 16)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(provisioner, keyring_path, monkeypatch):
    data = keyring_path.read_bytes()

    def disk_full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(KmsUnavailableError, match="cannot be written"):
        provisioner.create_tenant_keys(b"u" * 16)
    assert keyring_path.read_bytes() == data
    assert sorted(file.name for file in keyring_path.parent.iterdir()) == ALL_FILES


def test_a_kek_version_below_the_minimum_or_gone_does_not_open(provisioner, keyring_path):
    manager, key = LocalKeyManager(keyring_path, RAW), Key.generate()
    (old,) = manager.wrap(TENANT, [(key, CONTEXT)])
    change = KeyringFile(keyring_path, RAW)

    def rotated(entry):
        return entry.with_version(Key.generate(), 1)

    def with_entry(step):
        return lambda ring: Keyring(ring.generation + 1, {TENANT: step(ring.tenants[TENANT])})

    change.update(with_entry(rotated))
    (new,) = manager.wrap(TENANT, [(key, CONTEXT)])
    assert (old.kek_version, new.kek_version) == (1, 2)
    assert manager.unwrap(TENANT, [(old.blob, CONTEXT), (new.blob, CONTEXT)]) == [key, key]
    change.update(with_entry(lambda entry: replace(entry, min_decryption_version=2)))
    with pytest.raises(KmsIntegrityError, match="gone"):
        manager.unwrap(TENANT, [(old.blob, CONTEXT)])
    change.update(with_entry(lambda entry: replace(entry, keks={2: entry.keks[2]})))
    with pytest.raises(KmsIntegrityError, match="gone"):
        manager.unwrap(TENANT, [(old.blob, CONTEXT)])
    assert manager.unwrap(TENANT, [(new.blob, CONTEXT)]) == [key]


def test_opening_warns_that_destruction_is_not_provable(provisioner, keyring_path):
    with structlog.testing.capture_logs() as events:
        manager = LocalKeyManager(keyring_path, RAW)
    assert [(event["log_level"], event["event"]) for event in events] == [("warning", "local_key_manager")]
    assert "not provable" in events[0]["hint"]
    assert manager.proves_destruction is False


def test_secrets_come_from_file_or_variable(tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(WORDS + b"\n")
    assert from_file(tmp_path / "secret") == WORDS
    monkeypatch.setenv("PDVAULT_TEST_SECRET", WORDS.decode())
    assert from_variable("PDVAULT_TEST_SECRET") == WORDS
    with pytest.raises(KmsDeniedError, match="missing"):
        from_file(tmp_path / "none")
    with pytest.raises(KmsDeniedError, match="PDVAULT_TEST_NONE"):
        from_variable("PDVAULT_TEST_NONE")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Passphrase(b"too short!!"),
        lambda: Passphrase(b"x" * 4097),
        lambda: RawKey(b""),
        lambda: RawKey(b"A" * 42),
        lambda: RawKey(b"QUFB"),
        lambda: RawKey(b"%" * 44),
    ],
)
def test_what_is_no_secret_is_refused(make):
    with pytest.raises(KmsDeniedError, match="must be"):
        make()


def test_no_secret_shows_in_a_representation(provisioner, keyring_path):
    manager = LocalKeyManager(keyring_path, RAW)
    entry = KeyringFile(keyring_path, RAW).current().tenants[TENANT]
    shown = repr((RAW, Passphrase(WORDS), manager, vars(manager), vars(manager._file), entry))
    for raw in (entry.keks[1].key.raw, entry.log_seed.raw, WORDS, b"QEFCQ0RF"):
        assert repr(raw)[2:-1] not in shown
