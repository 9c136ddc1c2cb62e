"""What is posted to a witness: where the submitter believes it to be, a proof from there, and a signed checkpoint."""

from dataclasses import dataclass

from vault.audit.checkpoint import parse_decimal
from vault.audit.note import NoteError
from vault.audit.proof_file import parse_hash_lines


@dataclass(frozen=True)
class Submission:
    """``old`` is the size the proof begins at, ``checkpoint`` the whole note; nothing is verified yet."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: str

    @property
    def origin(self) -> str:
        """The checkpoint's first line."""
        return self.checkpoint.partition("\n")[0]


def parse_submission(body: bytes) -> Submission:
    """Read the body of add-checkpoint.

    Raises:
        NoteError: it is not ``old <size>``, at most 63 hashes of 32 bytes in base64, a blank line, and a checkpoint.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NoteError("the body is not UTF-8") from None
    head, blank, checkpoint = text.partition("\n\n")
    first, *proof = head.split("\n")
    if not blank or not checkpoint or not first.startswith("old "):
        raise NoteError("the body has the form 'old <size>', hashes, a blank line, checkpoint")
    return Submission(parse_decimal(first.removeprefix("old ")), parse_hash_lines(proof), checkpoint)
