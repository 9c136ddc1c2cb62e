"""Trusting another issuing CA: whoever it issues certificates to may call as one of the tenant's principals."""

from vault.administration import AuthorityAct, next_authority, operator
from vault.audit.actions import ISSUING_CA_ADDED
from vault.audit.events import SYSTEM_TENANT, Draft
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Rows
from vault.store.rows import CaRow
from vault.store.runner import Outcome
from vault.store.sealing import sealed
from vault.store.writes import Writes
from vault.v1 import common_pb2


class TrustCa(AuthorityAct):
    """The act that adds an issuing CA to a tenant, the system among them, so that somebody can audit the system's own log."""

    def __init__(self, tenant_uid: bytes, tenant_name: str, sha256: bytes, der: bytes) -> None:
        """Make it; the CA (its hash, and its certificate in DER) has been checked."""

        def effect(rows: Rows, keys: TenantKeys) -> Writes:
            old, new = next_authority(rows, keys)
            return Writes(inserted=[sealed(keys.authority, CaRow(sha256, tenant_uid, der))], replaced=[(old, new)])

        super().__init__(operator(tenant_uid), ISSUING_CA_ADDED, "", {"ca_sha256": sha256.hex()}, effect)
        self._tenant_name = tenant_name

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """Write the CA, and note it in the system's log as well."""
        outcome = super().decide(rows, keys)
        if not isinstance(outcome.answer, VaultError) and self.caller.tenant_uid != SYSTEM_TENANT:
            details = {**self.details, "tenant": self._tenant_name, "tenant_uid": self.caller.tenant_uid.hex()}
            outcome.also.append(Draft(operator(SYSTEM_TENANT), ISSUING_CA_ADDED, common_pb2.CallContext(), details=details))
        return outcome
