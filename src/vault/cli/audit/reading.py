"""Events on their way from the vault: those found, those added while we wait, those of one subject."""

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import click

from vault.cli.audit.calling import AuditCalling
from vault.cli.audit.filters import Filters, matches
from vault.cli.audit.story import alone
from vault.cli.audit.times import Zone
from vault.cli.calling import in_client_words
from vault.cli.clients import audit_client
from vault.cli.output import say

if TYPE_CHECKING:
    from pdvault_client import Event, Tail, TimelinePage

MAX_PAGE = 1000
"""The most events a page has."""


def found(filters: Filters, limit: int, zone: Zone, calling: AuditCalling) -> "Iterator[Event]":
    """Events that match, newest first; says on stderr if there are more."""
    with audit_client(calling) as client, in_client_words():
        events = client.query(filters.event_filter(calling, zone), page_size=min(limit + 1, MAX_PAGE), **calling.options)
        yield from islice(events, limit)
        if next(events, None):
            say(f"These are the newest {limit}; there are more: --limit prints more, --from and --to others.")


def followed(
    filters: Filters, since_index: int | None, lines: int, zone: Zone, calling: AuditCalling
) -> "Generator[Event, None, None]":
    """Events as they are added; says on stderr at the end where to go on.

    Args:
        filters: which.
        since_index: where to begin; now if None.
        lines: how many earlier ones to begin with, in that case.
        zone: of times.
        calling: who asks.
    """
    with audit_client(calling) as client, in_client_words():
        wanted = filters.event_filter(calling, zone)
        if since_index is None and lines:
            page = client.query_page(wanted, page_size=lines, **calling.options)
            yield from reversed(page.events)
            since_index = page.size
        with client.tail(wanted, start_index=since_index, **calling.context) as events:
            try:
                with _ending_by_ctrl_c(events):
                    yield from events
            finally:  # Ctrl-C, a pipe that nobody reads, a refusal
                if events.next_index is not None:
                    say(f"To go on: --since-index {events.next_index}")


@contextmanager
def _ending_by_ctrl_c(tail: "Tail") -> Iterator[None]:
    """Ctrl-C closes the tail. A KeyboardInterrupt would be lost where gRPC calls back into Python."""

    def close(*_: object) -> None:
        threading.Thread(target=tail.close, daemon=True).start()  # whoever was interrupted may hold a lock that closing takes

    before = signal.signal(signal.SIGINT, close)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def timeline(filters: Filters, zone: Zone, calling: AuditCalling) -> "Iterator[TimelinePage]":
    """One subject's pages, with those of their events that match in what they say of this subject.

    Raises:
        UsageError: no subject is named.
    """
    with audit_client(calling) as client, in_client_words():
        wanted = filters.event_filter(calling, zone)
        if not (wanted.subject_id or wanted.subject_uid):
            raise click.UsageError("give --subject-id or --subject-uid: whose story?")
        page_token = ""
        while True:
            page = client.timeline_page(
                subject_id=wanted.subject_id,
                subject_uid=wanted.subject_uid,
                page_size=MAX_PAGE,
                page_token=page_token,
                **calling.options,
            )
            events = (event for event in page.events if matches(alone(event, page.subject_uid), wanted))
            yield replace(page, events=tuple(events))
            page_token = page.next_page_token
            if not page_token:
                return
