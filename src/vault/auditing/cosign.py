"""AddCosignature: a witness's cosignature of one of the log's checkpoints, brought by whoever got it."""

from vault.audit.checkpoint import open_checkpoint, parse_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import Note, NoteError, Verifier, parse_note
from vault.auditing.log import AuditLog
from vault.auditing.permitted import Permitted
from vault.classes.taxonomy import Taxonomy
from vault.errors import VaultError
from vault.store.rows import CosignatureRow
from vault.v1 import audit_service_pb2 as v1
from vault.v1 import common_pb2

ACTION = "AddCosignature"

_US = 1_000_000


def use_case(request: v1.AddCosignatureRequest, _taxonomy: Taxonomy) -> Permitted:
    """The call; the event says of which size the checkpoint is.

    Raises:
        VaultError: COSIGNATURE_REFUSED, if it is none.
    """
    try:
        size = parse_checkpoint(parse_note(request.checkpoint).text).size
    except NoteError:
        size = -1
    if size < 0:
        raise _refused("the note is no checkpoint")
    return Permitted(ACTION, request, {"size": size})


def verified(log: AuditLog, request: v1.AddCosignatureRequest) -> list[CosignatureRow]:
    """The cosignatures by configured witnesses, each verified, of a checkpoint that is one of this log's.

    Raises:
        VaultError: COSIGNATURE_REFUSED; INTEGRITY, if the published checkpoint is not of the tree that the database holds.
    """
    try:
        checkpoint, note = open_checkpoint(request.checkpoint, log.key)
    except NoteError:
        checkpoint, note = None, None
    if checkpoint is None or note is None or checkpoint.size > log.published.size or log.opened(request.checkpoint) is None:
        raise _refused("the note is no checkpoint that this log has published")
    own = Note(note.text, tuple(line for line in note.signatures if line.is_by(log.key)))
    rows = [_row(log, own, note, witness, checkpoint.size) for witness in log.witnesses]
    found = [row for row in rows if row]
    if not found:
        raise _refused("the note has no cosignature of a configured witness")
    return found


def _row(log: AuditLog, own: Note, note: Note, witness: Verifier, size: int) -> CosignatureRow | None:
    try:
        time_s = verify_cosignature(note, witness)
    except NoteError:
        raise _refused(f"the cosignature of {witness.name} is bad") from None
    if time_s is None:
        return None
    (newest, *_) = (line for line in note.signatures if line.is_by(witness) and line.signature[:8] == time_s.to_bytes(8, "big"))
    return CosignatureRow(log.head.tenant_uid, witness.name, size, own.encode(), newest.line(), time_s * _US, problem="")


def _refused(why: str) -> VaultError:
    return VaultError(common_pb2.ERROR_REASON_COSIGNATURE_REFUSED, f"nothing was stored: {why}")
