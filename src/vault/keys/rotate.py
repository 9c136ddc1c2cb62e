"""Rotate and Rekey: asking for them. The key worker does the work."""

from google.longrunning import operations_pb2

from vault.admission import Admitted
from vault.keys.operations import begin, described
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import find, lookups, unknown
from vault.store.reads import Reads
from vault.store.states import OperationKind
from vault.v1 import key_service_pb2 as v1

ROTATE, REKEY = OperationKind.ROTATE, OperationKind.REKEY


class Rotate:
    """One Rotate request."""

    def __init__(self, request: v1.RotateRequest) -> None:
        self._wanted = v1.RotateRequest(max_rows_per_second=request.max_rows_per_second)

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing yet: whether one is under way is read once the call is admitted."""
        return Reads()

    def decide(self, admitted: Admitted) -> v1.RotateResponse:
        """Ask for it."""
        admitted.permit(ROTATE, "")
        return v1.RotateResponse(operation=_begun(admitted, ROTATE, self._wanted))


class Rekey:
    """One Rekey request, of one subject or of all."""

    def __init__(self, request: v1.RekeyRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject, if one is named."""
        return Reads(subjects=lookups(keys, [self._request.subject_id] if self._request.subject_id else []))

    def decide(self, admitted: Admitted) -> v1.RekeyResponse:
        """Ask for it; the operation's row names the subject by its uid."""
        admitted.permit(REKEY, "")
        wanted = v1.RekeyWork(max_rows_per_second=self._request.max_rows_per_second)
        if self._request.subject_id:
            wanted.subject_uid = self._subject_uid(admitted)
        return v1.RekeyResponse(operation=_begun(admitted, REKEY, wanted))

    def _subject_uid(self, admitted: Admitted) -> bytes:
        known = find(admitted, self._request.subject_id)
        if known is None:
            raise unknown()
        uid = known.subject.uid
        admitted.draft.look_into(uid)
        return uid


def _begun(admitted: Admitted, kind: str, wanted: v1.RotateRequest | v1.RekeyWork) -> operations_pb2.Operation:
    return described(begin(admitted, kind, wanted))
