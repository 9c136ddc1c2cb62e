"""When a tenant's key was in use, and whose data lay under it: by the log's own entries.

A rotation's entry names the keys that it makes, another those of which nothing is left. Between the two every subject that there
was had its keys, or its fingerprints, under the key.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from vault.audit.actions import ERASED, KEYS_DESTROYED, KEYS_RETIRED, KEYS_ROTATED, TENANT_CREATED
from vault.audit.details import Detail, key_name
from vault.auditing.filter import invalid
from vault.auditing.uses import uses
from vault.errors import VaultError
from vault.kms.tenant_keys import EPOCH, INDEX
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

MAX_EXPOSED: Final = 2_000_000
"""Subjects that are listed: some 200 MB of memory."""

NEEDLES: Final = tuple(action.encode() for action in (TENANT_CREATED, KEYS_ROTATED, KEYS_RETIRED, KEYS_DESTROYED))
"""One of them stands in every entry that says something about the life of keys."""
_DETAILS: Mapping[int, str] = {
    v1.KEY_KIND_EPOCH: Detail.EPOCH,
    v1.KEY_KIND_INDEX: Detail.INDEX_KEY,
    v1.KEY_KIND_KEK: Detail.KEK_VERSION,
}
"""By which detail a rotation names the key of a kind that it makes."""
_NAMES: Mapping[int, str] = {v1.KEY_KIND_EPOCH: EPOCH, v1.KEY_KIND_INDEX: INDEX, v1.KEY_KIND_KEK: "kek"}
_FIRST: Mapping[str, str] = dict.fromkeys(_DETAILS.values(), "1")
_UNTOUCHED = (v1.USE_REFUSED, v1.USE_AUDITED)
"""Uses that say nothing of whether there is such a subject: auditors ask for whomever they like."""


class DatedEntry(NamedTuple):
    """An entry and its time, in microseconds since 1970."""

    leaf_index: int
    time_us: int


class Made(NamedTuple):
    """Keys that were made together, each by the detail that names it."""

    place: DatedEntry | None
    numbers: Mapping[str, int]


class Life(NamedTuple):
    """When a key was in use: from its beginning, None if that is older than the log, to its end, None if it still is."""

    keys: tuple[str, ...]
    begin: DatedEntry | None
    end: DatedEntry | None
    destroyed: DatedEntry | None

    def has(self, index: int) -> bool:
        """Whether it was in use when an entry was made."""
        return (self.begin is None or index >= self.begin.leaf_index) and not self.is_over(index)

    def is_over(self, index: int) -> bool:
        """Whether an entry came after its end."""
        return self.end is not None and index > self.end.leaf_index

    def message(self) -> v1.KeyLife:
        """As it is answered."""
        said = v1.KeyLife(keys=self.keys)
        if self.begin:
            said.begin_index = self.begin.leaf_index
            said.begin_time.FromMicroseconds(self.begin.time_us)
        if self.end:
            said.end_index = self.end.leaf_index
            said.end_time.FromMicroseconds(self.end.time_us)
        if self.destroyed:
            said.destroy_time.FromMicroseconds(self.destroyed.time_us)
        return said


def name_of(key: v1.NamedKey) -> str:
    """What a key is called: its kind and number."""
    return f"{_NAMES[key.kind]}:{key.number}"


class Lives:
    """The lives of a tenant's keys, as far as a log tells."""

    def __init__(self) -> None:
        self._made: list[Made] = []
        self._retired: dict[str, DatedEntry] = {}
        self._destroyed: dict[str, DatedEntry] = {}

    def observe(self, index: int, event: audit_pb2.AuditEvent) -> None:
        """Note what the next entry says."""
        if event.decision != audit_pb2.DECISION_ALLOWED:
            return
        place, details = DatedEntry(index, event.time_us), event.details
        if event.action in (KEYS_ROTATED, TENANT_CREATED):
            said = details if event.action == KEYS_ROTATED else _FIRST
            numbers = {name: int(said[name]) for name in _DETAILS.values() if said.get(name, "").isdecimal()}
            self._made.append(Made(place, numbers))
        elif event.action == KEYS_RETIRED:
            self._retired |= dict.fromkeys(details, place)
        elif event.action == KEYS_DESTROYED:
            self._destroyed |= dict.fromkeys(details.get(Detail.KEYS, "").split(","), place)

    def of(self, key: v1.NamedKey) -> Life:
        """The life of a key.

        Raises:
            VaultError: INVALID_FIELD, if there was none of this number.
        """
        made = self._making(_DETAILS[key.kind], key.number)
        kinds = [v1.KEY_KIND_EPOCH, v1.KEY_KIND_INDEX] if key.kind == v1.KEY_KIND_KEK else [key.kind]
        keys = [(_NAMES[kind], made.numbers[_DETAILS[kind]]) for kind in kinds if _DETAILS[kind] in made.numbers]
        named = [f"{name}:{number}" for name, number in keys]
        if key.kind == v1.KEY_KIND_KEK:
            named.insert(0, name_of(key))
        logged = [key_name(*each) for each in keys]
        return Life(tuple(named), made.place, _last(logged, self._retired), _last(logged, self._destroyed))

    def _making(self, detail: str, number: int) -> Made:
        for made in self._made:
            if made.numbers.get(detail) == number:
                return made
        first = next((made.numbers for made in self._made if detail in made.numbers), None)
        if first is not None and number < first[detail]:  # of keys that are older than the log, all that is known is their order
            ago = first[detail] - number
            return Made(None, {name: other - ago for name, other in first.items() if other > ago})
        raise invalid("key.number", "is of no key that the log tells of")


class Exposed:
    """The subjects that there were at some time of a key's life, as far as the log names them."""

    def __init__(self, life: Life, selection_start_us: int, selection_end_us: int) -> None:
        """Begin.

        Args:
            life: of the key.
            selection_start_us: the key was safe before, in microseconds since 1970.
            selection_end_us: what came later is none of its business.
        """
        self._life = life
        self._start_us, self._end_us = selection_start_us, selection_end_us
        self._subjects: dict[bytes, bool] = {}

    def observe(self, index: int, event: audit_pb2.AuditEvent) -> None:
        """Note whom the next entry names.

        Raises:
            VaultError: RESPONSE_TOO_LARGE.
        """
        if self._life.is_over(index) or event.time_us >= self._end_us:
            return
        was_before = event.time_us < self._start_us or not self._life.has(index)
        for subject_uid, way in uses(event):
            if way.use not in _UNTOUCHED:
                self._subjects.setdefault(subject_uid, True)
                if was_before and event.action == ERASED:
                    self._subjects[subject_uid] = False
        if len(self._subjects) > MAX_EXPOSED:
            raise VaultError(
                common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE,
                f"more than {MAX_EXPOSED} subjects lay under this key: take it that all did; export the log to list them",
            )

    def subjects(self) -> int:
        """How many there were."""
        return sum(self._subjects.values())

    def rows(self) -> Iterator[v1.BreachRow]:
        """One row a subject."""
        for subject_uid in sorted(uid for uid, is_exposed in self._subjects.items() if is_exposed):
            yield v1.BreachRow(subject_uid=subject_uid, use=v1.USE_EXPOSED)


def _last(keys: list[str], places: Mapping[str, DatedEntry]) -> DatedEntry | None:
    """Where the last of these keys is named; None if one is not."""
    return max(places[key] for key in keys) if keys and all(key in places for key in keys) else None
