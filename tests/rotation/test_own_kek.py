"""A tenant that brings its own KEK brings each version of it; the KMS makes none, and the vault keeps none."""

import secrets
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click import ClickException
from tests.harness import Vault, add_tenant
from tests.rotation.works import attested, begin_rotation, found, worker
from tests.use_cases.inside import Inside, inside

from vault.cli.own_kek import bring_first, bring_next, read_kek
from vault.crypto.keys import KEY_BYTES
from vault.errors import VaultError
from vault.server.backends import key_administrator
from vault.store import tables as t


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / f"{secrets.token_hex(4)}.kek"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("size", [0, 16, KEY_BYTES - 1, KEY_BYTES + 1, 64])
def test_a_key_of_another_size_is_refused_before_the_kms_hears_of_it(tmp_path: Path, size: int) -> None:
    with pytest.raises(ClickException, match="exactly 32 random bytes"):
        read_kek(_file(tmp_path, secrets.token_bytes(size)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ClickException, match="chmod 600"):
        read_kek(_file(tmp_path, secrets.token_bytes(KEY_BYTES), mode))


def test_a_rotation_uses_the_version_that_was_brought_and_waits_for_none_that_was_not(sqlite_vault: Vault, tmp_path: Path) -> None:
    with inside(sqlite_vault) as opened:
        uid = _tenant_with_a_kek_of_its_own(opened, tmp_path)
        operation = begin_rotation(opened, "own")
        with worker(opened) as working:
            working.look()
        assert "pdvault tenant import-kek" in found(opened, operation.name, "own").error.message
        assert {row.version for row in opened.rows(t.tenant_key, tenant_uid=uid)} == {1}
        assert bring_next(opened.vault.config, uid, read_kek(_file(tmp_path, secrets.token_bytes(KEY_BYTES)))) == 2
        operation = begin_rotation(opened, "own")
        with worker(opened) as working:
            working.look()
        assert attested(opened, operation.name, "own").kek_version == 2
        with closing(key_administrator(opened.vault.config)) as administrator:
            assert administrator.kek(uid).imported


def test_the_version_that_a_rotation_attests_is_the_one_that_wraps(sqlite_vault: Vault, tmp_path: Path) -> None:
    """Where two were brought since the last rotation, the one between wraps nothing."""
    with inside(sqlite_vault) as opened:
        uid = _tenant_with_a_kek_of_its_own(opened, tmp_path)
        for _ in range(2):
            bring_next(opened.vault.config, uid, read_kek(_file(tmp_path, secrets.token_bytes(KEY_BYTES))))
        operation = begin_rotation(opened, "own")
        with worker(opened) as working:
            working.look()
        wrapping = {row.kek_version for row in opened.rows(t.tenant_key, tenant_uid=uid, state="ACTIVE")}
        assert {attested(opened, operation.name, "own").kek_version} == wrapping == {3}


def test_the_same_key_is_not_brought_twice(sqlite_vault: Vault, tmp_path: Path) -> None:
    with inside(sqlite_vault) as opened:
        path = _file(tmp_path, secrets.token_bytes(KEY_BYTES))
        uid = _tenant_with_a_kek_of_its_own(opened, tmp_path, path)
        with pytest.raises((ClickException, VaultError)):
            bring_next(opened.vault.config, uid, read_kek(path))


def test_no_version_is_brought_to_a_kek_that_the_kms_made(sqlite_vault: Vault, tmp_path: Path) -> None:
    with inside(sqlite_vault) as opened, pytest.raises(VaultError) as refusal:
        bring_next(opened.vault.config, opened.tenant().uid, read_kek(_file(tmp_path, secrets.token_bytes(KEY_BYTES))))
    assert refusal.value.reason_name == "KMS_DENIED"


def _tenant_with_a_kek_of_its_own(opened: Inside, folder: Path, path: Path | None = None) -> bytes:
    """A tenant as `pdvault tenant create --kek` makes it, with the principals that tests call as."""
    kek = read_kek(path or _file(folder, secrets.token_bytes(KEY_BYTES)))
    create = opened.node.create_tenant

    def bringing_its_own(uid: bytes, *others: Any) -> None:
        bring_first(opened.vault.config, uid, kek)
        create(uid, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened.node, "create_tenant", bringing_its_own)
        opened.vault.tenants["own"] = add_tenant(opened.node, "own")
    return opened.tenant("own").uid
