"""``pdvault audit``: the log of who touched whose data. Here: looking at its events."""

import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.audit_calling import AuditCalling, audit_calling_options
from vault.cli.audit_filters import FACETS, MENTIONS, SUBJECTS, TIMES, Filters, filter_options
from vault.cli.audit_times import Zone, zone_options
from vault.cli.calling import in_client_words
from vault.cli.commands.audit_proofs import checkpoint, export, prove
from vault.cli.commands.audit_reports import breach, stats
from vault.cli.commands.audit_verify import verify
from vault.cli.output import Fields, chosen, clean, emit, say

if TYPE_CHECKING:
    from pdvault_client import Event, TimelinePage
    from vault.cli.audit_rows import Names

_SHOWN = 100
_PAGE = 1000

_EPILOG = """\b
Look:      query, tail, timeline
Count:     stats, breach
Prove:     checkpoint, prove, export
Check:     verify, offline
\b
Every call is itself an event in the log. Role: auditor."""


@click.group(epilog=_EPILOG)
def audit() -> None:
    """The log of who touched whose data, when and why; and the proofs that it is complete."""


for _command in (stats, breach, checkpoint, prove, export, verify):
    audit.add_command(_command)


@audit.command(
    epilog=options.examples(
        "pdvault audit query --from 7d --decision denied",
        "pdvault audit query --from 2026-03-01 --to 2026-03-31 --principal payout --class bank_account",
        "pdvault audit query --subject-id customer-17 --action Reveal -o csv > seen.csv",
        "pdvault audit query --certificate stolen.pem --from 2h -o json | jq -r .request_id",
    )
)
@filter_options(TIMES, FACETS, MENTIONS)
@click.option("--limit", type=click.IntRange(1), default=_SHOWN, show_default=True, help="The most events to print.")
@click.option(
    "--with-leaf", is_flag=True, help="With JSON and CSV: also the exact bytes that the log's tree is made of, in base64."
)
@zone_options
@audit_calling_options
@options.report_option
def query(filters: Filters, limit: int, with_leaf: bool, zone: Zone, calling: AuditCalling, output: str | None) -> None:
    """Find events, newest first.

    An event must match every option that is given. Subjects and tokens are found by your own names for them only as long as the
    vault knows them; their uids, which events have, are found for ever.
    """
    from vault.cli.audit_rows import Names

    names = Names()
    emit(output, _found(filters, limit, zone, calling, _printer(output, zone, names, with_leaf)))
    _explain(names)


@audit.command(
    epilog=options.examples(
        "pdvault audit tail",
        "pdvault audit tail --decision denied --lines 0",
        "pdvault audit tail --since-index 0 -o json >> /var/log/vault-events.jsonl",
    )
)
@filter_options(FACETS, MENTIONS)
@click.option("--since-index", type=click.IntRange(0), metavar="INDEX", help="Begin with this entry of the log, instead of now.")
@click.option(
    "-n", "--lines", type=click.IntRange(0, _PAGE), default=10, show_default=True, help="How many earlier events to begin with."
)
@click.option(
    "--with-leaf", is_flag=True, help="With JSON and CSV: also the exact bytes that the log's tree is made of, in base64."
)
@zone_options
@audit_calling_options
@options.report_option
def tail(
    filters: Filters,
    since_index: int | None,
    lines: int,
    with_leaf: bool,
    zone: Zone,
    calling: AuditCalling,
    output: str | None,
) -> None:
    """Follow the log: events as they are added, a line each, until Ctrl-C.

    Goes on by itself when the connection breaks or the server restarts, without a gap. When it ends it says where to go on with
    --since-index.
    """
    from vault.cli.audit_rows import Names, line

    names = Names()
    show = _printer(output, zone, names, with_leaf)
    with closing(_followed(filters, since_index, lines, zone, calling)) as events, suppress(KeyboardInterrupt):
        if chosen(output) == "table":
            for event in events:
                click.echo(line(event, zone, names))
        else:
            emit(output, map(show, events))


