"""AddCosignature: a witness's cosignature of one of the log's checkpoints, brought by whoever got it."""

from vault.audit.checkpoint import parse_checkpoint
from vault.audit.cosignature import newest_cosignature
from vault.audit.note import Note, NoteError, Verifier, parse_note
from vault.auditing.log import AuditLog, Published
from vault.auditing.permitted import Permitted
from vault.errors import VaultError
from vault.store.log.rows import CosignatureRow
from vault.v1 import audit_service_pb2 as v1
from vault.v1 import common_pb2

ACTION = "AddCosignature"

_US = 1_000_000


def use_case(request: v1.AddCosignatureRequest) -> Permitted:
    """The call; the event says of which size the checkpoint is.

    Raises:
        VaultError: COSIGNATURE_REFUSED, if it is none.
    """
    try:
        size = parse_checkpoint(parse_note(request.checkpoint).text).size
    except NoteError:
        raise _refused("the note is no checkpoint") from None
    return Permitted(ACTION, request, {"size": size})


def verified(log: AuditLog, request: v1.AddCosignatureRequest) -> list[CosignatureRow]:
    """The cosignatures by configured witnesses, each verified, of a checkpoint that is one of this log's.

    Raises:
        VaultError: COSIGNATURE_REFUSED; INTEGRITY, if the published checkpoint is not of the tree that the database holds.
    """
    found = log.opened(request.checkpoint)
    if found is None or found.size > log.published.size:
        raise _refused("the note is no checkpoint that this log has published")
    note = parse_note(request.checkpoint)
    rows = [row for witness in log.witnesses if (row := _row(log, found, note, witness))]
    if not rows:
        raise _refused("the note has no cosignature of a configured witness")
    return rows


def _row(log: AuditLog, found: Published, note: Note, witness: Verifier) -> CosignatureRow | None:
    try:
        newest = newest_cosignature(note, witness)
    except NoteError:
        raise _refused(f"the cosignature of {witness.name} is bad") from None
    if newest is None:
        return None
    line, time_s = newest
    return CosignatureRow(log.head.tenant_uid, witness.name, found.size, found.note.encode(), line.line(), time_s * _US, problem="")


def _refused(why: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_COSIGNATURE_REFUSED, f"nothing was stored: {why}")
