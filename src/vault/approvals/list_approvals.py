"""ListApprovals: what is asked for and not decided or not used yet."""

from vault.admission import Admitted
from vault.approvals.second_principal import described, pending
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import key_service_pb2 as v1

ACTION = "ListApprovals"


class ListApprovals:
    """One ListApprovals request."""

    def __init__(self, _request: v1.ListApprovalsRequest) -> None:
        """Nothing is asked for in particular."""

    def reads(self, _keys: TenantKeys) -> Reads:
        """What is pending."""
        return Reads(pending_approvals=True)

    def decide(self, admitted: Admitted) -> v1.ListApprovalsResponse:
        """Tell."""
        admitted.permit(ACTION, "")
        return v1.ListApprovalsResponse(approvals=[described(admitted, row) for row in pending(admitted)])
