"""Filters and times to fields of requests. Whatever names a subject leaves here in a box that does not show it."""

from datetime import UTC, datetime

from pdvault_client._hidden import Hidden
from pdvault_client._requests import Fields, text
from pdvault_client.audit_types import Dimension, EventFilter, NamedKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_filter(wanted: EventFilter | None) -> Hidden[Fields]:
    """An EventFilter: what is set of it.

    Raises:
        TypeError, ValueError: something in it can't be sent.
    """
    if wanted is None:
        return Hidden({})
    fields: dict[str, object] = {}
    for name in wanted.__slots__:
        given = getattr(wanted, name)
        if given:
            fields[name] = time(name, given) if name.endswith("_time") else given
    if "subject_id" in fields:
        fields["subject_id"] = text("subject_id", wanted.subject_id)
    _one_of(fields, "subject_id", "subject_uid")
    _one_of(fields, "token", "token_uid")
    return Hidden(fields)


def subject(subject_id: str, subject_uid: bytes) -> Hidden[Fields]:
    """The subject of a timeline.

    Raises:
        TypeError, ValueError: neither or both are given, or the id can't be sent.
    """
    if bool(subject_id) == bool(subject_uid):
        raise ValueError("give either subject_id or subject_uid")
    return Hidden({"subject_uid": subject_uid} if subject_uid else {"subject_id": text("subject_id", subject_id)})


def suspect(principal: str, certificate_sha256: bytes, node: str, key: NamedKey | None, subject_uid: bytes) -> Fields:
    """Whom or what a breach report is about.

    Raises:
        ValueError: not exactly one is given.
    """
    named = {"kind": int(key.kind), "number": key.number} if key else None
    given = {
        "principal": principal,
        "certificate_sha256": certificate_sha256,
        "node": node,
        "key": named,
        "subject_uid": subject_uid,
    }
    chosen: dict[str, object] = {name: value for name, value in given.items() if value}
    if len(chosen) != 1:
        raise ValueError("give one of principal, certificate_sha256, node, key and subject_uid")
    return chosen


def dimensions(given: "tuple[Dimension, ...] | list[Dimension]") -> list[int]:
    """What to count by."""
    return [int(dimension) for dimension in given]


def time(name: str, given: datetime) -> Fields:
    """A Timestamp.

    Raises:
        ValueError: it has no time zone.
    """
    if given.tzinfo is None:
        raise ValueError(f"{name} needs a time zone, for example datetime.now(UTC)")
    since = given - _EPOCH
    return {"seconds": since.days * 86400 + since.seconds, "nanos": since.microseconds * 1000}


def _one_of(fields: dict[str, object], one: str, other: str) -> None:
    if one in fields and other in fields:
        raise ValueError(f"give either {one} or {other}")
