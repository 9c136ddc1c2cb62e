"""What follows the first transaction of the calls about erasures: their answers, once tables, log and KMS say so."""

import asyncio
import time
from collections.abc import Mapping

from vault.auditing import erasure_proofs
from vault.auditing.log import AuditLog
from vault.call import Call, check_size
from vault.errors import VaultError
from vault.server.audit_service import AuditService
from vault.server.edge import Flow
from vault.server.erasing import Eraser
from vault.server.erasure_checks import ErasureChecks
from vault.store.rows import ErasureRow
from vault.subjects import bulk_erase, erase, get_erasure
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1


class ErasureFlows:
    """The flows of four methods."""

    def __init__(self, eraser: Eraser, audit: AuditService, checks: ErasureChecks) -> None:
        """Make them."""
        self._eraser = eraser
        self._audit = audit
        self._checks = checks

    def by_method(self) -> Mapping[str, Flow]:
        """Each by the name of its method."""
        return {
            erase.ACTION: self._erase,
            bulk_erase.ACTION: self._bulk_erase,
            get_erasure.RECEIPT: self._receipt,
            get_erasure.VERIFY: self._verify,
        }

    async def _finished(self, tenant_uid: bytes, erasure_uid: bytes) -> ErasureRow:
        """The erasure, done; it is finished too if nobody waits for it any more."""
        work = asyncio.ensure_future(self._eraser.finish(tenant_uid, erasure_uid))
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen here, if by nobody else
        return await asyncio.shield(work)

    async def _erase(self, call: Call, answer: bytes) -> bytes:
        response = v1.EraseResponse.FromString(answer)
        statement = v1.ErasureStatement.FromString(response.receipt.statement)
        try:
            async with asyncio.timeout(max(0.0, call.deadline - time.monotonic())):
                row = await self._finished(statement.tenant_uid, statement.erasure_uid)
        except TimeoutError:
            raise _under_way(common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed", None) from None
        except VaultError as error:
            if error.reason == common_pb2.ERROR_REASON_INTEGRITY:
                raise
            raise _under_way(error.reason, error.message, error.retry_after_s) from None
        response.receipt.statement = row.statement
        return response.SerializeToString()

    async def _bulk_erase(self, _call: Call, answer: bytes) -> bytes:
        self._eraser.wake()
        return answer

    async def _receipt(self, call: Call, answer: bytes) -> bytes:
        """The receipt with its proofs, as far as the published log has them."""
        receipt = v1.GetErasureReceiptResponse.FromString(answer).receipt
        erasure_uid = v1.ErasureStatement.FromString(receipt.statement).erasure_uid

        def prove(log: AuditLog) -> tuple[v1.LeafProof | None, v1.LeafProof | None]:
            return erasure_proofs.erased(log, receipt.statement), erasure_proofs.horizon(log, erasure_uid)

        erased, horizon = await self._audit.read(call.caller.tenant_uid, prove, call.deadline)
        proven = v1.ErasureReceipt(statement=receipt.statement, erased=erased, horizon=horizon)
        response = v1.GetErasureReceiptResponse(receipt=proven).SerializeToString()
        check_size(response)
        return response

    async def _verify(self, call: Call, answer: bytes) -> bytes:
        """What tables, KMS and log say now. A column says nothing of the horizon: the published log does, as in a receipt."""
        statement = v1.ErasureStatement.FromString(answer)
        tenant_uid = call.caller.tenant_uid
        seen = await self._checks.look(statement, call.deadline)
        leaf = await self._audit.read(tenant_uid, lambda log: erasure_proofs.horizon(log, statement.erasure_uid), call.deadline)
        response = v1.VerifyErasureResponse(
            clean=not seen.left, rows_left=seen.left, anchored=seen.is_anchored, horizon_reached=leaf is not None
        )
        return response.SerializeToString()


def _under_way(reason: int, why: str, retry_after_s: float | None) -> VaultError:
    """The refusal of a call whose erasure has begun: it is finished without it."""
    return VaultError(
        reason,
        f"the erasure has begun: nothing of the subject is used any more, and it will be finished. But {why}. "
        "Repeat the call with the same request_id for the receipt",
        retry_after_s=retry_after_s,
    )
