"""Which checkpoints which witnesses have not cosigned yet."""

from dataclasses import dataclass

import sqlalchemy as sa

from vault.audit.checkpoint import Checkpoint, parse_checkpoint
from vault.audit.note import Note, NoteError, parse_note
from vault.server.witnessing.exchange import Witness
from vault.store import tables as t
from vault.store.log.queries import altered
from vault.store.log.rows import CosignatureRow


@dataclass(frozen=True)
class Due:
    """A log's newest published checkpoint, a witness that is to cosign it, and the row about the two of them."""

    tenant_uid: bytes
    signed: str
    witness: Witness
    row: CosignatureRow | None

    @property
    def place(self) -> tuple[bytes, str]:
        """Which log, and which witness."""
        return self.tenant_uid, self.witness.key.name


def not_cosigned(connection: sa.Connection, witness: Witness) -> list[Due]:
    """The logs whose newest published checkpoint is not what the witness has cosigned last."""
    head, row = t.audit_log.c, t.audit_cosignature.c
    own = (row.tenant_uid == head.tenant_uid) & (row.witness == witness.key.name)
    select = sa.select(head.tenant_uid, head.checkpoint, *t.audit_cosignature.columns).select_from(
        t.audit_log.outerjoin(t.audit_cosignature, own)
    )
    news = (head.checkpoint_size > 0) & (row.checkpoint.is_(None) | (row.checkpoint != head.checkpoint))
    return [
        Due(tenant_uid, checkpoint, witness, CosignatureRow(*columns) if columns[0] is not None else None)
        for tenant_uid, checkpoint, *columns in connection.execute(select.where(news))
    ]


def read_checkpoint(checkpoint: str) -> tuple[Note, Checkpoint]:
    """A published checkpoint, with the log's own signature only.

    Raises:
        VaultError: INTEGRITY, if it is none.
    """
    try:
        note = parse_note(checkpoint)
        parsed = parse_checkpoint(note.text)
    except NoteError:
        raise altered("audit_log", "the checkpoint") from None
    return Note(note.text, tuple(signature for signature in note.signatures if signature.name == parsed.origin)), parsed
