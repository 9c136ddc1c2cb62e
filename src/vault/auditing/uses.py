"""What an event says was done to whom: one use for each subject, class, purpose and way."""

from collections.abc import Iterator
from typing import NamedTuple

from vault.audit.actions import ERASED, ERASURE_REPEATED, NAME_SUBJECTS, REKEYED
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

_UID = 16
_BY_FORM: dict[int, int] = {
    common_pb2.FORM_KIND_PLAIN: v1.USE_REVEALED,
    common_pb2.FORM_KIND_PARTIAL: v1.USE_PARTIAL,
    common_pb2.FORM_KIND_MASKED: v1.USE_MASKED,
}
_BY_ACTION: dict[str, int] = {
    "Search": v1.USE_SEARCHED,
    "Describe": v1.USE_SEARCHED,
    "Verify": v1.USE_VERIFIED,
    "Tokenize": v1.USE_VERIFIED,
    "Update": v1.USE_WRITTEN,
    "Encrypt": v1.USE_WRITTEN,
    "Reencrypt": v1.USE_WRITTEN,
    "Delete": v1.USE_WRITTEN,
    "Query": v1.USE_AUDITED,
    "SubjectTimeline": v1.USE_AUDITED,
    "Tail": v1.USE_AUDITED,
    NAME_SUBJECTS: v1.USE_AUDITED,
    "GetErasureReceipt": v1.USE_AUDITED,
    "VerifyErasure": v1.USE_AUDITED,
    "GetSubject": v1.USE_SEARCHED,
    "ListSubjects": v1.USE_SEARCHED,
    **dict.fromkeys(("Register", "Link", "Unlink", "Restrict", "Unrestrict", "PlaceHold", "ReleaseHold"), v1.USE_WRITTEN),
    **dict.fromkeys(("Erase", "BulkErase", ERASED, "Rekey", REKEYED, ERASURE_REPEATED), v1.USE_WRITTEN),
}
"""Of items that were neither written nor released in a form, and of subjects themselves."""


class Way(NamedTuple):
    """How a subject was touched."""

    use: int
    data_class: str
    purpose: str
    partial_name: str


def uses(event: audit_pb2.AuditEvent) -> Iterator[tuple[bytes, Way]]:
    """Each subject that an event names and each way in which it touched it, both together once."""
    seen: set[tuple[bytes, Way]] = set()
    for touched in event.touched:
        use = _use(event.action, touched)
        way = Way(use, touched.data_class, event.purpose, touched.partial_name if use == v1.USE_PARTIAL else "")
        for at in range(0, len(touched.subject_uids), _UID):
            found = touched.subject_uids[at : at + _UID], way
            if found not in seen:
                seen.add(found)
                yield found


def _use(action: str, touched: audit_pb2.Touched) -> int:
    """The use that a group of touched items was put to; of what this code does not know, the worst is assumed."""
    if touched.reason:
        return v1.USE_REFUSED
    if touched.change:
        return v1.USE_WRITTEN
    return _BY_FORM.get(touched.form) or _BY_ACTION.get(action, v1.USE_REVEALED)
