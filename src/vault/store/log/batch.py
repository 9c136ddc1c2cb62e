"""From pending rows to what a log gains: entries, what they are found by, and how far the boots' chains have come. Without SQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.audit.chain import MAX_LEAF, ends_signed
from vault.audit.index import HOUR_US, index
from vault.audit.leaf_form import is_well_formed
from vault.audit.merkle import leaf_hash
from vault.store.log.chains import Chains, Trouble
from vault.store.log.facets import Facets
from vault.store.log.rows import CountRow, EntryRow, EventRow, FacetRow, MentionRow, PendingRow
from vault.v1.audit_pb2 import AuditEvent

_BY_TIME = itemgetter(3, 1, 2)
"""Time, boot and sequence of a pending row."""

UNREADABLE = "the leaf can't be read: it was edited"
ILL_FORMED = "the leaf is nothing that a boot writes: it was edited"
FOREIGN = "the leaf belongs to another tenant's log: its pending row was moved, and is taken out without becoming an entry"
NO_LEAF = "its pending row holds no leaf: it was edited, and is taken out without becoming an entry"
STRAYED = "a leaf of this log was found waiting for another tenant's log: its pending row was moved or copied, and is taken out"


class Parsed(NamedTuple):
    """A pending row, and its event if that can be followed and found; else the problem with it."""

    row: PendingRow
    event: AuditEvent | None
    problem: str = ""


class Stray(NamedTuple):
    """What was found in another log's queue, and whose leaf it says it is."""

    tenant_uid: bytes
    trouble: Trouble


@dataclass
class Batch:
    """What a log gains at once; ``hashes`` are those of its entries, in order."""

    hashes: list[bytes] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    mentions: list[MentionRow] = field(default_factory=list)
    facets: dict[int, FacetRow] = field(default_factory=dict)
    counts: list[CountRow] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)


def parse(tenant_uid: bytes, row: PendingRow) -> Parsed:
    """What is in a row of this tenant's queue, or of its log."""
    if not 0 < len(row.leaf) <= MAX_LEAF:
        return Parsed(row, None, NO_LEAF)
    try:
        event = AuditEvent.FromString(row.leaf)
    except DecodeError:
        return Parsed(row, None, UNREADABLE)
    if event.tenant_uid != tenant_uid and len(event.tenant_uid) == len(tenant_uid):
        return Parsed(row, event, FOREIGN)
    return Parsed(row, event) if is_well_formed(event) else Parsed(row, None, ILL_FORMED)


def in_order(tenant_uid: bytes, rows: Iterable[PendingRow]) -> list[Parsed]:
    """Pending rows with their events, by time, and each boot's in the order of its sequence.

    The database's clock may have stepped back between two commits of a boot: their leaves take each other's places. What counts
    is what leaves say, not the columns of their rows, so that editing these moves nothing.
    """
    parsed = [parse(tenant_uid, row) for row in sorted(rows, key=_BY_TIME)]
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


def whole_transactions(ordered: list[Parsed]) -> list[Parsed]:
    """Those up to each boot's last signed leaf: the rest of its last transaction is still pending.

    All of them if they would be less than half, lest whoever puts leaves without signatures into the queue slows the log down.
    """
    places = [place(one)[0] for one in ordered]
    ends = {boot_id: number for number, (boot_id, one) in enumerate(zip(places, ordered, strict=True)) if ends_signed(one.row.leaf)}
    whole = [one for number, (boot_id, one) in enumerate(zip(places, ordered, strict=True)) if number <= ends.get(boot_id, -1)]
    return whole if 2 * len(whole) >= len(ordered) else ordered


def place(one: Parsed) -> tuple[bytes, int]:
    """Boot id and sequence, as the leaf says them, else its row."""
    row, event, problem = one
    return (row.boot_id, row.boot_sequence) if problem or event is None else (event.boot_id, event.boot_sequence)


def assemble(tenant_uid: bytes, size: int, ordered: Iterable[Parsed], chains: Chains, facets: Facets) -> Batch:
    """What the log of ``tenant_uid`` gains by these rows, from entry ``size`` on.

    ``chains`` follows what they say, and ``facets`` tells by which facet each is found.

    Each row of the log becomes an entry, whatever it holds, if it can be one at all; but what says that it is of another log does
    not: nobody who reads this log may read that one.
    """
    batch = Batch()
    counts = defaultdict[tuple[int, int], list[int]](lambda: [0, 0])
    for row, event, problem in ordered:
        if problem in (NO_LEAF, FOREIGN):
            chains.note(row, problem, None)
            if event is not None:
                batch.strays.append(Stray(event.tenant_uid, Trouble(row.boot_id, row.boot_sequence, STRAYED)))
            continue
        leaf = row.leaf
        leaf_index, hash_ = size + len(batch.entries), leaf_hash(leaf)
        batch.hashes.append(hash_)
        batch.entries.append(EntryRow(tenant_uid, leaf_index, hash_, leaf))
        if event is None:
            chains.note(row, problem, leaf_index)
        else:
            chains.follow(row, event, hash_, leaf_index)
            _index(batch, counts, tenant_uid, event, leaf_index, facets)
    batch.counts = [CountRow(tenant_uid, hour, facet, *numbers) for (hour, facet), numbers in counts.items()]
    return batch


def _index(
    batch: Batch,
    counts: dict[tuple[int, int], list[int]],
    tenant_uid: bytes,
    event: AuditEvent,
    leaf_index: int,
    facets: Facets,
) -> None:
    """Note what a well-formed event is found by."""
    facet, time_us, mentions, items = index(event)
    number, facet = facets.place(facet)
    if number not in batch.facets:
        batch.facets[number] = FacetRow(tenant_uid, number, *facet)
    batch.events.append(EventRow(tenant_uid, number, time_us, leaf_index))
    batch.mentions += [MentionRow(tenant_uid, uid, kind, time_us, leaf_index) for kind, uid in mentions]
    count = counts[time_us // HOUR_US, number]
    count[0] += 1
    count[1] += items
