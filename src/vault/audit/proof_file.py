"""Proof files (C2SP tlog-proof): what shows offline that an entry is in a log. They hold the proof, not the entry."""

from dataclasses import dataclass

from vault.audit.checkpoint import parse_decimal
from vault.audit.note import MAX_NOTE, NoteError, decode_base64, encode_base64

_HEADER = "c2sp.org/tlog-proof@v1"
_HASH = 32
_MAX_HASHES = 63
_MAX_EXTRA = 1 << 20


@dataclass(frozen=True)
class ProofFile:
    """An inclusion proof and the checkpoint it leads to.

    ``hashes`` are 32 bytes each, the leaf's sibling first; ``checkpoint`` is the signed note, verbatim and unverified; nobody has
    signed ``extra``.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def encode(self) -> str:
        """The file's text."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines += [f"index {self.index}", *map(encode_base64, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines) + self.checkpoint


def parse_proof_file(text: str) -> ProofFile:
    """Read a proof file, without verifying any of it.

    Raises:
        NoteError: it is malformed, or has more than 63 hashes.
    """
    if len(text) > MAX_NOTE + 2 * _MAX_EXTRA:
        raise NoteError("the proof file is too long")
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or not checkpoint or lines.pop(0) != _HEADER:
        raise NoteError(f"a proof file begins with {_HEADER}, and has a checkpoint after a blank line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise NoteError("a proof file has a line 'index <number>'")
    index = parse_decimal(lines.pop(0).removeprefix("index "))
    return ProofFile(index, parse_hash_lines(lines), checkpoint, extra)


def parse_hash_lines(lines: list[str]) -> tuple[bytes, ...]:
    """The hashes of a proof that is written one base64 line a hash.

    Raises:
        NoteError: a line is no base64 of 32 bytes, or there are more than 63.
    """
    if len(lines) > _MAX_HASHES:
        raise NoteError(f"a proof has at most {_MAX_HASHES} hashes, not {len(lines)}")
    hashes = tuple(decode_base64(line) for line in lines)
    if any(len(hash_) != _HASH for hash_ in hashes):
        raise NoteError(f"the hashes of a proof are of {_HASH} bytes")
    return hashes
