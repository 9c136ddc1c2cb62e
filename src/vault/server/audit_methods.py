"""The methods of AuditService: the call that each begins with, and what is read of the log once that call's event is committed."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from vault import (
    audit_aggregate,
    audit_breach,
    audit_checkpoint,
    audit_cosign,
    audit_export,
    audit_proofs,
    audit_query,
    audit_tail,
    audit_timeline,
)
from vault.audit_log import AuditLog
from vault.server.methods import Deadlines, Method
from vault.v1 import audit_service_pb2 as v1

SERVICE = "vault.v1.AuditService"

Answer = Callable[[AuditLog, Any], Message]
"""The response to a request that was admitted and resolved; may raise VaultError."""


_LONG = Deadlines(needed=True, longest_s=600.0)
_OPEN = Deadlines(needed=False, longest_s=float("inf"))


def _one(_request: Any) -> int:
    return 1


METHODS = (
    Method(audit_query.ACTION, v1.QueryRequest, _one, audit_query.Query),
    Method(audit_timeline.ACTION, v1.SubjectTimelineRequest, _one, audit_timeline.SubjectTimeline),
    Method(audit_aggregate.ACTION, v1.AggregateRequest, _one, audit_aggregate.Aggregate),
    Method(audit_checkpoint.ACTION, v1.GetCheckpointRequest, _one, audit_checkpoint.use_case),
    Method(audit_proofs.INCLUSION, v1.GetInclusionProofRequest, _one, audit_proofs.inclusion_use_case),
    Method(audit_proofs.CONSISTENCY, v1.GetConsistencyProofRequest, _one, audit_proofs.consistency_use_case),
    Method(audit_cosign.ACTION, v1.AddCosignatureRequest, _one, audit_cosign.use_case),
)
"""Those with one answer."""

STREAMS = (
    Method(audit_tail.ACTION, v1.TailRequest, _one, audit_tail.Tail, _OPEN),
    Method(audit_breach.ACTION, v1.BreachReportRequest, _one, audit_breach.BreachReport, _LONG),
    Method(audit_export.ACTION, v1.ExportRequest, _one, audit_export.Export, _LONG),
)
"""Those that answer with a stream."""

ANSWERS: Mapping[str, Answer] = {
    audit_query.ACTION: audit_query.answer,
    audit_timeline.ACTION: audit_timeline.answer,
    audit_aggregate.ACTION: audit_aggregate.answer,
    audit_checkpoint.ACTION: audit_checkpoint.answer,
    audit_proofs.INCLUSION: audit_proofs.inclusion,
    audit_proofs.CONSISTENCY: audit_proofs.consistency,
}
