"""BreachReport: whom somebody touched within a window of time, and how; or whose data lay under a key.

Every entry up to the published checkpoint is read, and held against its root through every hash on the way. No index is asked: so
what the report says is in the log, and what it does not say is not.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from vault.admission import Admitted
from vault.audit.actions import NAME_SUBJECTS
from vault.audit.index import index as found_by
from vault.auditing.filter import Selection, bounds, check
from vault.auditing.key_life import NEEDLES, Exposed, Life, Lives, name_of
from vault.auditing.log import Snapshots
from vault.auditing.named import Named
from vault.auditing.tally import Tally
from vault.auditing.tree import CheckedTree
from vault.auditing.whole_log import walk
from vault.classes.taxonomy import Taxonomy
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import audit_pb2
from vault.v1 import audit_service_pb2 as v1

ACTION = "BreachReport"
ROWS_AT_ONCE: Final = 2000
"""In one message."""


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
        if self._request.HasField("key"):
            admitted.draft.details["key"] = name_of(self._request.key)
        self._named.admit(admitted, ACTION)
        if self._request.with_subject_ids:
            admitted.draft.details["with_subject_ids"] = "true"
            admitted.permit(NAME_SUBJECTS, "")
        return self._request


def suspected(request: v1.BreachReportRequest) -> v1.EventFilter:
    """The events of whom a request suspects; of a key, those of its time."""
    name = request.WhichOneof("suspect")
    wanted = v1.EventFilter() if name in (None, "key") else v1.EventFilter(**{name: getattr(request, name)})
    wanted.start_time.CopyFrom(request.start_time)
    wanted.end_time.CopyFrom(request.end_time)
    return wanted


class Search:
    """The search for a suspect's events, and what it found."""

    def __init__(self, request: v1.BreachReportRequest) -> None:
        self._request = request
        self._selection = Selection(suspected(request))
        self._tally = Tally()
        self._checkpoint, self._size = "", 0
        self._life: Life | None = None
        self._exposed: Exposed | None = None

    def steps(self, at: Snapshots) -> Iterator[None]:
        """Search, step by step. Nothing is in memory but the rows of the report.

        Raises:
            VaultError: INTEGRITY, RESPONSE_TOO_LARGE, DEADLINE_EXCEEDED; INVALID_FIELD, if there never was such a key.
        """
        tree = CheckedTree(at.log.published)
        self._checkpoint, self._size = at.log.published.cosigned(at.log.queries.cosignatures(), at.log.witnesses), tree.size
        if not self._request.HasField("key"):
            yield from walk(at, tree, [_needle(self._request)], self._take)
            return
        lives = Lives()
        yield from walk(at, tree, NEEDLES, lives.observe)
        self._life = lives.of(self._request.key)
        self._exposed = Exposed(self._life, self._selection.start_us, self._selection.end_us)
        yield from walk(at, tree, [b""], self._take_under_key)

    def rows(self) -> Iterator[v1.BreachRow]:
        """What was touched; then whose data lay under the key."""
        return chain(self._tally.rows(), self._exposed.rows() if self._exposed else ())

    def summary(self) -> v1.BreachSummary:
        """How the report closes."""
        return v1.BreachSummary(
            subjects=self._tally.subjects(),
            events=self._tally.events,
            refused=self._tally.refused,
            checkpoint=self._checkpoint,
            size=self._size,
            key_life=self._life.message() if self._life else None,
            exposed_subjects=self._exposed.subjects() if self._exposed else 0,
        )

    def _take(self, index: int, event: audit_pb2.AuditEvent) -> None:
        if self._selection.matches(event, found_by(event)):
            self._tally.add(index, event)

    def _take_under_key(self, index: int, event: audit_pb2.AuditEvent) -> None:
        if not event.touched or self._life is None or self._exposed is None:
            return
        self._exposed.observe(index, event)
        if self._life.has(index) and self._selection.start_us <= event.time_us < self._selection.end_us:
            self._tally.add(index, event)


def _needle(request: v1.BreachReportRequest) -> bytes:
    """What stands in every leaf that has to do with a suspect: texts and uids stand in them as they are."""
    given = getattr(request, request.WhichOneof("suspect") or "")
    return given if isinstance(given, bytes) else given.encode()


def messages(rows: Iterator[v1.BreachRow]) -> Iterator[v1.BreachReportResponse]:
    """Rows in messages of a size that can be sent."""
    while some := list(islice(rows, ROWS_AT_ONCE)):
        yield v1.BreachReportResponse(rows=some)
