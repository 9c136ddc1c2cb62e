"""The key worker at a local keyring: what it destroys leaves the file, and an older file is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.kms import keyring_of_version_1

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsIntegrityError
from vault.kms.local.administrator import LocalAdministrator
from vault.kms.local.key_manager import LocalKeyManager
from vault.kms.local.keyring import KekVersion, Keyring, TenantEntry
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.keyring_sealing import seal_keyring, unseal_keyring
from vault.kms.local.keyring_secret import RawKey

RAW = RawKey(b"QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=")
CONTEXT = b"context"


def test_destroyed_versions_are_no_longer_in_the_file(local_kms, keyring_path):
    tenant = local_kms.tenant()
    for version in (1, 2):
        local_kms.administrator.rotate(tenant, version)
    local_kms.administrator.destroy_before(tenant, 3)
    keyring, _ = unseal_keyring(keyring_path.read_bytes(), RAW)
    assert list(keyring.tenants[tenant].keks) == [3]
    assert keyring.tenants[tenant].min_decryption_version == 3


def test_other_tenants_keys_stay_as_they_are(local_kms, keyring_path):
    tenant, other = local_kms.tenant(), local_kms.tenant()
    before = KeyringFile(keyring_path, RAW).current().tenants[other]
    local_kms.administrator.rotate(tenant, 1)
    local_kms.administrator.destroy_before(tenant, 2)
    assert KeyringFile(keyring_path, RAW).current().tenants[other] == before


@pytest.mark.parametrize("change", ["rotate", "destroy"])
def test_a_keyring_from_before_a_change_is_refused(local_kms, keyring_path, change):
    tenant = local_kms.tenant()
    if change == "destroy":
        local_kms.administrator.rotate(tenant, 1)
    older = keyring_path.read_bytes()
    if change == "rotate":
        local_kms.administrator.rotate(tenant, 1)
    else:
        local_kms.administrator.destroy_before(tenant, 2)
    keyring_path.write_bytes(older)
    for call in (lambda: LocalKeyManager(keyring_path, RAW), lambda: local_kms.administrator.rotate(tenant, 2)):
        with pytest.raises(KmsIntegrityError, match="older"):
            call()


def test_a_keyring_of_version_1_serves_and_becomes_one_of_version_2_with_the_next_change(local_kms, keyring_path, monkeypatch):
    tenant, key = local_kms.tenant(), Key.generate()
    (wrapped,) = local_kms.manager.wrap(tenant, [(key, CONTEXT)])
    current = KeyringFile(keyring_path, RAW).current()
    entry = current.tenants[tenant]
    monkeypatch.setattr("vault.kms.local.keyring_sealing._VERSION", 1)
    monkeypatch.setattr("vault.kms.local.keyring_sealing.encode", keyring_of_version_1.content)
    older = seal_keyring(Keyring(current.generation + 1, current.tenants), RAW, None)
    monkeypatch.undo()
    keyring_path.write_bytes(older)
    manager = LocalKeyManager(keyring_path, RAW)
    assert manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
    assert manager.kek(tenant).versions == {1: 0}
    LocalAdministrator(keyring_path, RAW).rotate(tenant, 1)
    assert keyring_path.read_bytes()[8] == 2
    assert manager.unwrap(tenant, [(wrapped.blob, CONTEXT)]) == [key]
    assert KeyringFile(keyring_path, RAW).current().tenants[tenant].log_seed == entry.log_seed


def test_of_many_rotations_at_once_each_version_is_made_once(local_kms, keyring_path):
    tenant = local_kms.tenant()
    workers = [LocalAdministrator(keyring_path, RAW) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda worker: worker.rotate(tenant, 1), workers)) == [2] * 4
    kek = local_kms.manager.kek(tenant)
    assert (kek.latest, sorted(kek.versions)) == (2, [1, 2])


def test_a_version_out_of_use_but_not_destroyed_shows_as_still_there(local_kms, keyring_path):
    tenant = local_kms.tenant()
    entry = TenantEntry(2, 2, {1: KekVersion(Key.generate(), 5), 2: KekVersion(Key.generate(), 6)}, Key.generate())
    KeyringFile(keyring_path, RAW).update(lambda keyring: keyring.with_tenant(tenant, entry))
    kek = local_kms.administrator.kek(tenant)
    assert (kek.oldest, kek.versions) == (1, {2: 6})
    assert local_kms.administrator.destroy_before(tenant, 2).oldest == 2
