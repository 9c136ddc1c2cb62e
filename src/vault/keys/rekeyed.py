"""What the log is told of a part of a re-keying: each token's new envelope, in as many events as it takes."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from vault.audit.actions import REKEYED
from vault.audit.events import Caller, Draft
from vault.store.reads import WholeSubject
from vault.store.rows import ItemRow
from vault.v1 import audit_pb2, common_pb2

_A_LEAF = 1000
"""Tokens that one event names; more go into further events."""


def rekeyed(caller: Caller, details: Mapping[str, str], subject_uid: bytes) -> Draft:
    """An event that names the subject (16 bytes)."""
    draft = Draft(caller, REKEYED, common_pb2.CallContext(), details=dict(details))
    draft.look_into(subject_uid)
    return draft


def all_rekeyed(caller: Caller, details: Mapping[str, str], items: Iterable[ItemRow], whole: WholeSubject) -> Iterator[Draft]:
    """The events, one at least; ``items`` are those that were moved, as they are written."""
    changed = ((item, token) for item in items for token in whole.tokens.get(item.uid, []))
    draft, is_told = rekeyed(caller, details, whole.subject.uid), False
    while some := list(islice(changed, _A_LEAF)):
        for item, token in some:
            draft.touch(item.data_class, item.subject_uid, token, change=audit_pb2.CHANGE_UPDATED, envelope=item.envelope)
        yield draft
        draft, is_told = rekeyed(caller, details, whole.subject.uid), True
    if not is_told:
        yield draft
