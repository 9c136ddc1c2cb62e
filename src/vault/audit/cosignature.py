"""Cosignatures (C2SP tlog-cosignature, cosignature/v1): a witness says when a checkpoint was the newest it saw, and consistent."""

from operator import itemgetter

from vault.audit.note import COSIGNATURE, Note, NoteError, Sign, Signature, Verifier

_TIME = 8
_MAX_TIME = 2**63 - 1


def cosign(text: str, verifier: Verifier, sign: Sign, time_s: int) -> Signature:
    """A witness's signature line for a checkpoint. The caller has checked that the checkpoint is consistent with all before.

    Args:
        text: the text of the checkpoint's note, ending with a newline.
        verifier: of the witness's key, type COSIGNATURE; the signature is checked against it.
        sign: gives the key's signature of a message.
        time_s: seconds since 1970, at least 1.

    Raises:
        NoteError: an impossible time, a key of another type, or ``sign`` uses another key.
    """
    _check_kind(verifier)
    if not 0 < time_s <= _MAX_TIME:
        raise NoteError("the time of a cosignature is from 1 to 2**63 - 1 seconds since 1970")
    message = _message(text, time_s)
    signature = sign(message)
    if not verifier.accepts(signature, message):
        raise NoteError(f"the signature made for {verifier.name} is not by its key {verifier.key_id.hex()}")
    return Signature(verifier.name, verifier.key_id, time_s.to_bytes(_TIME, "big") + signature)


def newest_cosignature(note: Note, witness: Verifier) -> tuple[Signature, int] | None:
    """The witness's newest signature line of this checkpoint, and its time in seconds since 1970; None if it has not cosigned.

    Args:
        note: the checkpoint's note as it was read.
        witness: the witness's key, type COSIGNATURE.

    Raises:
        NoteError: a cosignature by that name and key id is bad, or the key is of another type.
    """
    _check_kind(witness)
    given = [(line, _time_of(line, note.text, witness)) for line in note.signatures if line.is_by(witness)]
    return max(given, key=itemgetter(1), default=None)


def verify_cosignature(note: Note, witness: Verifier) -> int | None:
    """When the witness last cosigned this checkpoint, in seconds since 1970; None if it has not.

    Raises:
        NoteError: as ``newest_cosignature``.
    """
    newest = newest_cosignature(note, witness)
    return newest[1] if newest else None


def _time_of(line: Signature, text: str, witness: Verifier) -> int:
    time_s = int.from_bytes(line.signature[:_TIME], "big")
    if not 0 < time_s <= _MAX_TIME or not witness.accepts(line.signature[_TIME:], _message(text, time_s)):
        raise NoteError(f"the cosignature of {witness.name} ({witness.key_id.hex()}) is bad")
    return time_s


def _message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _check_kind(key: Verifier) -> None:
    if key.kind != COSIGNATURE:
        raise NoteError(f"the key of {key.name} is of type {key.kind}; cosignatures are of type {COSIGNATURE}")
