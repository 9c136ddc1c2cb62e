"""The local anchors on disk: whole or refused, private, never older than seen, and a reason to refuse an older keyring."""

import itertools
import os
import signal
import subprocess
import sys

import pytest

from vault.kms.key_manager import Anchored, KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.local import anchors_file, keyring_secret, private_file
from vault.kms.local.anchors import KEY_LABEL, decode
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_secret import Passphrase, RawKey
from vault.kms.local.private_file import PrivateFile
from vault.kms.local.provisioner import LocalProvisioner

RAW = RawKey(b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=")
TENANT, OTHER = b"t" * 16, b"u" * 16


@pytest.fixture
def provisioner(keyring_path):
    made = LocalProvisioner(keyring_path, RAW)
    made.create_keyring()
    made.create_tenant_keys(TENANT)
    return made


@pytest.fixture
def manager(provisioner, keyring_path):
    """A node that has written an anchor."""
    made = LocalKeyManager(keyring_path, RAW)
    made.write_anchor(TENANT, "one\n", 0)
    return made


@pytest.fixture
def path(keyring_path):
    return keyring_path.with_name("keyring.anchors")


def put(path, data):
    """Put other bytes in a file's place, as somebody who can write there would."""
    draft = path.with_suffix(".other")
    draft.touch(mode=0o600)
    draft.write_bytes(data)
    draft.replace(path)


def refused_by_all(manager, keyring_path, why):
    for call in (
        manager.check,
        lambda: manager.read_anchor(TENANT),
        lambda: manager.write_anchor(TENANT, "two\n", 1),
        lambda: LocalKeyManager(keyring_path, RAW),
        lambda: LocalProvisioner(keyring_path, RAW).create_tenant_keys(OTHER),
    ):
        with pytest.raises(KmsIntegrityError, match=why):
            call()


def test_every_changed_bit_is_refused(manager, keyring_path, path):
    data, key = path.read_bytes(), KeyringFile(keyring_path, RAW).subkey(KEY_LABEL)
    assert decode(data, key).by_tenant == {TENANT: Anchored("one\n", 1)}
    for bit in range(8 * len(data)):
        changed = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
        with pytest.raises(KmsIntegrityError):
            decode(changed, key)


def test_every_shorter_and_longer_file_is_refused(manager, keyring_path, path):
    data, key = path.read_bytes(), KeyringFile(keyring_path, RAW).subkey(KEY_LABEL)
    for wrong in [data[:length] for length in range(len(data))] + [data + b"\0"]:
        with pytest.raises(KmsIntegrityError):
            decode(wrong, key)


def test_an_edited_or_truncated_file_is_refused_by_all_and_taken_back_when_restored(manager, keyring_path, path):
    data = path.read_bytes()
    for wrong in (data.replace(b"one", b"two"), data[:-1], b"", data[:41]):
        put(path, wrong)
        refused_by_all(manager, keyring_path, "anchors file")
    put(path, data)
    assert manager.read_anchor(TENANT) == Anchored("one\n", 1)


def test_the_file_of_another_keyring_is_refused(manager, keyring_path, path, tmp_path):
    foreign = tmp_path / "foreign"
    secret = RawKey(b"A" * 43 + b"=")
    LocalProvisioner(foreign, secret).create_keyring()
    LocalKeyManager(foreign, secret).write_anchor(TENANT, "foreign\n", 0)
    put(path, (tmp_path / "foreign.anchors").read_bytes())
    refused_by_all(manager, keyring_path, "another keyring")


def test_an_older_file_is_refused_by_who_saw_a_newer(manager, keyring_path, path):
    older = path.read_bytes()
    manager.write_anchor(TENANT, "two\n", 1)
    manager.check()
    put(path, older)
    for call in (manager.check, lambda: manager.read_anchor(TENANT), lambda: manager.write_anchor(TENANT, "two\n", 1)):
        with pytest.raises(KmsIntegrityError, match="older one"):
            call()


def test_a_file_that_disappears_is_refused_by_who_saw_it(manager, path):
    manager.check()
    path.unlink()
    for call in (manager.check, lambda: manager.read_anchor(TENANT), lambda: manager.write_anchor(TENANT, "two\n", 0)):
        with pytest.raises(KmsIntegrityError, match="gone"):
            call()
    assert not path.exists()


def test_without_a_file_there_are_no_anchors(manager, keyring_path, path):
    path.unlink()
    later = LocalKeyManager(keyring_path, RAW)
    assert later.read_anchor(TENANT) is None
    assert later.write_anchor(TENANT, "one\n", 0) == 1


@pytest.mark.parametrize("noted_by", ["provisioner", "node"])
def test_a_keyring_older_than_its_anchors_is_refused(provisioner, keyring_path, path, noted_by):
    older, anchors = keyring_path.read_bytes(), path.read_bytes()
    provisioner.create_tenant_keys(OTHER)
    if noted_by == "node":  # as after a provisioner that was killed before it could write the anchors
        put(path, anchors)
        LocalKeyManager(keyring_path, RAW).write_anchor(TENANT, "one\n", 0)
    newer = keyring_path.read_bytes()
    put(keyring_path, older)
    with pytest.raises(KmsIntegrityError, match="keyring is older than its anchors"):
        LocalKeyManager(keyring_path, RAW)
    with pytest.raises(KmsIntegrityError, match="keyring is older than its anchors"):
        LocalProvisioner(keyring_path, RAW).create_tenant_keys(b"v" * 16)
    assert keyring_path.read_bytes() == older
    put(keyring_path, newer)
    LocalKeyManager(keyring_path, RAW)


def test_no_keyring_is_created_beside_the_anchors_of_another(manager, keyring_path):
    keyring_path.unlink()
    with pytest.raises(KmsDeniedError, match="earlier keyring"):
        LocalProvisioner(keyring_path, RAW).create_keyring()
    assert not keyring_path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_touch_is_refused_at_once(manager, path, mode):
    path.chmod(mode)
    with pytest.raises(KmsDeniedError, match="0600"):
        manager.read_anchor(TENANT)
    with pytest.raises(KmsDeniedError, match="0600"):
        manager.write_anchor(TENANT, "two\n", 1)


def test_an_unchanged_file_is_not_read_again(manager, monkeypatch):
    decoded = []
    manager.write_anchor(TENANT, "two\n", 1)
    monkeypatch.setattr(anchors_file, "decode", lambda *args: decoded.append(1) or decode(*args))
    for _ in range(10):
        assert manager.read_anchor(TENANT) == Anchored("two\n", 2)
    assert len(decoded) == 1


def test_a_passphrase_is_hashed_once_however_often_anchors_are_written(keyring_path, monkeypatch):
    run = []
    hash_it = keyring_secret.hash_secret_raw
    monkeypatch.setattr(keyring_secret, "hash_secret_raw", lambda *a, **k: run.append(k) or hash_it(*a, **k))
    secret = Passphrase(b"correct horse battery staple")
    provisioner = LocalProvisioner(keyring_path, secret)
    provisioner.create_keyring()
    provisioner.create_tenant_keys(TENANT)
    manager = LocalKeyManager(keyring_path, secret)
    for version in range(20):
        manager.write_anchor(TENANT, f"{version}\n", version)
    assert manager.read_anchor(TENANT) == Anchored("19\n", 20)
    assert len(run) == 1


def test_a_write_that_fails_leaves_the_old_file_and_no_other(manager, keyring_path, path, monkeypatch):
    data, files = path.read_bytes(), sorted(keyring_path.parent.iterdir())

    def disk_full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", disk_full)
        with pytest.raises(KmsUnavailableError, match="cannot be written"):
            manager.write_anchor(TENANT, "two\n", 1)
    assert path.read_bytes() == data
    assert sorted(keyring_path.parent.iterdir()) == files
    assert manager.write_anchor(TENANT, "two\n", 1) == 2


def test_a_writer_that_holds_the_lock_too_long_is_not_waited_for_for_ever(manager, path, monkeypatch):
    monkeypatch.setattr(private_file, "LOCK_TIMEOUT_S", 0.1)
    with PrivateFile(path, "anchors").exclusive(), pytest.raises(KmsUnavailableError, match="another process"):
        manager.write_anchor(TENANT, "two\n", 1)


WRITER = """
import sys
from pathlib import Path
from vault.kms.local.keyring_secret import RawKey
from vault.kms.local.key_manager import LocalKeyManager
tenant = bytes.fromhex(sys.argv[2])
manager = LocalKeyManager(Path(sys.argv[1]), RawKey(sys.argv[3].encode()))
version = manager.read_anchor(tenant).version
while True:
    version = manager.write_anchor(tenant, f"written as {version + 1}\\n" * 200, version)
    print("wrote", version, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new(manager, keyring_path):
    secret = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="
    for lines in range(1, 11):
        command = [sys.executable, "-c", WRITER, str(keyring_path), TENANT.hex(), secret]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            said = list(itertools.islice(writer.stdout, 1 + lines))  # the first is the warning
            writer.send_signal(signal.SIGKILL)
            said = int((said + writer.stdout.readlines())[-1].removeprefix("wrote "))
        found = manager.read_anchor(TENANT)
        assert found.version in (said, said + 1)
        assert found.text == f"written as {found.version}\n" * 200
    assert manager.write_anchor(TENANT, "after all\n", found.version) == found.version + 1
    assert sorted(file.name for file in keyring_path.parent.iterdir()) == [
        "keyring",
        "keyring.anchors",
        "keyring.anchors.lock",
        "keyring.lock",
    ]
