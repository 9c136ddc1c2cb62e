"""Which events an auditor means: an EventFilter as the contract has it, checked, and matched with facets and leaves."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf import timestamp_pb2

from vault.access.identity import is_principal_name
from vault.audit.index import OTHERS, REQUEST, SUBJECT, TOKEN, Facet, Indexed
from vault.classes.taxonomy import Taxonomy
from vault.errors import FieldViolation, VaultError
from vault.held_tokens import recognised
from vault.store.log.queries import END_OF_TIME, Window
from vault.v1 import audit_pb2, audit_service_pb2, common_pb2

_MICROSECONDS = 1_000_000
NODE_NAME = r"[a-z0-9][a-z0-9.-]{0,62}"
"""What nodes are called (server/config.py)."""
_YEAR_1, _YEAR_10_000 = -62_135_596_800, 253_402_300_800
"""Seconds since 1970: what a google.protobuf.Timestamp may be."""
_FREE_TEXT = ("principal", "recipient", "policy_id", "node")
_COULD_BE: Mapping[str, Callable[[str], bool]] = {
    "principal": lambda text: not text or is_principal_name(text) or (text.startswith("local:") and text.isprintable()),
    "policy_id": str.isprintable,
    "node": lambda text: not text or re.fullmatch(NODE_NAME, text) is not None,
}
"""What these fields may say: what is asked of them stands in the log, so they are no place for notes."""
_LISTS = frozenset({"data_classes", "policy_ids"})
"""Of a facet's fields, those in which a filter names one of several."""
_SHARED = frozenset({Facet._fields.index("purpose"), Facet._fields.index("recipient")})
"""Of a facet's fields, those that a shared one does not say."""
_SECRET = frozenset({"subject_id", "token"})
_NAMED_BY_UID = frozenset({"subject_uid", "token_uid"})


class Mention(NamedTuple):
    """What an event must mention: a kind of mention (audit/index.py) and a uid."""

    kind: int
    uid: bytes


def check(wanted: audit_service_pb2.EventFilter, taxonomy: Taxonomy) -> None:
    """Refuse a filter that means nothing, or that would leave somebody's data in the log, where every read is noted.

    Raises:
        VaultError: INVALID_FIELD, REFERENCE_LOOKS_PERSONAL.
    """
    bounds(wanted)
    for name in _FREE_TEXT:
        text = getattr(wanted, name)
        found = recognised(taxonomy, text)
        if found:
            rule = f"looks like a {found}, which no event holds"
            raise VaultError(
                common_pb2.ERROR_REASON_REFERENCE_LOOKS_PERSONAL,
                f"filter.{name} {rule}",
                violations=[FieldViolation(f"filter.{name}", rule)],
            )
    for name, could_be in _COULD_BE.items():
        if not could_be(getattr(wanted, name)):
            raise invalid(f"filter.{name}", "has a form that no event has")


def refuse_fields(wanted: audit_service_pb2.EventFilter, names: frozenset[str], why: str) -> None:
    """Refuse fields that a method has no use for.

    Raises:
        VaultError: INVALID_FIELD.
    """
    given = sorted(names & {field.name for field, _ in wanted.ListFields()})
    if given:
        raise invalid(f"filter.{given[0]}", f"must not be set: {why}")


def bounds(wanted: Any, prefix: str = "filter.") -> tuple[int, int]:
    """The times of a message with ``start_time`` and ``end_time``, in microseconds: at or after the first, before the second.

    Raises:
        VaultError: INVALID_FIELD.
    """
    start = _microseconds(wanted, "start_time", prefix) if wanted.HasField("start_time") else 0
    end = _microseconds(wanted, "end_time", prefix) if wanted.HasField("end_time") else END_OF_TIME
    if end <= start:
        raise invalid(f"{prefix}end_time", "must be later than start_time")
    return start, end


