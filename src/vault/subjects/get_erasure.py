"""GetErasureReceipt and VerifyErasure: the call that each begins with. What the log, the tables and the KMS say follows it."""

from vault.admission import Admitted
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.store.rows import ErasureRow
from vault.store.sealing import check
from vault.store.states import ErasureState
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

RECEIPT, VERIFY = "GetErasureReceipt", "VerifyErasure"


class GetErasureReceipt:
    """One GetErasureReceipt request."""

    def __init__(self, request: v1.GetErasureReceiptRequest) -> None:
        self._uid = request.erasure_uid

    def reads(self, _keys: TenantKeys) -> Reads:
        """The erasure."""
        return Reads(erasures=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> v1.GetErasureReceiptResponse:
        """The receipt without proofs."""
        row = _found(admitted, self._uid, RECEIPT)
        return v1.GetErasureReceiptResponse(receipt=v1.ErasureReceipt(statement=row.statement))


class VerifyErasure:
    """One VerifyErasure request."""

    def __init__(self, request: v1.VerifyErasureRequest) -> None:
        self._uid = request.erasure_uid

    def reads(self, _keys: TenantKeys) -> Reads:
        """The erasure."""
        return Reads(erasures=frozenset({self._uid}))

    def decide(self, admitted: Admitted) -> v1.ErasureStatement:
        """What was erased, for whoever looks whether it is gone."""
        return v1.ErasureStatement.FromString(_found(admitted, self._uid, VERIFY).statement)


def _found(admitted: Admitted, uid: bytes, action: str) -> ErasureRow:
    """The erasure, once it is done.

    Raises:
        VaultError: POLICY_DENIED, NOT_FOUND, WRONG_STATE, INTEGRITY.
    """
    admitted.permit(action, "")
    row = admitted.rows.erasures.get(uid)
    if row is None:
        raise VaultError(common_pb2.ERROR_REASON_NOT_FOUND, "the tenant has no such erasure")
    check(admitted.keys.authority, row)
    admitted.draft.details["erasure"] = uid.hex()
    admitted.draft.touch_subject("", row.subject_uid)
    if row.state != ErasureState.DONE:
        raise VaultError(
            common_pb2.ERROR_REASON_WRONG_STATE,
            "the erasure has begun, so nothing of the subject is used any more, and is not done yet; ask again",
            retry_after_s=5.0,
        )
    return row
