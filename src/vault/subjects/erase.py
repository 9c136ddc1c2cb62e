"""Erase: one subject's erasure begins, or the one that the same request has begun is told again."""

from vault.admission import Admitted
from vault.idempotency import recall
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import unknown
from vault.safe import new_uid
from vault.store.reads import Reads
from vault.subjects.begin_erasure import UNKNOWN_HINT, Opened, begin, check_erasable, named, owned_by, recall_erasure
from vault.subjects.named import find
from vault.v1 import subject_service_pb2 as v1

ACTION = "Erase"


class Erase:
    """One Erase request."""

    def __init__(self, request: v1.EraseRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject, and what this request has erased before."""
        return named(keys, [self._request.subject_id])

    def decide(self, admitted: Admitted) -> v1.EraseResponse:
        """Begin, once."""
        admitted.permit(ACTION, "")
        erasure = recall_erasure(admitted, self._request.subject_id)
        if erasure:
            admitted.draft.touch_subject("", erasure.row.subject_uid)
        else:
            erasure = self._begin(admitted)
        admitted.draft.details["erasure"] = erasure.row.uid.hex()
        return v1.EraseResponse(receipt=erasure.receipt(self._request.subject_id))

    def _begin(self, admitted: Admitted) -> Opened:
        recall(admitted, self._request)  # refuses a request_id that another method has used
        known = find(admitted, self._request.subject_id)
        if known is None:
            raise unknown(UNKNOWN_HINT)
        owned = owned_by(admitted, frozenset({known.subject.uid}))[known.subject.uid]
        check_erasable(admitted, known, owned)
        return begin(admitted, known, self._request.subject_id, owned, new_uid())
