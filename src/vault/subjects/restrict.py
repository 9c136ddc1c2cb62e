"""Restrict and Unrestrict: whether a subject's data may be used. A policy refuses the use; here is only who decides it."""

from vault.admission import Admitted
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.store.reads import Reads
from vault.store.sealing import sealed
from vault.store.states import SubjectState
from vault.subjects.named import need, need_lasting
from vault.v1 import subject_service_pb2 as v1

RESTRICT, UNRESTRICT = "Restrict", "Unrestrict"


class Restrict:
    """One Restrict request."""

    def __init__(self, request: v1.RestrictRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject."""
        return Reads(subjects=lookups(keys, [self._request.subject_id]), owning=True)

    def decide(self, admitted: Admitted) -> v1.RestrictResponse:
        """Restrict, from the next call on."""
        admitted.permit(RESTRICT, "")
        _set_state(admitted, self._request.subject_id, SubjectState.RESTRICTED)
        return v1.RestrictResponse()


class Unrestrict:
    """One Unrestrict request."""

    def __init__(self, request: v1.UnrestrictRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject."""
        return Reads(subjects=lookups(keys, [self._request.subject_id]), owning=True)

    def decide(self, admitted: Admitted) -> v1.UnrestrictResponse:
        """Let its data be used again."""
        admitted.permit(UNRESTRICT, "")
        _set_state(admitted, self._request.subject_id, SubjectState.ACTIVE)
        return v1.UnrestrictResponse()


def _set_state(admitted: Admitted, name: str, state: str) -> None:
    subject = need_lasting(admitted, need(admitted, name)).subject
    if subject.state != state:
        admitted.writes.replaced.append((subject, sealed(admitted.keys.authority, subject._replace(state=state))))
