"""GetCheckpoint: the newest signed checkpoint, and how far each witness has come."""

from collections.abc import Sequence

from vault.audit.note import Verifier
from vault.auditing.log import AuditLog, cosignatures_by
from vault.auditing.permitted import Permitted
from vault.store.log.queries import altered
from vault.store.log.rows import CosignatureRow
from vault.v1 import audit_service_pb2 as v1

ACTION = "GetCheckpoint"


def use_case(request: v1.GetCheckpointRequest) -> Permitted:
    """The call."""
    return Permitted(ACTION, request, {})


def answer(log: AuditLog, _request: v1.GetCheckpointRequest) -> v1.GetCheckpointResponse:
    """The newest checkpoint, the newest that was cosigned, and the state of each configured witness.

    Raises:
        VaultError: INTEGRITY, if a checkpoint is not of this log and its tree, or a cosignature is bad.
    """
    rows = log.queries.cosignatures()
    return v1.GetCheckpointResponse(
        checkpoint=log.published.cosigned(rows, log.witnesses),
        cosigned_checkpoint=_newest_cosigned(log, rows),
        log_key=log.key.vkey,
        witnesses=_states(rows, log.witnesses),
    )


def _newest_cosigned(log: AuditLog, rows: Sequence[CosignatureRow]) -> str:
    given = cosignatures_by(rows, log.witnesses)
    if not given:
        return ""
    newest = max(given, key=lambda row: row.size)
    found = log.opened(newest.checkpoint)
    if found is None or found.size != newest.size:
        raise altered("audit_cosignature", f"the checkpoint that {newest.witness} cosigned")
    return found.cosigned(given, log.witnesses)


def _states(rows: Sequence[CosignatureRow], witnesses: Sequence[Verifier]) -> list[v1.WitnessState]:
    problems = {row.witness: row.problem for row in rows}
    given = {row.witness: row for row in cosignatures_by(rows, witnesses)}
    states = []
    for witness in witnesses:
        state = v1.WitnessState(name=witness.name, problem=problems.get(witness.name, ""))
        row = given.get(witness.name)
        if row:
            state.size = row.size
            state.cosign_time.FromMicroseconds(row.time_us)
        states.append(state)
    return states
