"""BreachReport: whom a principal, a certificate or a node touched within a window of time, and how.

The index only says where to look. Each entry that it names is read itself, and held against the published root through every hash
on the way; so what is reported is in the log that the checkpoint covers. That the index has lost nothing is not proven: it is
only compared with what was counted (docs/audit.md).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from vault.admission import Admitted
from vault.audit.index import number_of
from vault.audit.tiles import TILE_WIDTH, width_of
from vault.auditing.entries import opened
from vault.auditing.filter import Selection, bounds, check
from vault.auditing.log import AuditLog, Snapshots
from vault.auditing.named import Named
from vault.auditing.names import ACTION as NAMING
from vault.auditing.tally import Tally
from vault.auditing.tree import CheckedTree
from vault.classes.taxonomy import Taxonomy
from vault.kms.tenant_keys import TenantKeys
from vault.store.log.queries import Spot, Window, altered
from vault.store.reads import Reads
from vault.v1 import audit_service_pb2 as v1

ACTION = "BreachReport"
ROWS_AT_ONCE: Final = 2000
"""In one message."""

_SPOTS = 20_000
"""Rows of the index that are read at once."""
_TILES = 16
"""Tiles of which entries are read at once."""


class BreachReport:
    """One BreachReport request."""

    def __init__(self, request: v1.BreachReportRequest, taxonomy: Taxonomy) -> None:
        bounds(request, "")
        check(suspected(request), taxonomy)
        self._request = request
        self._named = Named(suspected(request))

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> v1.BreachReportRequest:
        """The request, as it is. Whoever may not know the subjects' names hears of it before the log is searched."""
        self._named.admit(admitted, ACTION)
        if self._request.with_subject_ids:
            admitted.draft.details["with_subject_ids"] = "true"
            admitted.permit(NAMING, "")
        return self._request


def suspected(request: v1.BreachReportRequest) -> v1.EventFilter:
    """The events of whom a request suspects."""
    wanted = v1.EventFilter(principal=request.principal, certificate_sha256=request.certificate_sha256, node=request.node)
    wanted.start_time.CopyFrom(request.start_time)
    wanted.end_time.CopyFrom(request.end_time)
    return wanted


class Search:
    """The search for a suspect's events, and what it found."""

    def __init__(self, request: v1.BreachReportRequest) -> None:
        self.tally = Tally()
        self.checkpoint, self.size = "", 0
        self._selection = Selection(suspected(request))
        self._facets: set[int] = set()
        self._marks = bytearray()

    def steps(self, at: Snapshots) -> Iterator[None]:
        """Search, step by step. Nothing is in memory but a bit for each entry of the log, and the rows of the report.

        Raises:
            VaultError: INTEGRITY, RESPONSE_TOO_LARGE, DEADLINE_EXCEEDED.
        """
        tree = CheckedTree(at.log.published)
        self.checkpoint, self.size = at.log.published.cosigned(at.log.queries.cosignatures(), at.log.witnesses), tree.size
        self._marks = bytearray(tree.size // 8 + 1)
        facets = at.log.queries.facets()
        lost = at.log.queries.counted_facet_besides(facets)
        if lost is not None:
            raise altered("audit_facet", f"facet {lost}")
        self._facets = {number for number, facet in facets.items() if self._selection.takes(facet)}
        yield from self._mark_all(at)
        marked = self._marked_tiles()
        for begin in range(0, len(marked), _TILES):
            yield
            for tile in marked[begin : begin + _TILES]:
                self._read(at.log, tree, tile)

    def summary(self) -> v1.BreachSummary:
        """How the report closes."""
        return v1.BreachSummary(
            subjects=self.tally.subjects(),
            events=self.tally.events,
            refused=self.tally.refused,
            checkpoint=self.checkpoint,
            size=self.size,
        )

    def _mark_all(self, at: Snapshots) -> Iterator[None]:
        """Mark the entries that the index names."""
        counts = _counts(at.log, self._facets)
        for facets in _groups(counts):
            yield
            at.log.check_deadline()
            window: Window | None = self._selection.window(self.size)
            while window:
                spots = at.log.queries.spots_of(facets, window, _SPOTS)
                self._mark(spots)
                window = window._replace(after=spots[-1]) if len(spots) == _SPOTS else None
                if window:
                    yield
                    at.log.check_deadline()

    def _mark(self, spots: Sequence[Spot]) -> None:
        for spot in spots:
            byte, bit = divmod(spot.leaf_index, 8)
            if byte < 0 or self._marks[byte] >> bit & 1:
                raise altered("audit_event", f"the row of entry {spot.leaf_index}, or a second one,")
            self._marks[byte] |= 1 << bit

    def _marked_tiles(self) -> list[int]:
        width = TILE_WIDTH // 8
        return [at // width for at in range(0, len(self._marks), width) if any(self._marks[at : at + width])]

    def _read(self, log: AuditLog, tree: CheckedTree, tile: int) -> None:
        log.check_deadline()
        start = tile * TILE_WIDTH
        wanted = [i for i in range(start, start + width_of(0, tile, self.size)) if self._marks[i // 8] >> i % 8 & 1]
        hashes: Sequence[bytes] = tree.tile(log, 0, tile)
        entries = log.queries.entries_at(wanted)
        for index in wanted:
            found = opened(entries[index])
            if entries[index].leaf_hash != hashes[index - start]:
                raise altered("audit_entry", f"entry {index}")
            if number_of(found.indexed.facet) not in self._facets or not self._selection.matches(found.event, found.indexed):
                raise altered("audit_event", f"the row of entry {index}")
            self.tally.add(index, found.event)


def _counts(log: AuditLog, facets: Collection[int]) -> dict[int, int]:
    """How many events there are of each facet.

    Raises:
        VaultError: INTEGRITY, if the index has another number than was counted: rows were added to one of them, or taken out.
    """
    indexed, counted = log.queries.indexed(facets), log.queries.counted(facets)
    for facet in facets:
        if indexed.get(facet) != counted.get(facet):
            found = f"{indexed.get(facet, 0)} rows for {counted.get(facet, 0)} events"
            raise altered("audit_event or audit_count", f"what there is of facet {facet}, {found},")
    return indexed


def _groups(counts: Mapping[int, int]) -> Iterator[list[int]]:
    """Facets that together have few events, and each that has many."""
    group: list[int] = []
    together = 0
    for facet, events in sorted(counts.items(), key=lambda item: item[1]):
        if group and together + events > _SPOTS:
            yield group
            group, together = [], 0
        group.append(facet)
        together += events
    if group:
        yield group


def messages(rows: Iterator[v1.BreachRow]) -> Iterator[v1.BreachReportResponse]:
    """Rows in messages of a size that can be sent."""
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield v1.BreachReportResponse(rows=some)
