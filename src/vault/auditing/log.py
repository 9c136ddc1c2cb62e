"""One log as auditors read it: found by its indexes, and held against the checkpoint that was published of it."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from vault.audit import merkle
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import Note, NoteError, Verifier, parse_note, verifier
from vault.errors import VaultError
from vault.store.log.queries import LogQueries, altered
from vault.store.log.rows import CosignatureRow, LogRow
from vault.v1 import common_pb2


@dataclass(frozen=True)
class Published:
    """A published checkpoint, verified: signed by the log's key, and of the tree that the database holds."""

    checkpoint: Checkpoint
    note: Note

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The root of their tree."""
        return self.checkpoint.root

    def cosigned(self, rows: Iterable[CosignatureRow], witnesses: Sequence[Verifier]) -> str:
        """The signed note with the cosignatures that configured witnesses have given it, by the keys that they have now.

        Raises:
            VaultError: INTEGRITY, if a stored cosignature is bad.
        """
        keys = {key.name: key for key in witnesses}
        rows = [row for row in cosignatures_by(rows, witnesses) if row.size == self.size]
        for row in rows:
            _check_cosignature(self.note, row, keys[row.witness])
        return self.note.encode() + "".join(row.line for row in rows)


class AuditLog:
    """A log in one snapshot of the database."""

    def __init__(
        self, queries: LogQueries, public_key: Callable[[bytes], bytes], witnesses: Sequence[Verifier], deadline: float
    ) -> None:
        """Make it.

        Args:
            queries: what reads the log.
            public_key: of a tenant's log, 32 bytes, as the KMS has it.
            witnesses: the configured witnesses' keys.
            deadline: monotonic seconds after which nobody waits any more.
        """
        self.queries = queries
        self.witnesses = witnesses
        self._public_key = public_key
        self._deadline = deadline

    @cached_property
    def head(self) -> LogRow:
        """The log's head; raises VaultError INTEGRITY if it is missing."""
        return self.queries.head()

    @cached_property
    def key(self) -> Verifier:
        """The log's key, as the KMS has it, under the log's origin; raises VaultError if the KMS can't be asked."""
        try:
            return verifier(self.head.origin, self._public_key(self.head.tenant_uid))
        except NoteError:
            raise altered("audit_log", "the origin") from None

    @cached_property
    def published(self) -> Published:
        """The newest published checkpoint.

        Raises:
            VaultError: INTEGRITY, if it is not one of this log's, or not of the tree that the database holds.
        """
        found = self.opened(self.head.checkpoint)
        if found is None or found.size != self.head.checkpoint_size or found.size > self.head.size:
            raise altered("audit_log", "the checkpoint")
        return found

    def opened(self, signed: str) -> Published | None:
        """A checkpoint of this log, verified; None if it is none, or not of the tree that the database holds."""
        try:
            checkpoint, note = open_checkpoint(signed, self.key)
        except NoteError:
            return None
        own = Note(note.text, tuple(line for line in note.signatures if line.is_by(self.key)))
        if checkpoint.size > self.head.size or merkle.root(self.queries.hashes, checkpoint.size) != checkpoint.root:
            return None
        return Published(checkpoint, own)

    def check_deadline(self) -> None:
        """Refuse to go on for nobody.

        Raises:
            VaultError: DEADLINE_EXCEEDED.
        """
        if time.monotonic() >= self._deadline:
            raise VaultError(
                common_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the deadline passed while the log was read; ask for less of it"
            )


class Snapshots:
    """A log for work in steps, each of which may see it in a new snapshot of the database, since none should live for long.

    What a step sees is ``log``. Entries never change, so several snapshots are as good as one.
    """

    log: AuditLog


def cosignatures_by(rows: Iterable[CosignatureRow], witnesses: Sequence[Verifier]) -> list[CosignatureRow]:
    """The rows with cosignatures of these witnesses, without those by keys that they had before. None is verified."""
    keys = {key.name: key for key in witnesses}
    return [row for row in rows if row.line and row.witness in keys and not _is_by_former_key(row, keys[row.witness])]


def _is_by_former_key(row: CosignatureRow, witness: Verifier) -> bool:
    try:
        lines = parse_note(f"\n\n{row.line}").signatures
    except NoteError:
        return False
    return all(line.name == witness.name and not line.is_by(witness) for line in lines)


def _check_cosignature(note: Note, row: CosignatureRow, witness: Verifier) -> None:
    try:
        (line,) = parse_note(f"\n\n{row.line}").signatures
        is_good = line.line() == row.line and verify_cosignature(Note(note.text, (line,)), witness) is not None
    except ValueError:  # NoteError is one, and so is another number of lines
        is_good = False
    if not is_good:
        raise altered("audit_cosignature", f"the cosignature of {row.witness}")
