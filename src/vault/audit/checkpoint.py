"""Checkpoints (C2SP tlog-checkpoint): the text of the note by which a log commits to its tree."""

import re
from dataclasses import dataclass

from vault.audit.note import Note, NoteError, Verifier, decode_base64, encode_base64, parse_note, verify_note

MAX_SIZE = 2**63 - 1
"""The largest tree size that is read: the largest index proofs and databases can express."""

_HASH = 32
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """That the log ``origin`` had ``size`` leaves with this root (32 bytes, RFC 6962)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text of the note, with its final newline."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), encode_base64(self.root), *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint's note.

    Raises:
        NoteError: it has not the form origin, size, root, further lines; each non-empty and ended by a newline.
    """
    if not text.endswith("\n"):
        raise NoteError("a checkpoint ends with a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise NoteError("a checkpoint has at least three lines, and no empty one: origin, size, root")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(origin, parse_decimal(size), decode_base64(root), tuple(extensions))
    if len(checkpoint.root) != _HASH:
        raise NoteError(f"a checkpoint's root is of {_HASH} bytes, not {len(checkpoint.root)}")
    return checkpoint


def open_checkpoint(note_text: str, log: Verifier) -> tuple[Checkpoint, Note]:
    """Read and verify a log's signed checkpoint.

    Args:
        note_text: the whole note.
        log: the log's key; its name must be the checkpoint's origin.

    Raises:
        NoteError: malformed, not signed by the log's key, or of another origin.
    """
    note = parse_note(note_text)
    verify_note(note, [log])
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log.name:
        raise NoteError(f"the checkpoint is of {checkpoint.origin!r}, not of {log.name!r}")
    return checkpoint, note


def parse_decimal(text: str) -> int:
    """A size or an index as checkpoints and proofs write it: ASCII digits without leading zeros, at most 2**63 - 1.

    Raises:
        NoteError: it is anything else.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise NoteError("a size or index is decimal without leading zeros, from 0 to 2**63 - 1")
    return int(text)