@audit.command(
    epilog=options.examples(
        "pdvault audit timeline --subject-id customer-17",
        "pdvault audit timeline --subject-id @id.txt --from 2026-03-01 --action Reveal --zone Europe/Vienna",
        "pdvault audit timeline --subject-uid 1f0c4b0e8a5e0c7d1f0b6a110d9d5a9e -o json",
    )
)
@filter_options(SUBJECTS, TIMES, FACETS)
@zone_options
@audit_calling_options
@options.report_option
def timeline(filters: Filters, zone: Zone, calling: AuditCalling, output: str | None) -> None:
    """Tell everything that happened to one subject, oldest first.

    Of calls about several subjects only what concerns this one is told. As a table it is a story, by day; events that say the
    same one after the other are told together.
    """
    pages = _timeline(filters, zone, calling)
    if chosen(output) != "table":
        emit(output, _timeline_rows(pages, output, zone))
        return
    from vault.cli.audit_story import tell

    read = list(pages)
    events = [event for page in read for event in page.events]
    if not events:
        say("Nothing found.")
        return
    uid = read[0].subject_uid
    days = " to ".join(dict.fromkeys(f"{zone.here(event.time):%d %b %Y}" for event in (events[0], events[-1])))
    click.secho(f"Subject {uid.hex()}: {len(events)} event{'s' * (len(events) > 1)}, {days}. Times: {zone.name}.", bold=True)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for told in tell(events, uid, zone, width):
        click.echo(told)


def _found(filters: Filters, limit: int, zone: Zone, calling: AuditCalling, show: "Callable[[Event], Fields]") -> Iterator[Fields]:
    with calling.client() as client, in_client_words():
        events = client.query(filters.event_filter(calling, zone), page_size=min(limit + 1, _PAGE), **calling.options)
        yield from map(show, islice(events, limit))
        if next(events, None):
            say(f"These are the newest {limit}; there are more: --limit prints more, --from and --to others.")


def _followed(
    filters: Filters, since_index: int | None, lines: int, zone: Zone, calling: AuditCalling
) -> "Generator[Event, None, None]":
    with calling.client() as client, in_client_words():
        wanted = filters.event_filter(calling, zone)
        if since_index is None and lines:
            page = client.query_page(wanted, page_size=lines, **calling.options)
            yield from reversed(page.events)
            since_index = page.size
        with client.tail(wanted, start_index=since_index, **calling.context) as events:
            try:
                yield from events
            finally:  # Ctrl-C, a pipe that nobody reads, a refusal
                if events.next_index is not None:
                    say(f"To go on: --since-index {events.next_index}")


def _timeline(filters: Filters, zone: Zone, calling: AuditCalling) -> "Iterator[TimelinePage]":
    """The pages, with those of their events that match in what they say of this subject."""
    from dataclasses import replace

    from vault.cli.audit_filters import matches
    from vault.cli.audit_story import alone

    with calling.client() as client, in_client_words():
        wanted = filters.event_filter(calling, zone)
        if not (wanted.subject_id or wanted.subject_uid):
            raise click.UsageError("give --subject-id or --subject-uid: whose story?")
        page_token = ""
        while True:
            page = client.timeline_page(
                subject_id=wanted.subject_id,
                subject_uid=wanted.subject_uid,
                page_size=_PAGE,
                page_token=page_token,
                **calling.options,
            )
            found = (event for event in page.events if matches(alone(event, page.subject_uid), wanted))
            yield replace(page, events=tuple(found))
            page_token = page.next_page_token
            if not page_token:
                return


def _timeline_rows(pages: "Iterator[TimelinePage]", output: str | None, zone: Zone) -> Iterator[Fields]:
    from vault.cli.audit_rows import Names
    from vault.cli.audit_story import alone

    show = _printer(output, zone, Names(), with_leaf=False)
    for page in pages:
        yield from (show(alone(event, page.subject_uid)) for event in page.events)


def _printer(output: str | None, zone: Zone, names: "Names", with_leaf: bool) -> "Callable[[Event], Fields]":
    """How an event becomes what is printed."""
    from base64 import b64encode

    from vault.cli.audit_rows import brief, flat, whole

    kind = chosen(output)
    if kind == "table":
        return lambda event: brief(event, zone, names)
    fields = whole if kind == "json" else flat

    def show(event: "Event") -> Fields:
        leaf = {"leaf_base64": b64encode(event.leaf).decode()} if with_leaf else {}
        return {**fields(event, zone), **leaf}

    return show


def _explain(names: "Names") -> None:
    for short, whole in names.shortened():
        say(clean(f"{short} is {whole}"))
