"""Tail: events as they are added to the log. One event when it opens, and one with the range that was read when it closes."""

from typing import NamedTuple

from vault.administration import Act, nothing
from vault.admission import Admitted
from vault.audit.actions import TAIL_ENDED
from vault.audit.events import Caller, Draft, request_id_bytes
from vault.auditing.entries import read
from vault.auditing.filter import Selection, check, refuse_fields
from vault.auditing.log import AuditLog
from vault.auditing.named import Named
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Head, Reads, Rows
from vault.store.runner import Outcome
from vault.v1 import audit_pb2, common_pb2
from vault.v1 import audit_service_pb2 as v1

ACTION = "Tail"

MAX_BATCH_BYTES = 1024 * 1024
"""Of leaves in one message; the first is taken however long it is."""
MAX_LOOKED_AT = 2000
"""Entries that are read for one message, whether they match or not."""
_AT_ONCE = 128
_TIMES = frozenset({"start_time", "end_time"})


class Tail:
    """One Tail request."""

    def __init__(self, request: v1.TailRequest, taxonomy: Taxonomy) -> None:
        check(request.filter, taxonomy)
        refuse_fields(request.filter, _TIMES, "a tail begins at start_index and goes on with what comes")
        self._request = request
        self._named = Named(request.filter)

    def reads(self, keys: TenantKeys) -> Reads:
        """The subject and the token that are named."""
        return self._named.reads(keys)

    def decide(self, admitted: Admitted) -> v1.TailRequest:
        """The request with subject and token named by uid."""
        start = str(self._request.start_index) if self._request.HasField("start_index") else "now"
        admitted.draft.details["start_index"] = start
        request = v1.TailRequest()
        request.CopyFrom(self._request)
        request.filter.CopyFrom(self._named.admit(admitted, ACTION))
        return request


class Range(NamedTuple):
    """What a tail has read: entries from ``start`` up to before ``next``, of which it has sent some."""

    start: int
    next: int
    sent: int


class TailEnded(Act):
    """The event of a tail's end. It needs no keys, and asks nobody's leave: the tail has ended.

    Without keys it says FAILED: the boot may have no endorsement, and such a boot allows nothing (docs/formats-log.md).
    """

    def __init__(self, caller: Caller, context: common_pb2.CallContext, range_: Range | None, why: str) -> None:
        """Make it; without a range nothing was read."""
        details = {"ended": why}
        if range_:
            details |= {"start_index": str(range_.start), "next_index": str(range_.next), "sent": str(range_.sent)}
        super().__init__(caller, TAIL_ENDED, caller.name, details, nothing, needs_keys=False)
        self._context = context

    @property
    def head(self) -> Head:
        """Whose tail it was."""
        return Head(self.caller.tenant_uid, self.caller.ca_sha256, self.caller.name, request_id_bytes(self._context))

    def decide(self, rows: Rows, keys: TenantKeys | None) -> Outcome:
        """The event."""
        draft = self._draft()
        if keys is None:
            draft.decision, draft.reason = audit_pb2.DECISION_FAILED, common_pb2.ERROR_REASON_KMS_UNAVAILABLE
        draft.principal_uid = rows.principal.uid if rows.principal else b""
        return Outcome(b"", draft)

    def _draft(self) -> Draft:
        return Draft(self.caller, self.action, self._context, details=dict(self.details))


def begin(log: AuditLog, request: v1.TailRequest) -> int:
    """The first index that a resolved request asks for.

    Raises:
        VaultError: LOG_RANGE.
    """
    if not request.HasField("start_index"):
        return log.head.size
    if request.start_index > log.head.size:
        raise VaultError(
            common_pb2.ERROR_REASON_LOG_RANGE,
            f"the log has {log.head.size} entries; start_index may be at most that, and is left out to begin with what comes next",
        )
    return request.start_index


def next_batch(log: AuditLog, request: v1.TailRequest, start: int) -> v1.TailResponse:
    """What matches of the entries from ``start`` on, as much of it as a message has room for.

    Raises:
        VaultError: INTEGRITY.
    """
    selection, room = Selection(request.filter), MAX_BATCH_BYTES
    response = v1.TailResponse(next_index=start)
    for at in range(start, min(log.head.size, start + MAX_LOOKED_AT), _AT_ONCE):
        for row in log.queries.entries(at, min(at + _AT_ONCE, log.head.size)):
            found = read(row)
            if selection.matches(found.event, found.indexed) if found else selection.is_all:
                if response.entries and len(row.leaf) > room:
                    return response
                response.entries.add(index=row.leaf_index, leaf=row.leaf)
                room -= len(row.leaf)
            response.next_index = row.leaf_index + 1
    return response
