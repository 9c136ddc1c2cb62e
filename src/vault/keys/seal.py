"""Seal and Unseal: the end of a tenant's service with the next call on every node, by one person; its return, by two.

Both raise the tenant's key generation. So every node drops the keys it has in memory, and a sealed tenant's are not fetched again.
"""

from vault.admission import Admitted
from vault.approvals.second_principal import Need, ask, use
from vault.audit.events import SYSTEM_TENANT
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.store.sealing import sealed
from vault.store.states import TenantState
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

SEAL, UNSEAL = "Seal", "Unseal"


class Seal:
    """One Seal request; of a tenant that is sealed it changes nothing."""

    def __init__(self, _request: v1.SealRequest) -> None:
        """Nothing is asked for in particular."""

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tenant alone: whatever began before has ended."""
        return Reads(owning=True)

    def decide(self, admitted: Admitted) -> v1.SealResponse:
        """Seal."""
        admitted.permit(SEAL, "")
        if admitted.tenant.uid == SYSTEM_TENANT:
            raise VaultError(common_pb2.ERROR_REASON_WRONG_STATE, "the system itself can't be sealed: its log is everybody's")
        if admitted.tenant.state != TenantState.SEALED:
            _become(admitted, TenantState.SEALED)
        return v1.SealResponse()


class Unseal:
    """One Unseal request."""

    def __init__(self, request: v1.UnsealRequest) -> None:
        self._request = request

    def reads(self, _keys: TenantKeys) -> Reads:
        """The tenant alone."""
        return Reads(owning=True)

    def decide(self, admitted: Admitted) -> v1.UnsealResponse:
        """Ask for it, or do it."""
        admitted.permit(UNSEAL, "")
        tenant = admitted.tenant
        if tenant.state != TenantState.SEALED:
            raise VaultError(common_pb2.ERROR_REASON_WRONG_STATE, "the tenant is not sealed")
        # The generation is another one each time it is sealed: what was approved before lifts no later seal.
        need = Need(UNSEAL, self._request, f"Unseal the tenant {tenant.name}", tenant.key_generation)
        if not self._request.approval_uid:
            return v1.UnsealResponse(approval=ask(admitted, need))
        use(admitted, need, self._request.approval_uid)
        _become(admitted, TenantState.ACTIVE)
        return v1.UnsealResponse()


def _become(admitted: Admitted, state: str) -> None:
    new = admitted.tenant._replace(state=state, key_generation=admitted.tenant.key_generation + 1)
    admitted.writes.replaced.append((admitted.tenant, sealed(admitted.keys.authority, new)))
    admitted.draft.details["state"] = state
