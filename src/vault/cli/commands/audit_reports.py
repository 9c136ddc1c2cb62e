"""``pdvault audit stats`` and ``breach``: what many events come to."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.audit.calling import AuditCalling, audit_calling_options
from vault.cli.audit.filters import FACETS, TIMES, Filters, filter_options
from vault.cli.audit.parameters import EVENT_UID, Certificate, KeyName
from vault.cli.audit.times import FORMS, When, WhenType, Zone, zone_options
from vault.cli.calling import in_client_words
from vault.cli.clients import audit_client
from vault.cli.output import chosen, emit, say

if TYPE_CHECKING:
    from pdvault_client import Bucket, Count, EventFilter

_DIMENSIONS = {
    "action": "ACTION",
    "decision": "DECISION",
    "principal": "PRINCIPAL",
    "class": "DATA_CLASS",
    "purpose": "PURPOSE",
    "recipient": "RECIPIENT",
    "node": "NODE",
}
_WEEK = timedelta(days=7)
_HOURLY = timedelta(days=8, hours=1)
_STEPS = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}


@click.command(
    short_help="Draw access over time.",
    epilog=options.examples(
        "pdvault audit stats",
        "pdvault audit stats --by principal --action Reveal --from 24h",
        "pdvault audit stats --by class --by purpose --from 2026-01-01 --bucket day -o csv > access.csv",
    ),
)
@filter_options(TIMES, FACETS)
@click.option("--by", multiple=True, type=click.Choice([*_DIMENSIONS]), help="Count each of these apart; several combine.")
@click.option(
    "--bucket",
    type=click.Choice(["hour", "day", "total"]),
    help="How time is cut, in UTC. By default by hour up to eight days, else by day.",
)
@click.option(
    "--count", "measure", type=click.Choice(["events", "items"]), default="events", show_default=True, help="What to draw."
)
@zone_options
@audit_calling_options
@options.report_option
def stats(
    filters: Filters,
    by: tuple[str, ...],
    bucket: str | None,
    measure: str,
    zone: Zone,
    calling: AuditCalling,
    output: str | None,
) -> None:
    """Draw access over time; of seven days up to --to, or to now, unless --from says otherwise.

    Hours that --from and --to fall into are counted whole. Elsewhere than on a terminal: a count for each bucket of time and
    kind. Counts are kept beside the log and can't be proven; the events that `pdvault audit query` finds can.
    """
    from pdvault_client import Bucket, Dimension

    with audit_client(calling) as client, in_client_words():
        wanted = filters.event_filter(calling, zone)
        if wanted.start_time is None:
            wanted = replace(wanted, start_time=(wanted.end_time or datetime.now(UTC)) - _WEEK)
        chosen_bucket = Bucket[bucket.upper()] if bucket else _fitting(wanted)
        dimensions = [Dimension[_DIMENSIONS[name]] for name in by]
        counts = client.aggregate(wanted, bucket=chosen_bucket, by=dimensions, **calling.options).counts
    if chosen(output) == "table" and sys.stdout.isatty() and chosen_bucket is not Bucket.TOTAL:
        _draw(counts, wanted, chosen_bucket, measure, by, zone)
        return
    time = {} if chosen_bucket is Bucket.TOTAL else {"time": None}
    emit(
        output,
        (
            {
                **({"time": zone.here(count.time).isoformat()} if count.time else time),
                **dict(zip(by, count.values, strict=True)),
                "events": count.events,
                "items": count.items,
            }
            for count in counts
        ),
    )


@click.command(
    short_help="Report exactly whose data somebody touched, and how.",
    epilog=options.examples(
        "pdvault audit breach --principal payout --from 2026-03-01T22:00 --to 2026-03-02T06:00",
        "pdvault audit breach --certificate stolen.pem --from 30d --with-subject-ids -o csv > to-notify.csv",
        "pdvault audit breach --node node-3 --from 24h -o json",
        "pdvault audit breach --exposed-key kek:4 --from 2026-01-01 -o table",
    ),
)
@click.option("--principal", metavar="NAME", default="", help="Whom you suspect: a certificate's URI, or its last part.")
@click.option(
    "--certificate",
    "certificate_sha256",
    type=Certificate(),
    metavar="SHA256|FILE",
    default=b"",
    help="Or which certificate: its SHA-256 (hexadecimal), or a PEM file.",
)
@click.option("--node", metavar="NAME", default="", help="Or which node.")
@click.option(
    "--exposed-key",
    type=KeyName(),
    metavar="KIND:NUMBER",
    default="",
    help="Or a key that got out: epoch:7, index:7 or kek:7.",
)
@click.option(
    "--subject-uid", type=EVENT_UID, metavar="HEX", default=b"", help="Or nobody: all that was done to this subject, by its uid."
)
@click.option("--from", "start", type=WhenType(), required=True, metavar="TIME", help=f"At or after this time: {FORMS}.")
@click.option("--to", "end", type=WhenType(), metavar="TIME", help="Before this time; a date is meant to its end. By default now.")
@click.option("--with-subject-ids", is_flag=True, help="Also your own names of the subjects that the vault still knows.")
@zone_options
@audit_calling_options
@options.report_option
def breach(
    principal: str,
    certificate_sha256: bytes,
    node: str,
    exposed_key: str,
    subject_uid: bytes,
    start: When,
    end: When | None,
    with_subject_ids: bool,
    zone: Zone,
    calling: AuditCalling,
    output: str | None,
) -> None:
    """Report exactly whose data somebody touched, and how: after a stolen certificate, or of an insider.

    Subjects are counted as touched if anything of them was released, found, compared or written; what was refused is listed
    apart. The report names the signed checkpoint that covers all of it. At most 500,000 rows: take shorter windows beyond.

    Of a key: when it was in use, what was touched meanwhile, and whose data lay under it, touched or not. Every entry of the log
    is read for a report, and no index is asked, so it takes some minutes for ten million.
    """
    from vault.cli.audit.breach import Suspect, report

    now = datetime.now(UTC)
    if sum(map(bool, (principal, certificate_sha256, node, exposed_key, subject_uid))) != 1:
        raise click.UsageError("give one of --principal, --certificate, --node, --exposed-key and --subject-uid")
    suspect = Suspect(
        calling.full_name(principal),
        certificate_sha256,
        node,
        exposed_key,
        subject_uid,
        start.begin(zone, now),
        end.end(zone, now) if end else now,
    )
    report(suspect, with_subject_ids, zone, calling, output)


def _fitting(wanted: "EventFilter") -> "Bucket":
    from pdvault_client import Bucket

    end = wanted.end_time or datetime.now(UTC)
    return Bucket.HOUR if wanted.start_time and end - wanted.start_time <= _HOURLY else Bucket.DAY


def _draw(
    counts: "tuple[Count, ...]", wanted: "EventFilter", bucket: "Bucket", measure: str, by: tuple[str, ...], zone: Zone
) -> None:
    from rich.console import Console

    from vault.cli.audit.plot import draw, series

    found = series(counts, _STEPS[bucket.name], measure, wanted.start_time, wanted.end_time or datetime.now(UTC))
    if found is None:
        say("Nothing found.")
        return
    title = f"{sum(getattr(count, measure) for count in counts):,} {measure}, by {bucket.name.lower()}"
    draw(Console(highlight=False), found, title, zone, by)
