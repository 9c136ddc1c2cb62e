"""The calls of SubjectService that are about who is who, and whose data may be used: a part of SubjectClient."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Unpack

from pdvault_client import _subject_answers
from pdvault_client._audit_requests import time
from pdvault_client._hidden import Hidden
from pdvault_client._requests import Fields, text
from pdvault_client.connection import Connection
from pdvault_client.options import CallOptions, SeriesOptions
from pdvault_client.subject_types import Hold, Registered, Subject, SubjectsPage


class SubjectCalls(Connection):
    """Names, restricts and holds people, and tells what there is of them."""

    def register(self, subject_id: str, *, aliases: Sequence[str] = (), **options: Unpack[CallOptions]) -> Registered:
        """Make a subject before any value is stored, or find the one that is there.

        Args:
            subject_id: your own name of it.
            aliases: at most 16 other names that shall lead to it.
            options: see CallOptions.

        Raises:
            VaultError: any refusal; with reason ALIAS_TAKEN, one of the other names leads to somebody else.
        """
        if isinstance(aliases, str):
            raise TypeError("aliases must be a sequence; put a single one in a list")
        fields: Fields = {
            "subject_id": text("subject_id", subject_id),
            "aliases": [text("aliases", one) for one in aliases],
        }
        body = Hidden(fields)
        del subject_id, aliases, fields  # error reporters print the locals of frames
        return _subject_answers.registered(self._call("Register", body, **options))

    def get_subject(self, subject_id: str, **options: Unpack[CallOptions]) -> Subject:
        """What the vault holds of a subject, without a value.

        Raises:
            SubjectNotFoundError: the vault knows no such subject; erased ones are unknown.
            VaultError: any other refusal.
        """
        body = _named(subject_id)
        del subject_id  # error reporters print the locals of frames
        return _subject_answers.subject(self._call("GetSubject", body, **options))

    def list_subjects(self, *, page_size: int = 0, **options: Unpack[SeriesOptions]) -> Iterator[Subject]:
        """All subjects in the order of their uids, page by page as you go: who each is, and its state."""
        page_token = ""
        while True:
            page = self.list_subjects_page(page_size=page_size, page_token=page_token, **options)
            yield from page.subjects
            page_token = page.next_page_token
            if not page_token:
                return

    def list_subjects_page(self, *, page_size: int = 0, page_token: str = "", **options: Unpack[CallOptions]) -> SubjectsPage:
        """One page of at most 1,000 subjects; of 100 unless you say otherwise."""
        body: Hidden[Fields] = Hidden({"page_size": page_size, "page_token": page_token})
        return _subject_answers.subjects_page(self._call("ListSubjects", body, **options))

    def link(self, subject_id: str, alias: str, **options: Unpack[CallOptions]) -> None:
        """Let another name lead to a subject.

        Raises:
            SubjectNotFoundError: the vault knows no such subject.
            VaultError: any other refusal; with reason ALIAS_TAKEN, the name leads to somebody else.
        """
        body: Hidden[Fields] = Hidden({"subject_id": text("subject_id", subject_id), "alias": text("alias", alias)})
        del subject_id, alias  # error reporters print the locals of frames
        self._call("Link", body, **options)

    def unlink(self, alias: str, **options: Unpack[CallOptions]) -> None:
        """Take a name away that was linked; the one that a subject was made with stays.

        Raises:
            SubjectNotFoundError: the name leads to nobody.
            VaultError: any other refusal.
        """
        body: Hidden[Fields] = Hidden({"alias": text("alias", alias)})
        del alias  # error reporters print the locals of frames
        self._call("Unlink", body, **options)

    def restrict(self, subject_id: str, **options: Unpack[CallOptions]) -> None:
        """Keep a subject's data from being used: it is stored, and may be erased, and nothing else.

        Raises:
            SubjectNotFoundError: the vault knows no such subject.
            VaultError: any other refusal.
        """
        body = _named(subject_id)
        del subject_id  # error reporters print the locals of frames
        self._call("Restrict", body, **options)

    def unrestrict(self, subject_id: str, **options: Unpack[CallOptions]) -> None:
        """Let it be used again.

        Raises:
            SubjectNotFoundError: the vault knows no such subject.
            VaultError: any other refusal.
        """
        body = _named(subject_id)
        del subject_id  # error reporters print the locals of frames
        self._call("Unrestrict", body, **options)

    def place_hold(self, subject_id: str, *, expire_time: datetime | None = None, **options: Unpack[CallOptions]) -> Hold:
        """Keep a subject from being erased, for as long as the law demands.

        Args:
            subject_id: one of its names.
            expire_time: when it ends by itself, with a time zone; never, if None.
            options: see CallOptions; ``reference`` must say why.

        Raises:
            SubjectNotFoundError: the vault knows no such subject.
            VaultError: any other refusal.
        """
        until: Fields = {} if expire_time is None else {"expire_time": time("expire_time", expire_time)}
        body: Hidden[Fields] = Hidden({"subject_id": text("subject_id", subject_id), **until})
        del subject_id  # error reporters print the locals of frames
        return _subject_answers.hold(self._call("PlaceHold", body, **options))

    def release_hold(self, subject_id: str, hold_uid: bytes, **options: Unpack[CallOptions]) -> None:
        """End a hold.

        Raises:
            SubjectNotFoundError: the vault knows no such subject.
            VaultError: any other refusal; with reason NOT_FOUND, the subject has no such hold.
        """
        body: Hidden[Fields] = Hidden({"subject_id": text("subject_id", subject_id), "hold_uid": hold_uid})
        del subject_id  # error reporters print the locals of frames
        self._call("ReleaseHold", body, **options)


def _named(subject_id: str) -> Hidden[Fields]:
    return Hidden({"subject_id": text("subject_id", subject_id)})
