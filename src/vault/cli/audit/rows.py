"""Events as rows: everything for programs, one flat row for spreadsheets, the essence for tables and lines."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from vault.cli.audit.times import Zone
from vault.cli.output import Fields
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import Event, Touched


class Names:
    """Short names of principals: the last part of a URI, as long as nobody else has the same."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def short(self, principal: str) -> str:
        """The shortest name that is only this principal's."""
        last = principal.rsplit("/", 1)[-1]
        return last if self._taken.setdefault(last, principal) == principal else principal

    def shortened(self) -> list[tuple[str, str]]:
        """The short names that were given and what they stand for, where they differ."""
        return [(short, whole) for short, whole in sorted(self._taken.items()) if short != whole]


def whole(event: "Event", zone: Zone) -> dict[str, Any]:
    """Everything that an event says, for JSON."""
    return {
        "index": event.index,
        "time": _time(event, zone),
        "principal": event.principal,
        "action": event.action,
        "decision": event.decision.name,
        "reason": event.reason,
        "purpose": event.purpose,
        "ground": event.ground,
        "reference": event.reference,
        "recipient": event.recipient,
        "policy_ids": list(event.policy_ids),
        "roles": list(event.roles),
        "request_id": event.request_id,
        "node": event.node,
        "certificate_sha256": event.certificate_sha256.hex(),
        "touched": [_touched(touched) for touched in event.touched],
        "details": dict(sorted(event.details.items())),
    }


def flat(event: "Event", zone: Zone) -> Fields:
    """The same in cells; what was touched is text, with the subjects and tokens of all classes together."""
    row = whole(event, zone)
    row["touched"] = what(event)
    row["subject_uids"] = list(dict.fromkeys(uid.hex() for touched in event.touched for uid in touched.subject_uids))
    row["token_uids"] = [uid.hex() for touched in event.touched for uid in touched.token_uids]
    row["details"] = _details(event)
    return row


def brief(event: "Event", zone: Zone, names: Names) -> Fields:
    """The essence, for a table."""
    return {
        "index": event.index,
        "time": zone.here(event.time).isoformat(" ", "seconds"),
        "who": names.short(event.principal),
        "did": event.action,
        "and it was": outcome(event),
        "purpose": event.purpose,
        "reference": event.reference,
        "what": what(event),
    }


def line(event: "Event", zone: Zone, names: Names) -> str:
    """The essence in a line, as it happens."""
    said = [
        f"{zone.here(event.time):%H:%M:%S}",
        f"#{event.index}",
        names.short(event.principal),
        event.action,
        outcome(event),
        event.purpose and f"for {event.purpose}",
        event.reference,
        what(event),
    ]
    return clean("  ".join(part for part in said if part))


def outcome(event: "Event") -> str:
    """How it ended, and why if not well."""
    return f"{event.decision.name.lower()} {event.reason}".rstrip()


def what(event: "Event") -> str:
    """How many items of which classes in which form; or what an act of administration was about."""
    counted: Counter[str] = Counter()
    for touched in event.touched:
        counted[f"{touched.data_class or 'unknown'} {form(touched)}".rstrip()] += touched.count
    items = [f"{count} {name}" for name, count in counted.items() if count]
    asked = [f"search in {touched.data_class}" for touched in event.touched if touched.queries]
    return ", ".join(items + asked + _details(event))


def form(touched: "Touched") -> str:
    """In which form: PLAIN, masked, or the partial form's name."""
    if touched.form is None:
        return ""
    kind = touched.form.kind.name
    return touched.form.partial_name or (kind if kind == "PLAIN" else kind.lower())


def _touched(touched: "Touched") -> Fields:
    return {
        "data_class": touched.data_class,
        "form": touched.form.kind.name if touched.form else "",
        "partial_name": touched.form.partial_name if touched.form else "",
        "count": touched.count,
        "reason": touched.reason,
        "change": touched.change.name if touched.change else "",
        "mismatched": touched.mismatched,
        "queries": touched.queries,
        "subject_uids": [uid.hex() for uid in touched.subject_uids],
        "token_uids": [uid.hex() for uid in touched.token_uids],
    }


def _details(event: "Event") -> list[str]:
    return [f"{name}={value}" for name, value in sorted(event.details.items())]


def _time(event: "Event", zone: Zone) -> str:
    return zone.here(event.time).isoformat(timespec="microseconds")
