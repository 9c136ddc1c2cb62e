"""``pdvault audit``: the log of who touched whose data. Here: looking at its events."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.audit.calling import AuditCalling, audit_calling_options
from vault.cli.audit.filters import FACETS, MENTIONS, SUBJECTS, TIMES, Filters, filter_options
from vault.cli.audit.times import Zone, zone_options
from vault.cli.commands.audit_proofs import checkpoint, export, prove
from vault.cli.commands.audit_reports import breach, stats
from vault.cli.commands.audit_verify import verify
from vault.cli.output import Fields, chosen, emit, say
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import Event, TimelinePage
    from vault.cli.audit.rows import Names

_SHOWN = 100
_MOST_LINES = 1000

_EPILOG = """\b
Look:      query, tail, timeline
Count:     stats, breach
Prove:     checkpoint, prove, export
Check:     verify, offline
\b
Every call is itself an event in the log. Role: auditor."""


@click.group(short_help="The log of who touched whose data, and its proofs.", epilog=_EPILOG)
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
    from vault.cli.audit.reading import found
    from vault.cli.audit.rows import Names

    names = Names()
    emit(output, map(_printer(output, zone, names, with_leaf), found(filters, limit, zone, calling)))
    for short, whole in names.shortened():
        say(clean(f"{short} is {whole}"))


@audit.command(
    short_help="Follow the log, a line an event, until Ctrl-C.",
    epilog=options.examples(
        "pdvault audit tail",
        "pdvault audit tail --decision denied --lines 0",
        "pdvault audit tail --since-index 0 -o json >> /var/log/vault-events.jsonl",
    ),
)
@filter_options(FACETS, MENTIONS)
@click.option("--since-index", type=click.IntRange(0), metavar="INDEX", help="Begin with this entry of the log, instead of now.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, _MOST_LINES),
    default=10,
    show_default=True,
    help="How many earlier events to begin with.",
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
    from vault.cli.audit.reading import followed
    from vault.cli.audit.rows import Names, line

    names = Names()
    show = _printer(output, zone, names, with_leaf)
    with closing(followed(filters, since_index, lines, zone, calling)) as events, suppress(KeyboardInterrupt):
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
    from vault.cli.audit.reading import timeline as read
    from vault.cli.audit.rows import Names
    from vault.cli.audit.story import alone

    pages = read(filters, zone, calling)
    if chosen(output) == "table":
        _tell(list(pages), zone)
        return
    show = _printer(output, zone, Names(), with_leaf=False)
    emit(output, (show(alone(event, page.subject_uid)) for page in pages for event in page.events))


def _tell(pages: "Sequence[TimelinePage]", zone: Zone) -> None:
    """Print the story."""
    from vault.cli.audit.story import tell

    events = [event for page in pages for event in page.events]
    if not events:
        say("Nothing found.")
        return
    uid = pages[0].subject_uid
    days = " to ".join(dict.fromkeys(f"{zone.here(event.time):%d %b %Y}" for event in (events[0], events[-1])))
    click.secho(f"Subject {uid.hex()}: {len(events)} event{'s' * (len(events) > 1)}, {days}. Times: {zone.name}.", bold=True)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for text, style in tell(events, uid, zone, width):
        if style == "bold":
            click.secho(text, bold=True)
        else:
            click.secho(text, fg=style or None)


def _printer(output: str | None, zone: Zone, names: "Names", with_leaf: bool) -> "Callable[[Event], Fields]":
    """How an event becomes what is printed."""
    from base64 import b64encode

    from vault.cli.audit.rows import brief, flat, whole

    kind = chosen(output)
    if kind == "table":
        return lambda event: brief(event, zone, names)
    fields = whole if kind == "json" else flat

    def show(event: "Event") -> Fields:
        leaf = {"leaf_base64": b64encode(event.leaf).decode()} if with_leaf else {}
        return {**fields(event, zone), **leaf}

    return show
