"""The guard takes a tenant's keys away when its log is not in order, and leaves them when only nobody can tell."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.harness import Vault

from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsSealedError, KmsUnavailableError
from vault.kms.tenant_keys import KeyCache, KeysMissingError
from vault.server.keeping.guard import LogGuard
from vault.server.keeping.metrics import LogMetrics
from vault.store.log.gate import Sizes
from vault.v1 import common_pb2


class Gate:
    """Says of one tenant what it is told to, and of all others that they are in order."""

    def __init__(self, tenant_uid: bytes, error: Exception | None) -> None:
        self._tenant_uid = tenant_uid
        self._error = error
        self.asked: list[bytes] = []

    def watch(self, tenant_uid: bytes) -> Sizes:
        """See ``LogGate.watch``."""
        self.asked.append(tenant_uid)
        if tenant_uid == self._tenant_uid and self._error:
            raise self._error
        return Sizes(1, 1)


def left_after(vault: Vault, error: Exception | None) -> tuple[set[str], list[bytes]]:
    """Whose keys are still in memory after a look at two tenants, of which acme gets this error, and whose log is distrusted."""
    keys = KeyCache(300.0)
    distrusted: list[bytes] = []
    with vault.node() as node:
        for tenant in vault.tenants.values():
            keys.put(node.loader.load(tenant.uid))
    gate: Any = Gate(vault.tenants["acme"].uid, error)
    LogGuard(gate, keys, LogMetrics(CollectorRegistry()), distrusted.append).look()
    assert sorted(gate.asked) == sorted(tenant.uid for tenant in vault.tenants.values())
    return {name for name, tenant in vault.tenants.items() if _is_there(keys, tenant.uid)}, distrusted


def _is_there(keys: KeyCache, tenant_uid: bytes) -> bool:
    try:
        return keys.get(tenant_uid).tenant_uid == tenant_uid
    except KeysMissingError:
        return False


@pytest.mark.parametrize(
    "reason",
    [common_pb2.ERROR_REASON_LOG_BEHIND_ANCHOR, common_pb2.ERROR_REASON_LOG_STALLED, common_pb2.ERROR_REASON_INTEGRITY],
    ids=common_pb2.ErrorReason.Name,
)
def test_a_log_that_is_not_in_order_costs_its_tenant_the_keys(sqlite_vault: Vault, reason: int) -> None:
    assert left_after(sqlite_vault, VaultError(reason, "not in order")) == ({"globex"}, [sqlite_vault.tenants["acme"].uid])


@pytest.mark.parametrize(
    "error",
    [
        None,
        KmsUnavailableError("down"),
        KmsSealedError("sealed"),
        KmsDeniedError("denied"),
        VaultError(common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, "down"),
    ],
    ids=str,
)
def test_what_says_nothing_about_a_log_costs_nobody_the_keys(sqlite_vault: Vault, error: Exception | None) -> None:
    assert left_after(sqlite_vault, error) == ({"acme", "globex"}, [])
