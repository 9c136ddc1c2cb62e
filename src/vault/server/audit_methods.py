"""The methods of AuditService: the call that each begins with, and what is read of the log once that call's event is committed."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from vault.auditing import aggregate, breach, checkpoint, cosign, export, proofs, query, tail, timeline
from vault.auditing.log import AuditLog
from vault.server.methods import Deadlines, Method, of
from vault.v1 import audit_service_pb2 as v1

SERVICE = "vault.v1.AuditService"

Answer = Callable[[AuditLog, Any], Message]
"""The response to a request that was admitted and resolved; may raise VaultError."""


_LONG = Deadlines(needed=True, longest_s=600.0)
_OPEN = Deadlines(needed=False, longest_s=float("inf"))


METHODS = (
    Method(query.ACTION, v1.QueryRequest, query.Query),
    Method(timeline.ACTION, v1.SubjectTimelineRequest, of(timeline.SubjectTimeline)),
    Method(aggregate.ACTION, v1.AggregateRequest, aggregate.Aggregate),
    Method(checkpoint.ACTION, v1.GetCheckpointRequest, of(checkpoint.use_case)),
    Method(proofs.INCLUSION, v1.GetInclusionProofRequest, of(proofs.inclusion_use_case)),
    Method(proofs.CONSISTENCY, v1.GetConsistencyProofRequest, of(proofs.consistency_use_case)),
    Method(cosign.ACTION, v1.AddCosignatureRequest, of(cosign.use_case)),
)
"""Those with one answer."""

STREAMS = (
    Method(tail.ACTION, v1.TailRequest, tail.Tail, deadlines=_OPEN),
    Method(breach.ACTION, v1.BreachReportRequest, breach.BreachReport, deadlines=_LONG),
    Method(export.ACTION, v1.ExportRequest, of(export.Export), deadlines=_LONG),
)
"""Those that answer with a stream."""

ANSWERS: Mapping[str, Answer] = {
    query.ACTION: query.answer,
    timeline.ACTION: timeline.answer,
    aggregate.ACTION: aggregate.answer,
    checkpoint.ACTION: checkpoint.answer,
    proofs.INCLUSION: proofs.inclusion,
    proofs.CONSISTENCY: proofs.consistency,
}
