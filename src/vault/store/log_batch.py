"""From pending rows to what a log gains: entries, what they are found by, and how far the boots' chains have come. Without SQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

from google.protobuf.message import DecodeError

from vault.audit.chain import MAX_LEAF
from vault.audit.index import HOUR_US, Facet, index
from vault.audit.merkle import leaf_hash
from vault.store.log_chains import Chains
from vault.store.rows import CountRow, EntryRow, EventRow, FacetRow, MentionRow, PendingRow
from vault.v1.audit_pb2 import AuditEvent

_MAX = 2**63 - 1
_UID = 16
_BY_TIME = itemgetter(3, 1, 2)
"""Time, boot, sequence."""


@dataclass
class Batch:
    """What a log gains at once; ``hashes`` are those of its entries, in order."""

    hashes: list[bytes] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    mentions: list[MentionRow] = field(default_factory=list)
    facets: dict[int, FacetRow] = field(default_factory=dict)
    counts: list[CountRow] = field(default_factory=list)


Parsed = tuple[PendingRow, AuditEvent | None]
"""A pending row and its event; None if its leaf is none."""


def in_order(rows: Iterable[PendingRow]) -> list[Parsed]:
    """Pending rows with their events, by time, and each boot's in the order of its sequence.

    The database's clock may have stepped back between two commits of a boot: their leaves take each other's places. What counts
    is what leaves say, not the columns of their rows, so that editing these moves nothing.
    """
    parsed = [(row, _parse(row.leaf)) for row in sorted(rows, key=_BY_TIME)]
    places = list(map(place, parsed))
    ends: dict[bytes, int] = {}
    for boot_id, sequence in places:
        if sequence < ends.get(boot_id, 0):
            return _each_boot_in_order(parsed, places)
        ends[boot_id] = sequence
    return parsed


def _each_boot_in_order(parsed: Sequence[Parsed], places: Sequence[tuple[bytes, int]]) -> list[Parsed]:
    by_boot = defaultdict[bytes, list[tuple[int, int]]](list)
    for number, (boot_id, sequence) in enumerate(places):
        by_boot[boot_id].append((sequence, number))
    queues = {boot_id: iter(sorted(some)) for boot_id, some in by_boot.items()}
    return [parsed[next(queues[boot_id])[1]] for boot_id, _ in places]


def place(one: Parsed) -> tuple[bytes, int]:
    """Boot id and sequence, as the leaf says them, else its row."""
    row, event = one
    return (row.boot_id, row.boot_sequence) if event is None else (event.boot_id, event.boot_sequence)


def assemble(tenant_uid: bytes, size: int, ordered: Iterable[Parsed], chains: Chains) -> Batch:
    """What the log of ``tenant_uid`` gains by these rows, from entry ``size`` on; ``chains`` follows what they say."""
    batch = Batch()
    counts = defaultdict[tuple[int, int], list[int]](lambda: [0, 0])
    for row, event in ordered:
        leaf = row.leaf
        if not 0 < len(leaf) <= MAX_LEAF:
            chains.note(row, "its pending row holds no leaf: it was edited, and is taken out without becoming an entry")
            continue
        leaf_index, hash_ = size + len(batch.entries), leaf_hash(leaf)
        batch.hashes.append(hash_)
        batch.entries.append(EntryRow(tenant_uid, leaf_index, hash_, leaf))
        if event is None:
            chains.note(row, "the leaf can't be read: it was edited")
        elif event.tenant_uid != tenant_uid:
            chains.note(row, "the leaf belongs to another tenant's log: its pending row was moved")
        else:
            chains.follow(row, event, hash_, leaf_index)
            _index(batch, counts, tenant_uid, event, leaf_index)
    batch.counts = [CountRow(tenant_uid, hour, facet, *numbers) for (hour, facet), numbers in counts.items()]
    return batch


def _index(batch: Batch, counts: dict[tuple[int, int], list[int]], tenant_uid: bytes, event: AuditEvent, leaf_index: int) -> None:
    """Note what an event is found by. What no column can hold, and the vault never writes, is found by nothing."""
    facet, time_us, mentions, items = index(event)
    number = _number(facet)
    if time_us > _MAX or number is None:
        return
    if number not in batch.facets:
        batch.facets[number] = FacetRow(tenant_uid, number, *facet)
    batch.events.append(EventRow(tenant_uid, number, time_us, leaf_index))
    batch.mentions += [MentionRow(tenant_uid, uid, kind, time_us, leaf_index) for kind, uid in mentions if len(uid) == _UID]
    count = counts[time_us // HOUR_US, number]
    count[0] += 1
    count[1] += items


@lru_cache(maxsize=10_000)
def _number(facet: Facet) -> int | None:
    """The facet's id; None if PostgreSQL can't hold one of its texts."""
    return None if any(isinstance(part, str) and "\0" in part for part in facet) else facet.number()


def _parse(leaf: bytes) -> AuditEvent | None:
    try:
        return AuditEvent.FromString(leaf)
    except DecodeError:
        return None
