"""Requests about subjects in few words."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from tests.harness import context
from tests.use_cases.inside import Inside

from vault.v1 import subject_service_pb2 as v1

REFERENCE = "court/4711"


def register(subject_id: str, *aliases: str) -> v1.RegisterRequest:
    """Make or find a subject."""
    return v1.RegisterRequest(context=context(), subject_id=subject_id, aliases=aliases)


def show(subject_id: str) -> v1.GetSubjectRequest:
    """Ask what there is of a subject."""
    return v1.GetSubjectRequest(context=context(), subject_id=subject_id)


def link(subject_id: str, alias: str) -> v1.LinkRequest:
    """Give a subject another name."""
    return v1.LinkRequest(context=context(), subject_id=subject_id, alias=alias)


def unlink(alias: str) -> v1.UnlinkRequest:
    """Take a name away."""
    return v1.UnlinkRequest(context=context(), alias=alias)


def restrict(subject_id: str) -> v1.RestrictRequest:
    """Keep a subject's data from being used."""
    return v1.RestrictRequest(context=context(), subject_id=subject_id)


def unrestrict(subject_id: str) -> v1.UnrestrictRequest:
    """Let it be used again."""
    return v1.UnrestrictRequest(context=context(), subject_id=subject_id)


def place_hold(subject_id: str, *, reference: str = REFERENCE, expire_us: int | None = None) -> v1.PlaceHoldRequest:
    """Keep a subject from being erased."""
    request = v1.PlaceHoldRequest(context=context(reference=reference), subject_id=subject_id)
    if expire_us is not None:
        request.expire_time.CopyFrom(at(expire_us))
    return request


def release_hold(subject_id: str, hold_uid: bytes) -> v1.ReleaseHoldRequest:
    """End a hold."""
    return v1.ReleaseHoldRequest(context=context(), subject_id=subject_id, hold_uid=hold_uid)


def at(time_us: int) -> Timestamp:
    """A time."""
    time = Timestamp()
    time.FromMicroseconds(time_us)
    return time


def every_subject(vault: Inside, page_size: int, **options: Any) -> Iterable[v1.Subject]:
    """All subjects, page by page."""
    page_token = ""
    while True:
        page = vault.ask(v1.ListSubjectsRequest(context=context(), page_size=page_size, page_token=page_token), **options)
        yield from page.subjects
        page_token = page.next_page_token
        if not page_token:
            return


def names_of(vault: Inside, subject_id: str, **options: Any) -> list[str]:
    """The other names that lead to a subject."""
    return list(vault.ask(show(subject_id), "admin", **options).subject.aliases)
