"""One subject's events as a story that people can read: by day, a sentence an event, those alike together."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from vault.audit.actions import ERASED, REKEYED
from vault.cli.audit.rows import Names, form
from vault.cli.audit.times import Zone
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import Event, Touched

_VERBS = {
    "Tokenize": ("stored", "store"),
    "Reveal": ("revealed", "reveal"),
    "Verify": ("compared a candidate with", "compare a candidate with"),
    "Search": ("found by a search", "find by a search"),
    "Describe": ("looked up what is known of", "look up what is known of"),
    "Update": ("replaced", "replace"),
    "Delete": ("deleted", "delete"),
    "Encrypt": ("encrypted", "encrypt"),
    "Decrypt": ("decrypted", "decrypt"),
    "Reencrypt": ("encrypted under a newer key", "encrypt under a newer key"),
    "Register": ("registered this subject", "register this subject"),
    "GetSubject": ("looked up what there is of this subject", "look up what there is of this subject"),
    "ListSubjects": ("listed this subject", "list this subject"),
    "Link": ("gave this subject another name", "give this subject another name"),
    "Unlink": ("took a name away from this subject", "take a name away from this subject"),
    "Restrict": ("restricted this subject", "restrict this subject"),
    "Unrestrict": ("let this subject's data be used again", "let this subject's data be used again"),
    "PlaceHold": ("placed a hold on this subject", "place a hold on this subject"),
    "ReleaseHold": ("released a hold on this subject", "release a hold on this subject"),
    "Erase": ("began to erase this subject", "erase this subject"),
    ERASED: ("erased", "erase"),
    "Rekey": ("asked for new keys of this subject", "ask for new keys of this subject"),
    REKEYED: ("re-keyed", "re-key"),
    "SubjectTimeline": ("read this history", "read this history"),
    "Query": ("queried the log about this subject", "query the log about this subject"),
    "Tail": ("followed the log about this subject", "follow the log about this subject"),
    "BreachReport": ("reported what was done to this subject", "report what was done to this subject"),
}
"""What callers did, and what they would have done."""

_DONE = ("ALLOWED", "PARTIAL")
_COLOURS = {"DENIED": "red", "FAILED": "red", "PARTIAL": "yellow"}
_INDENT = 7


class Told(NamedTuple):
    """An event, told."""

    event: "Event"
    sentence: str


class Line(NamedTuple):
    """A line of the story, and how it stands out: ``bold``, a colour, or not at all."""

    text: str
    style: str = ""


def tell(events: Iterable["Event"], subject_uid: bytes, zone: Zone, width: int | None) -> Iterator[Line]:
    """The story, line by line.

    Args:
        events: oldest first.
        subject_uid: whom it is about.
        zone: whose days and clocks.
        width: columns to wrap at; None never.
    """
    names = Names()
    told = [_told(event, subject_uid, names) for event in events]
    for _, day in groupby(told, lambda one: zone.here(one.event.time).date()):
        yield from _day(list(day), zone, width)
    if names.shortened():
        yield Line("")
        yield from (Line(clean(f"{short} is {whole}")) for short, whole in names.shortened())


def about(event: "Event", subject_uid: bytes) -> list["Touched"]:
    """What the event touched of this subject; everything where it names no subjects."""
    return [touched for touched in event.touched if not touched.subject_uids or subject_uid in touched.subject_uids]


def alone(event: "Event", subject_uid: bytes) -> "Event":
    """The event without what it touched of others. Of an entry about several subjects, tokens are left out: nobody knows whose."""
    return replace(
        event,
        touched=tuple(
            touched if len(touched.subject_uids) < 2 else replace(touched, subject_uids=(subject_uid,), token_uids=())
            for touched in about(event, subject_uid)
        ),
    )


def sentence(event: "Event", subject_uid: bytes, names: Names) -> str:
    """What happened, in a sentence."""
    touched = about(event, subject_uid)
    done = [item for item in touched if not item.reason]
    refused = [item for item in touched if item.reason]
    decision = event.decision.name
    said = f"{names.short(event.principal) or 'somebody'} {_did(event, done) if decision in _DONE else _tried(event, touched)}"
    said += f" for {event.purpose}" if event.purpose else ""
    for word, value in (("ground", event.ground), ("reference", event.reference), ("released to", event.recipient)):
        said += f", {word} {value}" if value else ""
    said += f" — {decision.lower()}"
    said += f" by {', '.join(event.policy_ids)}" if event.policy_ids and decision != "FAILED" else ""
    if decision in _DONE:
        said += "".join(f"; not {_things([item]) or 'all'}: {item.reason}" for item in refused)
    elif event.reason:
        said += f": {event.reason}"
    return clean(said)


def _told(event: "Event", subject_uid: bytes, names: Names) -> Told:
    return Told(event, sentence(event, subject_uid, names))


def _day(told: Sequence[Told], zone: Zone, width: int | None) -> Iterator[Line]:
    yield Line("")
    yield Line(f"{zone.here(told[0].event.time):%a %d %B %Y}", "bold")
    for _, alike in groupby(told, lambda one: one.sentence):
        group = list(alike)
        first, last = (f"{zone.here(one.event.time):%H:%M}" for one in (group[0], group[-1]))
        places = f"#{group[0].event.index}" + (f" to #{group[-1].event.index}, {len(group)} times" if len(group) > 1 else "")
        until = f" (until {last})" if last != first else ""
        text = f"{first}  {group[0].sentence}{until} [{places}]"
        indent = " " * _INDENT
        lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) if width else [text]
        yield from (Line(line, _COLOURS.get(group[0].event.decision.name, "")) for line in lines)


def _did(event: "Event", group: Sequence["Touched"]) -> str:
    """What was done, and with what."""
    past = _VERBS.get(event.action, (f"called {event.action} on", ""))[0]
    if event.action == "Tokenize" and not any(touched.change for touched in group):
        past = "asked for the token of"
    compared = _compared(group) if event.action == "Verify" else ""
    return f"{past}{_object(event, group)}{compared}{_among(group)}"


def _tried(event: "Event", group: Sequence["Touched"]) -> str:
    """What was refused, or failed."""
    return f"tried to {_VERBS.get(event.action, ('', f'call {event.action} on'))[1]}{_object(event, group)}"


def _object(event: "Event", group: Sequence["Touched"]) -> str:
    things = _things(group)
    return f" {things}" if things else "" if event.action in _VERBS else " this subject"


def _things(group: Sequence["Touched"]) -> str:
    """Which classes in which forms, those of one form together."""
    by_form: dict[str, dict[str, None]] = {}
    for touched in group:
        if touched.data_class:
            by_form.setdefault(form(touched), {})[f"the {touched.data_class.replace('_', ' ')}"] = None
    parts = [_listed([*names]) + (f" ({'all ' * (len(names) > 1)}{kind})" if kind else "") for kind, names in by_form.items()]
    return _listed(parts)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _compared(group: Sequence["Touched"]) -> str:
    count, mismatched = (sum(getattr(touched, name) for touched in group) for name in ("count", "mismatched"))
    if count == 1:
        return " (it differed)" if mismatched else " (it was equal)"
    return f" ({mismatched} of {count} differed)"


def _among(group: Sequence["Touched"]) -> str:
    others = max((len(touched.subject_uids) for touched in group), default=1) - 1
    return f" (and of {others} other{'s' if others > 1 else ''})" if others > 0 else ""
