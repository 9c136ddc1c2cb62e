"""The subjects that calls name: by any of their names, under any live index key. Whom a call finds, its event names by uid."""

from vault import named_subjects
from vault.admission import Admitted
from vault.errors import VaultError
from vault.named_subjects import unknown
from vault.store.reads import Known
from vault.store.states import SubjectState
from vault.v1 import common_pb2


def find(admitted: Admitted, name: str) -> Known | None:
    """The subject that a name leads to, checked and noted in the event, or None.

    Raises:
        VaultError: INTEGRITY.
    """
    known = named_subjects.find(admitted, name)
    if known:
        admitted.draft.touch_subject("", known.subject.uid)
    return known


def need(admitted: Admitted, name: str) -> Known:
    """The subject that a name leads to, checked and noted in the event.

    Raises:
        VaultError: SUBJECT_NOT_FOUND, for unknown, foreign and erased ones alike; INTEGRITY.
    """
    known = find(admitted, name)
    if known is None:
        raise unknown()
    return known


def need_lasting(admitted: Admitted, known: Known) -> Known:
    """The subject, if it is there to stay.

    Raises:
        VaultError: WRONG_STATE, if its erasure has begun.
    """
    if known.subject.state == SubjectState.ERASING:
        reason = common_pb2.ERROR_REASON_WRONG_STATE
        admitted.draft.touch_subject("", known.subject.uid, reason=reason)
        raise VaultError(reason, "the subject is being erased, so nothing about it can be changed; soon the name leads nowhere")
    return known
