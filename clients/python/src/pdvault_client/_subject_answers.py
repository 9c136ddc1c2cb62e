"""Fields of answers about subjects to dataclasses. An answer that does not fit its request is an error, never guessed at."""

from collections.abc import Iterable

from pdvault_client._answers import Answer, known, time, unfit
from pdvault_client._contract import Message
from pdvault_client.subject_types import Hold, Registered, Subject, SubjectsPage, SubjectState

_UID = 16


def registered(answer: Answer) -> Registered:
    """A RegisterResponse."""
    _check(answer, [answer.message.subject_uid])
    return Registered(answer.message.subject_uid, answer.message.existed)


def subject(answer: Answer) -> Subject:
    """A GetSubjectResponse."""
    _check(answer, [answer.message.subject.subject_uid, *(each.hold_uid for each in answer.message.subject.holds)])
    return _subject(answer.message.subject)


def subjects_page(answer: Answer) -> SubjectsPage:
    """A ListSubjectsResponse."""
    _check(answer, (each.subject_uid for each in answer.message.subjects))
    return SubjectsPage(tuple(map(_subject, answer.message.subjects)), answer.message.next_page_token)


def hold(answer: Answer) -> Hold:
    """A PlaceHoldResponse."""
    _check(answer, [answer.message.hold.hold_uid])
    return _hold(answer.message.hold)


def _subject(message: Message) -> Subject:
    return Subject(
        subject_uid=message.subject_uid,
        subject_id=message.subject_id,
        state=known(SubjectState, message.state),
        aliases=tuple(message.aliases),
        holds=tuple(map(_hold, message.holds)),
        items={each.data_class: each.count for each in message.items},
    )


def _hold(message: Message) -> Hold:
    return Hold(message.hold_uid, message.reference, time(message, "create_time"), time(message, "expire_time"))


def _check(answer: Answer, uids: Iterable[bytes]) -> None:
    """Before anything is taken out of the answer, so that nothing of it is in the error's frames."""
    if any(len(uid) != _UID for uid in uids):
        raise unfit("the server answered a subject or a hold without a uid", answer.request_id)
