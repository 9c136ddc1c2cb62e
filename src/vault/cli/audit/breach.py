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
from vault.cli.output import Fields, chosen, emit, say
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import BreachRow, BreachSummary, KeyLife


@dataclass(frozen=True)
class Suspect:
    """Who or what is suspected, and between which times; one of the first five is set."""

    principal: str
    certificate_sha256: bytes
    node: str
    key: str
    subject_uid: bytes
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """What to call it."""
        if self.key:
            return f"key {self.key}"
        if self.subject_uid:
            return f"all that was done to subject {self.subject_uid.hex()}"
        return self.principal or (
            f"certificate {self.certificate_sha256.hex()}" if self.certificate_sha256 else f"node {self.node}"
        )


def report(suspect: Suspect, with_subject_ids: bool, zone: Zone, calling: AuditCalling, output: str | None) -> None:
    """Ask for the report and print it.

    Raises:
        ClickException: something that was given can't be sent.
        VaultError: the vault refused.
    """
    from pdvault_client import KeyKind, NamedKey

    kind, _, number = suspect.key.partition(":")
    with audit_client(calling) as client, in_client_words():
        asked = client.breach_report(
            suspect.start,
            suspect.end,
            principal=suspect.principal,
            certificate_sha256=suspect.certificate_sha256,
            node=suspect.node,
            key=NamedKey(KeyKind[kind.upper()], int(number)) if suspect.key else None,
            subject_uid=suspect.subject_uid,
            with_subject_ids=with_subject_ids,
            **calling.context,
        )
        rows = list(asked)
        summary = asked.summary
    form = chosen(output)
    if form == "json":
        emit(form, _objects(suspect, summary, rows, zone, with_subject_ids))
        return
    write = say if form == "csv" else click.echo  # a table of rows alone is what a spreadsheet can read
    for line in _summary(suspect, summary, rows, zone):
        write(line)
    if rows or form == "csv":
        emit(form, (_fields(row, zone, with_subject_ids) for row in rows))


def _summary(suspect: Suspect, summary: "BreachSummary", rows: Sequence["BreachRow"], zone: Zone) -> Iterator[str]:
    times = " to ".join(f"{zone.here(time):%a %d %b %Y %H:%M:%S}" for time in (suspect.start, suspect.end))
    yield click.style(clean(f"{suspect.name}, {times} ({zone.name})"), bold=True)
    yield (
        f"{summary.subjects:,} subject{'s' * (summary.subjects != 1)} touched in {summary.events:,} "
        f"event{'s' * (summary.events != 1)}, of which {summary.refused:,} refused."
    )
    if summary.key_life:
        yield from _exposure(summary.key_life, summary.exposed_subjects, zone)
    subjects: dict[str, set[bytes]] = defaultdict(set)
    classes: dict[str, dict[str, None]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.use):
        subjects[row.use.name].add(row.subject_uid)
        classes[row.use.name][row.data_class] = None
    for use, uids in subjects.items():
        named = ", ".join(name for name in classes[use] if name)
        yield clean(f"  {use.lower():<9} {len(uids):>9,} subject{'s' * (len(uids) != 1)}" + (f": {named}" if named else ""))
    yield clean(f"Covered by checkpoint {_reference(summary)}.")


def _exposure(life: "KeyLife", exposed: int, zone: Zone) -> Iterator[str]:
    """When a key was in use, and what it opens."""
    begin = f"since {zone.here(life.begin_time):%a %d %b %Y %H:%M:%S}" if life.begin_time else "since before this log began"
    end = f"until {zone.here(life.end_time):%a %d %b %Y %H:%M:%S}" if life.end_time else "and still is"
    yield clean(f"In use {begin} {end}: {', '.join(life.keys)}.")
    yield (
        f"{exposed:,} subject{'s' * (exposed != 1)} lay under it, touched or not: whoever has the key and the rows of that time, "
        "from the database or a backup, can read them."
    )
    if life.end_time is None:
        yield "Rotate now (`pdvault keys rotate`): what is written until then lies under it too."
    elif life.destroy_time is None:
        yield "What wrapped it is not destroyed yet (`pdvault keys destroy`): backups of that time still open with the KMS."


def _objects(
    suspect: Suspect, summary: "BreachSummary", rows: Sequence["BreachRow"], zone: Zone, with_subject_ids: bool
) -> Iterator[Fields]:
    yield {
        "kind": "summary",
        "principal": suspect.principal,
        "certificate_sha256": suspect.certificate_sha256.hex(),
        "node": suspect.node,
        "key": suspect.key,
        "subject": suspect.subject_uid.hex(),
        "from": zone.here(suspect.start).isoformat(),
        "to": zone.here(suspect.end).isoformat(),
        "subjects": summary.subjects,
        "events": summary.events,
        "refused": summary.refused,
        "size": summary.size,
        "checkpoint": summary.checkpoint,
        **(_life(summary.key_life, summary.exposed_subjects, zone) if summary.key_life else {}),
    }
    for row in rows:
        yield {"kind": "subject", **_fields(row, zone, with_subject_ids)}


def _life(life: "KeyLife", exposed: int, zone: Zone) -> Fields:
    times = {"in_use_from": life.begin_time, "in_use_to": life.end_time, "destroyed": life.destroy_time}
    said = {name: zone.here(time).isoformat() if time else "" for name, time in times.items()}
    indexes = {"in_use_from_index": life.begin_index, "in_use_to_index": life.end_index}
    return {"keys": ",".join(life.keys), **said, **indexes, "exposed_subjects": exposed}


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
