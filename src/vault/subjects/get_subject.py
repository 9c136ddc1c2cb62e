"""GetSubject: what the vault holds of a subject, without a value."""

from vault.admission import Admitted
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.safe import open_subject_id
from vault.store.reads import Known, Reads
from vault.subjects.aliases import open_alias
from vault.subjects.belongings import belongings, live_holds
from vault.subjects.holds import described
from vault.subjects.named import need
from vault.v1 import subject_service_pb2 as v1

ACTION = "GetSubject"


class GetSubject:
    """One GetSubject request."""

    def __init__(self, request: v1.GetSubjectRequest) -> None:
        self._request = request

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject; locked, so that what belongs to it, read after it, is of the same moment."""
        return Reads(subjects=lookups(keys, [self._request.subject_id]), locking=True)

    def decide(self, admitted: Admitted) -> v1.GetSubjectResponse:
        """Tell."""
        admitted.permit(ACTION, "")
        known = need(admitted, self._request.subject_id)
        owned = belongings(admitted, known)
        subject = summary(admitted, known)
        subject.aliases.extend(sorted(open_alias(admitted, known, alias) for alias in owned.aliases))
        subject.holds.extend(map(described, live_holds(admitted, owned)))
        subject.items.extend(v1.ClassCount(data_class=name, count=count) for name, count in sorted(owned.items.items()))
        return v1.GetSubjectResponse(subject=subject)


def summary(admitted: Admitted, known: Known) -> v1.Subject:
    """Who a subject is: uid, subject_id and state."""
    subject = known.subject
    state = f"SUBJECT_STATE_{subject.state}"
    return v1.Subject(subject_uid=subject.uid, subject_id=open_subject_id(admitted, known), state=state)