def noted(wanted: audit_service_pb2.EventFilter) -> Iterator[tuple[str, str]]:
    """What the log may say about a filter: names of all fields, and values but those by which somebody outside could be known."""
    fields = [(field.name, content) for field, content in wanted.ListFields()]
    if fields:
        yield "filters", ",".join(sorted(name for name, _ in fields))
    for name, content in fields:
        if name not in _SECRET | _NAMED_BY_UID:
            yield name, _text(name, content)


class Selection:
    """A filter ready to be matched; its subject and token are named by uid."""

    def __init__(self, wanted: audit_service_pb2.EventFilter) -> None:
        self._wanted = wanted
        self._data_class, self._policy_id = wanted.data_class, wanted.policy_id
        self.start_us, self.end_us = bounds(wanted)
        self.mentions = tuple(_mentions(wanted))
        """What events must mention, that of which there are the fewest events first."""
        self._equal = [
            (place, getattr(wanted, name))
            for place, name in enumerate(Facet._fields)
            if name not in _LISTS and getattr(wanted, name)
        ]

    @property
    def is_all(self) -> bool:
        """Whether every event is meant."""
        return not self._wanted.ListFields()

    def window(self, size: int) -> Window:
        """Where in a log of ``size`` entries matching events can be."""
        return Window.between(size, self.start_us, self.end_us)

    @property
    def is_finer_than_shared(self) -> bool:
        """Whether it takes only some of the events of a shared facet."""
        return any(place in _SHARED for place, _ in self._equal)

    def takes(self, facet: Facet) -> bool:
        """Whether events of a facet can match."""
        for place, value in self._equal:  # looked at for some thousands of facets, mostly one filter each
            if facet[place] != value and (facet[place] != OTHERS or place not in _SHARED):
                return False
        return _among(self._data_class, facet.data_classes) and _among(self._policy_id, facet.policy_ids)

    def matches(self, event: audit_pb2.AuditEvent, indexed: Indexed) -> bool:
        """Whether an event, of which ``indexed`` is what it is found by, is one of those that are meant."""
        return self.start_us <= indexed.time_us < self.end_us and self.matches_but_for_time(event, indexed)

    def matches_but_for_time(self, event: audit_pb2.AuditEvent, indexed: Indexed) -> bool:
        """The same, whenever it was."""
        return (
            all(indexed.facet[place] == value for place, value in self._equal)
            and _among(self._data_class, indexed.facet.data_classes)
            and (not self._wanted.policy_id or self._wanted.policy_id in event.policy_ids)
            and all(mention in indexed.mentions for mention in self.mentions)
        )


def invalid(field: str, rule: str) -> VaultError:
    """The refusal of a field."""
    return VaultError(common_pb2.ERROR_REASON_INVALID_FIELD, f"{field} {rule}", violations=[FieldViolation(field, rule)])


def _mentions(wanted: audit_service_pb2.EventFilter) -> Iterator[Mention]:
    if wanted.request_id:
        yield Mention(REQUEST, bytes.fromhex(wanted.request_id.replace("-", "")))
    if wanted.token_uid:
        yield Mention(TOKEN, wanted.token_uid)
    if wanted.subject_uid:
        yield Mention(SUBJECT, wanted.subject_uid)


def _among(name: str, joined: str) -> bool:
    """Whether a name is among names joined by commas; a name that holds commas itself may be taken for several."""
    return not name or (name in joined and f",{name}," in f",{joined},")


def _microseconds(wanted: Any, name: str, prefix: str) -> int:
    time: timestamp_pb2.Timestamp = getattr(wanted, name)
    if not (0 <= time.nanos < 1_000_000_000 and _YEAR_1 <= time.seconds < _YEAR_10_000):
        raise invalid(f"{prefix}{name}", "must be a time of the years 1 to 9999")
    return max(0, time.seconds * _MICROSECONDS + time.nanos // 1000)


def _text(name: str, content: Any) -> str:
    if name in ("start_time", "end_time"):
        return str(content.ToJsonString())
    if name == "decision":
        return audit_pb2.Decision.Name(content).removeprefix("DECISION_")
    return content.hex() if isinstance(content, bytes) else str(content)
