"""Approve and Deny: another principal's decision on what somebody asked for."""

from vault.admission import Admitted
from vault.approvals.second_principal import check_usable, found
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.store.rows import ApprovalRow
from vault.store.sealing import check, sealed
from vault.store.states import ApprovalState
from vault.v1 import common_pb2
from vault.v1 import key_service_pb2 as v1

APPROVE, DENY = "Approve", "Deny"


class Approve:
    """One Approve request; repeated by the same principal it changes nothing."""

    def __init__(self, request: v1.ApproveRequest) -> None:
        self._uid = request.approval_uid

    def reads(self, _keys: TenantKeys) -> Reads:
        """The approval."""
        return Reads(approvals=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> v1.ApproveResponse:
        """Approve."""
        _decide(admitted, APPROVE, self._uid, ApprovalState.APPROVED)
        return v1.ApproveResponse()


class Deny:
    """One Deny request. What was approved can still be denied until it is used."""

    def __init__(self, request: v1.DenyRequest) -> None:
        self._uid = request.approval_uid

    def reads(self, _keys: TenantKeys) -> Reads:
        """The approval."""
        return Reads(approvals=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> v1.DenyResponse:
        """Deny."""
        _decide(admitted, DENY, self._uid, ApprovalState.DENIED)
        return v1.DenyResponse()


def _decide(admitted: Admitted, action: str, uid: bytes, state: str) -> None:
    admitted.permit(action, "")
    row = found(admitted, uid)
    admitted.draft.details["asked_for"] = row.action
    _check_other(admitted, row)
    if (row.state, row.decided_by) == (state, admitted.principal.uid):
        return
    check_usable(admitted, row)
    if row.state != ApprovalState.ASKED and state == ApprovalState.APPROVED:
        raise VaultError(common_pb2.ERROR_REASON_WRONG_STATE, "somebody else has approved it already")
    decided = row._replace(state=state, decided_by=admitted.principal.uid, decide_us=admitted.rows.now_us)
    admitted.writes.replaced.append((row, sealed(admitted.keys.authority, decided)))


def _check_other(admitted: Admitted, row: ApprovalRow) -> None:
    """Refuse whoever asked, and whatever nobody who is known asked: one who was added again under their name would be another uid.

    Raises:
        VaultError: POLICY_DENIED, INTEGRITY.
    """
    asker = admitted.rows.principals.get(row.asked_by)
    if asker is not None:
        check(admitted.keys.authority, asker)
    if asker is None or asker.uid == admitted.principal.uid or asker.name == admitted.principal.name:
        raise VaultError(
            common_pb2.ERROR_REASON_POLICY_DENIED,
            "nobody decides on what they asked for themselves, nor on what is asked by somebody who is no principal any more",
        )
