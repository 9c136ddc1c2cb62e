"""Where the log says of an erasure that it is done, and that its horizon is reached; each with the proof that it is there."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from vault.audit.actions import HORIZON_REACHED
from vault.audit.index import SUBJECT
from vault.audit.receipt_leaves import erases, reaches
from vault.auditing import proofs
from vault.auditing.entries import Found, found_by
from vault.auditing.log import AuditLog
from vault.store.log.queries import END_OF_TIME, Spot, Window
from vault.store.log.rows import EventRow, MentionRow
from vault.v1 import audit_service_pb2
from vault.v1.subject_service_pb2 import ErasureStatement, LeafProof

_PAGE = 500

Read = Callable[[Window, int], Sequence[EventRow | MentionRow]]
"""(window, limit) → rows of an index in the window, newest first."""


def erased(log: AuditLog, statement: bytes) -> LeafProof | None:
    """The proof that an erasure is done; None while the published log does not say so.

    Raises:
        VaultError: INTEGRITY, if the database does not hold the log that was published; DEADLINE_EXCEEDED.
    """
    subject_uid = ErasureStatement.FromString(statement).subject_uid
    read = partial(log.queries.newest_mentions, SUBJECT, subject_uid)
    return _first(log, read, lambda found: erases(found.event, statement))


def horizon(log: AuditLog, erasure_uid: bytes) -> LeafProof | None:
    """The proof that an erasure's horizon is reached; None while the published log does not say so.

    Raises:
        VaultError: INTEGRITY, DEADLINE_EXCEEDED.
    """
    facets = [number for number, facet in log.queries.facets().items() if facet.action == HORIZON_REACHED]
    return _first(log, partial(log.queries.events, facets), lambda found: reaches(found.event, erasure_uid))


def _first(log: AuditLog, read: Read, says_so: Callable[[Found], bool]) -> LeafProof | None:
    """The proof of the newest published entry that says so."""
    found = next(filter(says_so, _walk(log, read)), None)
    if found is None:
        return None
    answer = proofs.inclusion(log, audit_service_pb2.GetInclusionProofRequest(index=found.leaf_index))
    checkpoint = log.published.cosigned(log.queries.cosignatures(), log.witnesses)
    return LeafProof(leaf=found.leaf, leaf_index=found.leaf_index, hashes=answer.hashes, checkpoint=checkpoint)


def _walk(log: AuditLog, read: Read) -> Iterator[Found]:
    window = Window.between(log.published.size, 0, END_OF_TIME)
    while rows := read(window, _PAGE):
        log.check_deadline()
        yield from found_by(log.queries, rows)
        window = window._replace(before=Spot(rows[-1].time_us, rows[-1].leaf_index))
