"""Whether to cosign: the rules of tlog-witness, in its order, and the one moment at which the witness's promise is made.

A cosignature says that this is the largest tree the witness has seen of the log, and consistent with all before. So one submission
of a log is looked at at a time, and what is cosigned is on disk before anybody gets the cosignature.
"""

import time
from collections.abc import Callable, Iterable

from vault.audit import merkle
from vault.audit.checkpoint import Checkpoint, parse_checkpoint
from vault.audit.cosignature import cosign
from vault.audit.merkle_proofs import ProofError, verify_consistency
from vault.audit.note import Note, NoteError, Verifier, parse_note, verify_note
from vault.witness.errors import OutdatedError, RefusedError
from vault.witness.key_file import WitnessKey
from vault.witness.state import State
from vault.witness.submission import Submission, parse_submission

BAD_REQUEST, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = 400, 403, 404, 422


class Witness:
    """One witness of some logs. Thread-safe."""

    def __init__(
        self,
        key: WitnessKey,
        state: State,
        logs: Iterable[Verifier],
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A witness.

        Args:
            key: cosigns.
            state: what was cosigned before.
            logs: the keys of the logs it knows; a key's name is its log's origin.
            tell: is told, in a line, of checkpoints that a known log has signed and that are refused.
            clock: seconds since 1970.
        """
        self._key = key
        self._state = state
        self._logs: dict[str, dict[bytes, Verifier]] = {}
        for log in logs:
            self._logs.setdefault(log.name, {})[log.key_id] = log
        self._tell = tell
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> str:
        """Cosign a checkpoint.

        Args:
            body: of the request: size, proof, checkpoint.

        Returns:
            The signature line, with its newline. By then the checkpoint is on disk.

        Raises:
            RefusedError: it is not cosigned; OutdatedError says at which size the witness is.
            WitnessError, OSError: the witness can't read or write its state, and has handed out nothing.
        """
        submission = _parsed(body)
        note = self._verified(submission)
        checkpoint = _read(note)
        if submission.old > checkpoint.size:
            raise RefusedError(BAD_REQUEST, f"the old size {submission.old} is larger than the checkpoint's {checkpoint.size}\n")
        with self._state.only_one(submission.origin):
            self._check(submission, checkpoint, note)
            line = cosign(note.text, self._key.verifier, self._key.private_key.sign, int(self._clock()))
            self._state.remember(submission.origin, Note(note.text, (*note.signatures, line)).encode())
        return line.line()

    def newest_note(self, origin_hash: str) -> str | None:
        """The newest cosigned checkpoint of a log, named by its origin's SHA-256 in hex; None if there is none."""
        return self._state.newest_note(origin_hash)

    def _verified(self, submission: Submission) -> Note:
        """The checkpoint's note with the known log's signatures and no others."""
        keys = self._logs.get(submission.origin)
        if keys is None:
            raise RefusedError(NOT_FOUND, "unknown log: this witness is not configured for the checkpoint's origin\n")
        try:
            note = parse_note(submission.checkpoint)
            signers = verify_note(note, keys.values())
        except NoteError as error:
            raise RefusedError(FORBIDDEN, f"{error}\n") from None
        first_of_each = (next(line for line in note.signatures if line.is_by(key)) for key in signers)
        return Note(note.text, tuple(first_of_each))

    def _check(self, submission: Submission, checkpoint: Checkpoint, note: Note) -> None:
        newest = self._state.newest(submission.origin)
        recorded = newest.size if newest else 0
        if submission.old != recorded:
            raise OutdatedError(recorded)
        if checkpoint.size == 0 and checkpoint.root != merkle.EMPTY_ROOT:
            raise RefusedError(UNPROCESSABLE, "the root is not that of the empty tree\n")
        if newest is None or newest.size == 0:
            if submission.proof:
                raise RefusedError(UNPROCESSABLE, "from size 0 there is nothing to prove: the proof must be empty\n")
            return
        if checkpoint.size == recorded and checkpoint.root != newest.root:
            self._tell(f"FORK {checkpoint.origin} {checkpoint.size}: the log has signed two trees of this size")
            self._state.keep_fork(submission.origin, note.encode())
        try:
            verify_consistency(recorded, checkpoint.size, newest.root, checkpoint.root, submission.proof)
        except ProofError as error:
            self._tell(f"refused {checkpoint.origin} {checkpoint.size}: {error}")
            raise RefusedError(UNPROCESSABLE, f"the consistency proof does not hold: {error}\n") from None


def _parsed(body: bytes) -> Submission:
    try:
        return parse_submission(body)
    except NoteError as error:
        raise RefusedError(BAD_REQUEST, f"{error}\n") from None


def _read(note: Note) -> Checkpoint:
    try:
        return parse_checkpoint(note.text)
    except NoteError as error:
        raise RefusedError(BAD_REQUEST, f"{error}\n") from None
