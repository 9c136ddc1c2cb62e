"""The local notes of destroyed keys on disk: whole or refused, private, each in its own place, never taken for another's."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring_secret import RawKey
from vault.kms.local.private_file import PrivateFile
from vault.kms.local.provisioner import LocalProvisioner

RAW = RawKey(b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=")
TENANT, OTHER = b"t" * 16, b"u" * 16
ONE, TWO = b"1" * 16, b"2" * 16


@pytest.fixture
def manager(keyring_path):
    """A node that has noted what an erasure destroys."""
    provisioner = LocalProvisioner(keyring_path, RAW)
    provisioner.create_keyring()
    provisioner.create_tenant_keys(TENANT)
    made = LocalKeyManager(keyring_path, RAW)
    made.note_destroyed(TENANT, ONE, "text")
    return made


@pytest.fixture
def folder(keyring_path):
    return keyring_path.with_name("keyring.destroyed") / TENANT.hex()


@pytest.fixture
def path(folder):
    return folder / ONE.hex()


def refused_by_all(manager, keyring_path, wrong, why=""):
    for call in (
        lambda: manager.destroyed(TENANT),
        lambda: manager.destroyed_by(TENANT, ONE),
        lambda: manager.note_destroyed(TENANT, ONE, "text"),
        lambda: LocalKeyManager(keyring_path, RAW).destroyed(TENANT),
    ):
        with pytest.raises(wrong, match=why) as failed:
            call()
        assert failed.value.__context__ is None or failed.value.__suppress_context__


def test_every_changed_bit_of_a_note_is_refused(manager, path):
    data = path.read_bytes()
    for bit in range(len(data) * 8):
        path.write_bytes((int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big"))
        with pytest.raises(KmsIntegrityError):
            manager.destroyed(TENANT)
    path.write_bytes(data)
    assert manager.destroyed(TENANT) == {ONE: "text"}


def test_every_shorter_and_longer_note_is_refused(manager, path):
    data = path.read_bytes()
    for wrong in [data[:length] for length in range(len(data))] + [data + b"\0", data + bytes(70_000)]:
        path.write_bytes(wrong)
        with pytest.raises(KmsIntegrityError):
            manager.destroyed(TENANT)


def test_a_changed_note_is_refused_by_all(manager, keyring_path, path):
    path.write_bytes(path.read_bytes()[:-1] + b"T")
    refused_by_all(manager, keyring_path, KmsIntegrityError, "changed or moved")


def test_a_note_in_the_place_of_another_erasure_or_tenant_is_refused(manager, folder, path):
    (folder / TWO.hex()).write_bytes(path.read_bytes())
    (folder / TWO.hex()).chmod(0o600)
    with pytest.raises(KmsIntegrityError, match="moved"):
        manager.destroyed(TENANT)
    shutil.copytree(folder, folder.with_name(OTHER.hex()))
    with pytest.raises(KmsIntegrityError, match="moved"):
        manager.destroyed(OTHER)


def test_a_note_of_another_keyring_is_refused(manager, keyring_path, path):
    provisioner = LocalProvisioner(keyring_path.with_name("other"), RawKey(b"A" * 43 + b"="))
    provisioner.create_keyring()
    other = LocalKeyManager(keyring_path.with_name("other"), RawKey(b"A" * 43 + b"="))
    other.note_destroyed(TENANT, ONE, "text")
    path.write_bytes((keyring_path.with_name("other.destroyed") / TENANT.hex() / ONE.hex()).read_bytes())
    with pytest.raises(KmsIntegrityError, match="another keyring"):
        manager.destroyed(TENANT)


def test_a_note_that_others_can_read_is_refused(manager, keyring_path, path):
    path.chmod(0o640)
    refused_by_all(manager, keyring_path, KmsDeniedError, "0600")


def test_notes_and_their_folders_are_private(manager, folder, path):
    assert [oct(each.stat().st_mode & 0o777) for each in (path, folder, folder.parent)] == ["0o600", "0o700", "0o700"]


def test_what_is_no_note_is_not_read(manager, folder):
    (folder / f".{TWO.hex()}.new").write_bytes(b"a draft")
    (folder / "lost+found").mkdir()
    assert manager.destroyed(TENANT) == {ONE: "text"}
    manager.note_destroyed(TENANT, TWO, "more")
    assert manager.destroyed(TENANT) == {ONE: "text", TWO: "more"}


def test_a_disk_that_does_not_take_the_note_is_unavailable_and_the_note_can_be_written_again(manager, folder, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(KmsUnavailableError):
            manager.note_destroyed(TENANT, TWO, "more")
    assert manager.destroyed(TENANT) == {ONE: "text"}
    manager.note_destroyed(TENANT, TWO, "more")
    assert manager.destroyed(TENANT) == {ONE: "text", TWO: "more"}


def test_a_new_note_is_on_disk_with_its_folders_before_the_call_returns(manager, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")) or fsync(descriptor)
    )
    manager.note_destroyed(OTHER, ONE, "text")
    names = [name.rsplit("/", 1)[1] for name in synced]
    assert names[-2:] == [f".{ONE.hex()}.new", OTHER.hex()]
    assert "keyring.destroyed" in names


def test_a_new_keyring_is_not_made_beside_anothers_notes(manager, keyring_path):
    for name in ("keyring", "keyring.anchors"):
        keyring_path.with_name(name).unlink()
    with pytest.raises(KmsDeniedError, match="earlier keyring"):
        LocalProvisioner(keyring_path, RAW).create_keyring()


def test_a_writer_killed_at_any_moment_leaves_whole_notes(manager, keyring_path):
    program = f"""
import itertools, pathlib, sys
from vault.kms.local.keyring_secret import RawKey
from vault.kms.local.key_manager import LocalKeyManager
manager = LocalKeyManager(pathlib.Path({str(keyring_path)!r}), RawKey(b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="))
for number in itertools.count(1):
    manager.note_destroyed({TENANT!r}, number.to_bytes(16, "big"), f"text {{number}}")
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        acknowledged = [int(line) for line in (writer.stdout.readline() for _ in range(40)) if line.strip().isdigit()]
        writer.send_signal(signal.SIGKILL)
    found = manager.destroyed(TENANT)
    assert found.pop(ONE) == "text"
    assert set(acknowledged) <= {int.from_bytes(uid, "big") for uid in found}
    assert all(text == f"text {int.from_bytes(uid, 'big')}" for uid, text in found.items())
    assert acknowledged


def test_a_lock_that_another_process_holds_is_waited_for_and_then_told(manager, keyring_path, monkeypatch):
    monkeypatch.setattr("vault.kms.local.private_file.LOCK_TIMEOUT_S", 0.1)
    with PrivateFile(keyring_path.with_name("keyring.destroyed"), "notes").exclusive():
        with pytest.raises(KmsUnavailableError, match="another process"):
            manager.note_destroyed(TENANT, TWO, "more")
        assert manager.destroyed(TENANT) == {ONE: "text"}
