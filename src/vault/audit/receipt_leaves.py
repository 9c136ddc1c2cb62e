"""What the log says of an erasure: the leaves that a receipt's proofs lead to (docs/formats.md, "Erasure receipt"). Pure."""

from hashlib import sha256

from vault.audit.actions import ERASED, HORIZON_REACHED
from vault.audit.details import Detail
from vault.v1.audit_pb2 import DECISION_ALLOWED, AuditEvent
from vault.v1.subject_service_pb2 import ErasureStatement


def erases(event: AuditEvent, statement: bytes) -> bool:
    """Whether an event says that a statement's erasure is done: of the same tenant and subject, and of these very bytes."""
    said = ErasureStatement.FromString(statement)
    return (
        (event.action, event.decision) == (ERASED, DECISION_ALLOWED)
        and event.tenant_uid == said.tenant_uid
        and event.details.get(Detail.ERASURE) == said.erasure_uid.hex()
        and event.details.get(Detail.STATEMENT_SHA256) == sha256(statement).hexdigest()
        and event.details.get(Detail.KEYS) == str(len(said.keys))
        and any(said.subject_uid in _uids(touched.subject_uids) for touched in event.touched)
    )


def names_newest(statement: ErasureStatement) -> bool:
    """Whether the epoch that a statement calls the newest is that: no key of the subject's was under a later one."""
    return all(key.epoch <= statement.epoch for key in statement.keys)


def reaches(event: AuditEvent, erasure_uid: bytes) -> bool:
    """Whether an event says that an erasure's horizon is reached. Whose log it is in, is not asked."""
    listed = event.details.get(Detail.ERASURES, "").split(",")
    return (event.action, event.decision) == (HORIZON_REACHED, DECISION_ALLOWED) and erasure_uid.hex() in listed


def oldest_kek(event: AuditEvent) -> int:
    """The oldest KEK version that is not destroyed, as a ``HorizonReached`` says it; 0 if it does not say so."""
    said = event.details.get(Detail.OLDEST, "")
    return int(said) if said.isascii() and said.isdecimal() else 0


def _uids(joined: bytes) -> list[bytes]:
    return [joined[at : at + 16] for at in range(0, len(joined), 16)]
