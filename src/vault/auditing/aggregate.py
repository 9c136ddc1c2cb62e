"""Aggregate: how many events and items, by hours or days and by what events are told apart by. Counted by the integrator."""

from vault.admission import Admitted
from vault.audit.index import HOUR_US, OTHERS, Facet
from vault.auditing.counted import check_counted
from vault.auditing.entries import found_by
from vault.auditing.filter import Selection, check, refuse_fields
from vault.auditing.log import AuditLog
from vault.auditing.named import Named
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.log.queries import END_OF_TIME, Window
from vault.store.reads import Reads
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

ACTION = "Aggregate"
MAX_COUNTS = 20_000
MAX_READ = 20_000
"""Events of shared facets that are read to be counted: less than a second's work."""

_NOT_COUNTED = frozenset({"subject_id", "subject_uid", "token", "token_uid", "request_id"})
_HOURS = {v1.BUCKET_HOUR: 1, v1.BUCKET_DAY: 24}
_FIELDS: dict[int, str] = {
    v1.DIMENSION_ACTION: "action",
    v1.DIMENSION_PRINCIPAL: "principal",
    v1.DIMENSION_DATA_CLASS: "data_classes",
    v1.DIMENSION_PURPOSE: "purpose",
    v1.DIMENSION_RECIPIENT: "recipient",
    v1.DIMENSION_NODE: "node",
}


class Aggregate:
    """One Aggregate request."""

    def __init__(self, request: v1.AggregateRequest, taxonomy: Taxonomy) -> None:
        check(request.filter, taxonomy)
        refuse_fields(request.filter, _NOT_COUNTED, "events are not counted by it; Query finds them")
        self._request = request
        self._named = Named(request.filter)

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> v1.AggregateRequest:
        """The request, as it is."""
        self._named.admit(admitted, ACTION)
        names = [v1.Dimension.Name(each).removeprefix("DIMENSION_").lower() for each in self._request.dimensions]
        admitted.draft.details["counted_by"] = ",".join(names)
        return self._request


def answer(log: AuditLog, request: v1.AggregateRequest) -> v1.AggregateResponse:
    """The counts, in the order of time, then of values.

    Raises:
        VaultError: RESPONSE_TOO_LARGE, if there are more than 20,000, or too many events would have to be read; INTEGRITY;
            DEADLINE_EXCEEDED.
    """
    check_counted(log)
    counting = _Counting(request)
    counting.count(log)
    response = v1.AggregateResponse(size=log.head.size)
    for bucket, values, (events, items) in counting.sums():
        counted = response.counts.add(values=values, events=events, items=items)
        if counting.hours:
            counted.time.FromMicroseconds(bucket * counting.hours * HOUR_US)
    return response


class _Counting:
    """The counts of one request: by what was counted, and by reading the events of which that says too little."""

    def __init__(self, request: v1.AggregateRequest) -> None:
        self.hours = _HOURS.get(request.bucket, 0)
        self._selection = Selection(request.filter)
        self._dimensions = request.dimensions
        self._start, self._end = self._selection.start_us // HOUR_US, -(-self._selection.end_us // HOUR_US)
        self._sums: dict[tuple[int, tuple[str, ...]], tuple[int, int]] = {}

    def sums(self) -> list[tuple[int, tuple[str, ...], tuple[int, int]]]:
        """Bucket, values, and events and items, in order."""
        return [(*key, self._sums[key]) for key in sorted(self._sums)]

    def count(self, log: AuditLog) -> None:
        """Count all that match.

        Raises:
            VaultError: see ``answer``.
        """
        groups: dict[tuple[str, ...], int] = {}
        numbers, shared = dict[int, int](), list[int]()
        for number, facet in log.queries.facets().items():
            if not self._selection.takes(facet):
                continue
            if facet.purpose == OTHERS and self._selection.is_finer_than_shared:
                shared.append(number)
            else:
                numbers[number] = groups.setdefault(self._values(facet), len(groups))
        values = list(groups)
        for each in log.queries.counts(numbers, self._start, self._end, self.hours, MAX_COUNTS + 1):
            self._add(each.bucket, values[each.group], each.events, each.items)
        self._read(log, shared)
        if len(self._sums) > MAX_COUNTS:
            raise _too_large(f"there are more than {MAX_COUNTS} counts; ask for less time, larger buckets or fewer dimensions")

    def _read(self, log: AuditLog, facets: list[int]) -> None:
        """Count events of shared facets one by one: what was counted does not say their purpose and recipient."""
        window = Window.between(log.head.size, self._start * HOUR_US, min(self._end * HOUR_US, END_OF_TIME))
        rows = log.queries.events(facets, window, MAX_READ + 1) if facets else []
        if len(rows) > MAX_READ:
            raise _too_large(
                f"more than {MAX_READ} events would have to be read, of rare purposes and recipients; ask for less time"
            )
        log.check_deadline()
        for found in found_by(log.queries, rows):
            if self._selection.matches_but_for_time(found.event, found.indexed):
                bucket = found.indexed.time_us // HOUR_US // self.hours if self.hours else 0
                self._add(bucket, self._values(found.indexed.facet), 1, found.indexed.items)

    def _values(self, facet: Facet) -> tuple[str, ...]:
        return tuple(_value(facet, dimension) for dimension in self._dimensions)

    def _add(self, bucket: int, values: tuple[str, ...], events: int, items: int) -> None:
        before = self._sums.get((bucket, values), (0, 0))
        self._sums[bucket, values] = before[0] + events, before[1] + items


def _too_large(message: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE, message)


def _value(facet: Facet, dimension: int) -> str:
    if dimension == v1.DIMENSION_DECISION:
        return audit_pb2.Decision.Name(facet.decision).removeprefix("DECISION_")
    return str(getattr(facet, _FIELDS[dimension]))
