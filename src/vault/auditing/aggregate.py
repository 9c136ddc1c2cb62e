"""Aggregate: how many events and items, by hours or days and by what events are told apart by. Counted by the integrator."""

from vault.admission import Admitted
from vault.audit.index import HOUR_US, Facet
from vault.auditing.filter import Selection, check, refuse_fields
from vault.auditing.log import AuditLog
from vault.auditing.named import Named
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

ACTION = "Aggregate"
MAX_COUNTS = 20_000

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
        VaultError: RESPONSE_TOO_LARGE, if there are more than 20,000; INTEGRITY.
    """
    selection = Selection(request.filter)
    groups: dict[tuple[str, ...], int] = {}
    numbers = {
        number: groups.setdefault(tuple(_value(facet, dimension) for dimension in request.dimensions), len(groups))
        for number, facet in log.queries.facets().items()
        if selection.takes(facet)
    }
    hours = _HOURS.get(request.bucket, 0)
    start, end = selection.start_us // HOUR_US, -(-selection.end_us // HOUR_US)
    counts = log.queries.counts(numbers, start, end, hours, MAX_COUNTS + 1)
    if len(counts) > MAX_COUNTS:
        raise VaultError(
            common_pb2.ERROR_REASON_RESPONSE_TOO_LARGE,
            f"there are more than {MAX_COUNTS} counts; ask for less time, larger buckets or fewer dimensions",
        )
    values = list(groups)
    response = v1.AggregateResponse(size=log.head.size)
    for each in sorted(counts, key=lambda count: (count.bucket, values[count.group])):
        counted = response.counts.add(values=values[each.group], events=each.events, items=each.items)
        if hours:
            counted.time.FromMicroseconds(each.bucket * hours * HOUR_US)
    return response


def _value(facet: Facet, dimension: int) -> str:
    if dimension == v1.DIMENSION_DECISION:
        return audit_pb2.Decision.Name(facet.decision).removeprefix("DECISION_")
    return str(getattr(facet, _FIELDS[dimension]))
