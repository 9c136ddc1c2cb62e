"""BulkErase: the erasures of many subjects begin at once, all or none; the servers finish them as an operation."""

from collections.abc import Mapping

from vault.admission import Admitted
from vault.errors import FieldViolation, VaultError
from vault.idempotency import recall
from vault.keys.operations import begin_running, described
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import unknown
from vault.safe import new_uid
from vault.store.reads import Known, Reads
from vault.store.rows import OperationRow
from vault.store.sealing import check
from vault.store.states import OperationKind
from vault.subjects.begin_erasure import UNKNOWN_HINT, begin, check_erasable, is_of, named, owned_by, requested, reused
from vault.subjects.named import find
from vault.v1 import common_pb2
from vault.v1 import subject_service_pb2 as v1

ACTION = OperationKind.BULK_ERASE


class BulkErase:
    """One BulkErase request."""

    def __init__(self, request: v1.BulkEraseRequest) -> None:
        self._request = request
        self._names = list(request.subject_ids)

    def reads(self, keys: TenantKeys) -> Reads:
        """The subjects, and what this request has erased before."""
        return named(keys, self._names)

    def decide(self, admitted: Admitted) -> v1.BulkEraseResponse:
        """Begin, once."""
        admitted.permit(ACTION, "")
        operation = self._recalled(admitted) or self._begin(admitted)
        return v1.BulkEraseResponse(operation=described(operation))

    def _recalled(self, admitted: Admitted) -> OperationRow | None:
        """The operation that this request has begun.

        Raises:
            VaultError: REQUEST_ID_REUSED, if it was of other subjects, or in another order.
        """
        rows = {row.uid: row for row in requested(admitted)}
        uid = next((row.operation_uid for row in rows.values()), None)
        if not rows:
            return None
        if uid is None:
            raise reused()
        reads = Reads(operations=frozenset({uid}))
        admitted.need(reads)
        operation = admitted.rows.operations.get(uid)
        if operation is None:
            raise reused()
        check(admitted.keys.authority, operation)
        uids = v1.BulkEraseResult.FromString(operation.request).erasure_uids
        if len(uids) != len(self._names) or not rows.keys() >= set(uids):
            raise reused()
        if not all(is_of(admitted, rows[one], name) for one, name in zip(uids, self._names, strict=True)):
            raise reused()
        admitted.draft.details["operation"] = uid.hex()
        return operation

    def _begin(self, admitted: Admitted) -> OperationRow:
        recall(admitted, self._request)  # refuses a request_id that another method has used
        known = self._all(admitted)
        owned = owned_by(admitted, frozenset(known))
        for uid, (index, one) in known.items():
            try:
                check_erasable(admitted, one, owned[uid])
            except VaultError as error:
                raise _at(index, error) from None
        uids = [new_uid() for _ in known]
        operation = begin_running(admitted, ACTION, v1.BulkEraseResult(erasure_uids=uids), len(uids))
        for erasure_uid, (index, one) in zip(uids, known.values(), strict=True):
            begin(admitted, one, self._names[index], owned[one.subject.uid], erasure_uid, operation.uid)
        return operation

    def _all(self, admitted: Admitted) -> Mapping[bytes, tuple[int, Known]]:
        """Every subject with the place of its name in the request, by uid, in that order.

        Raises:
            VaultError: SUBJECT_NOT_FOUND, INVALID_FIELD.
        """
        found: dict[bytes, tuple[int, Known]] = {}
        for index, name in enumerate(self._names):
            known = find(admitted, name)
            if known is None:
                raise _at(index, unknown(UNKNOWN_HINT))
            if known.subject.uid in found:
                first = found[known.subject.uid][0]
                rule = f"must name another subject than subject_ids[{first}], which leads to the same one"
                raise VaultError(
                    common_pb2.ERROR_REASON_INVALID_FIELD,
                    f"subject_ids[{index}] {rule}; nothing was done",
                    violations=[FieldViolation(f"subject_ids[{index}]", rule)],
                )
            found[known.subject.uid] = index, known
        return found


def _at(index: int, error: VaultError) -> VaultError:
    """The error of one of the names, as the call's."""
    return VaultError(error.reason, f"subject_ids[{index}]: {error.message}; nothing was done")
