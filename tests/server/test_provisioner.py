"""The identity that creates tenants' keys is let go of as soon as it has."""

import pytest
from tests.harness import Vault, add_tenant

from vault.kms.local.provisioner import LocalProvisioner


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[LocalProvisioner]:
    """Each provisioner that was closed."""
    found: list[LocalProvisioner] = []
    monkeypatch.setattr(LocalProvisioner, "close", lambda self: found.append(self))
    return found


def test_it_is_closed_after_a_tenant_was_made(sqlite_vault: Vault, closed: list[LocalProvisioner]) -> None:
    with sqlite_vault.node() as node:
        add_tenant(node, "initech")
    assert len(closed) == 1


def test_it_is_closed_after_it_failed(sqlite_vault: Vault, closed: list[LocalProvisioner], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalProvisioner, "create_tenant_keys", _fail)
    with sqlite_vault.node() as node, pytest.raises(OSError, match="no more"):
        add_tenant(node, "initech")
    assert len(closed) == 1


def _fail(*_: object) -> None:
    raise OSError("no more")
