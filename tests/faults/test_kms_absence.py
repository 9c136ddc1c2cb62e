"""That a tenant lives on keys in memory is told when it begins, when its reason changes and when it ends, and counted meanwhile."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, Gauge

from vault.administration import Notice
from vault.errors import VaultError
from vault.kms.key_manager import KmsDeniedError, KmsSealedError
from vault.kms.tenant_keys import Authority, KeyCache, TenantKeys
from vault.server.keeping.kms_absence import KmsAbsence

ACME, GLOBEX = b"a" * 16, b"g" * 16


@dataclass
class Case:
    """What was told, and how many tenants live on keys in memory."""

    keys: KeyCache = field(default_factory=lambda: KeyCache(300.0))
    told: list[Notice] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.absence = KmsAbsence(self.keys, Gauge("without_kms", "tenants", registry=self.registry), self.told.append)
        for tenant_uid in (ACME, GLOBEX):
            self.keys.put(TenantKeys(tenant_uid, 1, {}, {}, Authority(1, {}), b"", b"", 1))

    def asked(self, *refusals: VaultError | None, tenant_uid: bytes = ACME) -> list[str]:
        """What is told when the KMS answers like this, one time after the other."""
        self.told.clear()
        for refusal in refusals:
            self.absence.asked(tenant_uid, refusal)
        return [notice.action for notice in self.told]

    def count(self) -> float | None:
        """What the gauge shows."""
        return self.registry.get_sample_value("without_kms")


@pytest.fixture
def case() -> Case:
    return Case()


def test_it_is_told_once_an_outage(case: Case) -> None:
    assert case.asked(None, None) == []
    assert case.asked(KmsSealedError("sealed"), KmsSealedError("sealed")) == ["KmsAway"]
    assert case.asked(None, None) == ["KmsBack"]
    assert case.asked(KmsSealedError("sealed")) == ["KmsAway"]


def test_another_reason_is_told_too(case: Case) -> None:
    assert case.asked(KmsSealedError("sealed"), KmsDeniedError("denied")) == ["KmsAway", "KmsAway"]


def test_each_tenant_s_is_told_in_its_own_log_and_needs_no_keys(case: Case) -> None:
    for tenant_uid in (ACME, GLOBEX):
        assert case.asked(KmsSealedError("sealed"), tenant_uid=tenant_uid) == ["KmsAway"]
        assert case.told[0].head.tenant_uid == tenant_uid
        assert not case.told[0].needs_keys


def test_tenants_whose_keys_are_in_memory_are_counted(case: Case) -> None:
    for tenant_uid in (ACME, GLOBEX):
        case.asked(KmsSealedError("sealed"), tenant_uid=tenant_uid)
    assert case.count() == 2
    case.keys.drop(GLOBEX)
    assert case.count() == 1
    case.asked(None)
    assert case.count() == 0
