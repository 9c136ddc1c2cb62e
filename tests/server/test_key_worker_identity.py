"""The configuration's key worker: its own identity at Transit, the same keyring where there is no other."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.harness import Vault

from vault.audit.events import SYSTEM_TENANT
from vault.kms.transit.administrator import TransitAdministrator
from vault.kms.transit.key_manager import TransitKeyManager
from vault.server.backends import key_administrator, key_manager, key_worker_manager
from vault.server.config import Config, ConfigError, TransitKms

LOGIN = {"method": "approle", "role_id_file": "role", "secret_id_file": "secret"}


def with_transit(vault: Vault, **logins: dict[str, str]) -> Config:
    transit = {"kind": "transit", "address": "https://kms.example.org:8200", "ca_file": "ca.pem", "auth": LOGIN, **logins}
    return vault.config.model_copy(update={"kms": TransitKms.model_validate(transit)})


def test_the_key_worker_of_a_keyring_changes_what_nodes_see(sqlite_vault: Vault) -> None:
    config = sqlite_vault.config
    with (
        closing(key_administrator(config)) as administrator,
        closing(key_worker_manager(config)) as worker,
        closing(key_manager(config)) as node,
    ):
        assert administrator.rotate(SYSTEM_TENANT, 1) == 2
        assert node.kek(SYSTEM_TENANT) == worker.kek(SYSTEM_TENANT)
        assert node.kek(SYSTEM_TENANT).latest == 2


def test_the_key_worker_of_transit_logs_in_as_itself(sqlite_vault: Vault) -> None:
    config = with_transit(sqlite_vault, key_worker={**LOGIN, "role_id_file": "of-the-key-worker"})
    assert isinstance(config.kms, TransitKms)
    assert config.kms.as_key_worker().auth == config.kms.as_key_worker().auth != config.kms.as_app().auth
    assert getattr(config.kms.as_key_worker().auth, "role_id_file") == Path("of-the-key-worker")  # noqa: B009 - Auth is a union
    with closing(key_administrator(config)) as administrator, closing(key_worker_manager(config)) as worker:
        assert isinstance(administrator, TransitAdministrator)
        assert isinstance(worker, TransitKeyManager)


def test_without_a_key_worker_nobody_is_taken_for_it(sqlite_vault: Vault) -> None:
    config = with_transit(sqlite_vault, provisioner=LOGIN)
    for opened in (key_administrator, key_worker_manager):
        with pytest.raises(ConfigError, match=r"kms\.key_worker is needed"):
            opened(config)
