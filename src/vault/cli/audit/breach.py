"""A breach report: first what it comes to, then subject by subject."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from vault.cli.audit.calling import AuditCalling
from vault.cli.audit.times import Zone
from vault.cli.calling import in_client_words
from vault.cli.clients import audit_client
from vault.cli.output import Fields, chosen, clean, emit, say

if TYPE_CHECKING:
    from pdvault_client import BreachRow, BreachSummary


@dataclass(frozen=True)
class Suspect:
    """Who or what is suspected, and between which times; one of the first three is set."""

    principal: str
    certificate_sha256: bytes
    node: str
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """What to call it."""
        return self.principal or (
            f"certificate {self.certificate_sha256.hex()}" if self.certificate_sha256 else f"node {self.node}"
        )


def report(suspect: Suspect, with_subject_ids: bool, zone: Zone, calling: AuditCalling, output: str | None) -> None:
    """Ask for the report and print it.

    Raises:
        ClickException: something that was given can't be sent.
        VaultError: the vault refused.
    """
    with audit_client(calling) as client, in_client_words():
        asked = client.breach_report(
            suspect.start,
            suspect.end,
            principal=suspect.principal,
            certificate_sha256=suspect.certificate_sha256,
            node=suspect.node,
            with_subject_ids=with_subject_ids,
            **calling.context,
        )
        rows = list(asked)
        summary = asked.summary
    kind = chosen(output)
    if kind == "json":
        emit(kind, _objects(suspect, summary, rows, zone, with_subject_ids))
        return
    write = say if kind == "csv" else click.echo  # a table of rows alone is what a spreadsheet can read
    for line in _summary(suspect, summary, rows, zone):
        write(line)
    if rows or kind == "csv":
        emit(kind, (_fields(row, zone, with_subject_ids) for row in rows))


def _summary(suspect: Suspect, summary: "BreachSummary", rows: Sequence["BreachRow"], zone: Zone) -> Iterator[str]:
    times = " to ".join(f"{zone.here(time):%a %d %b %Y %H:%M:%S}" for time in (suspect.start, suspect.end))
    yield click.style(clean(f"{suspect.name}, {times} ({zone.name})"), bold=True)
    yield (
        f"{summary.subjects:,} subject{'s' * (summary.subjects != 1)} touched in {summary.events:,} "
        f"event{'s' * (summary.events != 1)}, of which {summary.refused:,} refused."
    )
    subjects: dict[str, set[bytes]] = defaultdict(set)
    classes: dict[str, dict[str, None]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.use):
        subjects[row.use.name].add(row.subject_uid)
        classes[row.use.name][row.data_class] = None
    for use, uids in subjects.items():
        named = ", ".join(name for name in classes[use] if name)
        yield clean(f"  {use.lower():<9} {len(uids):>9,} subject{'s' * (len(uids) != 1)}" + (f": {named}" if named else ""))
    yield clean(f"Covered by checkpoint {_reference(summary)}.")


def _objects(
    suspect: Suspect, summary: "BreachSummary", rows: Sequence["BreachRow"], zone: Zone, with_subject_ids: bool
) -> Iterator[Fields]:
    yield {
        "kind": "summary",
        "principal": suspect.principal,
        "certificate_sha256": suspect.certificate_sha256.hex(),
        "node": suspect.node,
        "from": zone.here(suspect.start).isoformat(),
        "to": zone.here(suspect.end).isoformat(),
        "subjects": summary.subjects,
        "events": summary.events,
        "refused": summary.refused,
        "size": summary.size,
        "checkpoint": summary.checkpoint,
    }
    for row in rows:
        yield {"kind": "subject", **_fields(row, zone, with_subject_ids)}


def _fields(row: "BreachRow", zone: Zone, with_subject_ids: bool) -> Fields:
    first, last = (zone.here(time).isoformat(timespec="seconds") if time else "" for time in (row.first_time, row.last_time))
    return {
        "subject_uid": row.subject_uid.hex(),
        **({"subject_id": row.subject_id} if with_subject_ids else {}),
        "class": row.data_class,
        "purpose": row.purpose,
        "use": row.use.name.lower(),
        "form": row.partial_name,
        "events": row.events,
        "first": first,
        "last": last,
        "first_index": row.first_index,
        "last_index": row.last_index,
    }


def _reference(summary: "BreachSummary") -> str:
    """How to call the checkpoint: its log, size and root, as its own first three lines say."""
    origin, size, root = [*summary.checkpoint.split("\n"), "", "", ""][:3]
    return f"{origin}, size {size}, root {root}"
