"""Tenants that are served while the KMS is away: told once an outage, to operators (log and metrics) and in the tenant's own log.

Keys in memory outlast a KMS for a while, as declared. Nobody should have to guess whether that is what a vault is living on.
"""

from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from vault.administration import Notice
from vault.audit.actions import KMS_AWAY, KMS_BACK
from vault.errors import VaultError
from vault.kms.tenant_keys import KeyCache
from vault.v1 import audit_pb2

log = structlog.get_logger(__name__)


class KmsAbsence:
    """Told by the guard's thread, each time it has asked the KMS about a tenant that is served."""

    def __init__(self, keys: KeyCache, gauge: Gauge, tell: Callable[[Notice], None]) -> None:
        """Begin with a KMS that answers.

        Args:
            keys: those in memory.
            gauge: shows how many tenants are served while the KMS is away.
            tell: writes an event, as soon as that can be.
        """
        self._tell = tell
        self._reasons: dict[bytes, int] = {}
        gauge.set_function(lambda: len(self._reasons.keys() & set(keys.tenants())))

    def asked(self, tenant_uid: bytes, refusal: VaultError | None) -> None:
        """The KMS was asked for a tenant, and refused or did not answer, or did."""
        reason = refusal.reason if refusal else 0
        if reason == self._reasons.get(tenant_uid, 0):
            return
        if refusal:
            self._reasons[tenant_uid] = reason
            hint = "served with the keys in memory until they expire; then calls are refused"
            log.warning("the KMS is away", tenant=tenant_uid.hex(), reason=refusal.reason_name, hint=hint)
            self._tell(Notice(tenant_uid, KMS_AWAY, {}, decision=audit_pb2.DECISION_FAILED, reason=reason))
        else:
            self._reasons.pop(tenant_uid)
            log.info("the KMS is back", tenant=tenant_uid.hex())
            self._tell(Notice(tenant_uid, KMS_BACK, {}, decision=audit_pb2.DECISION_ALLOWED))
