"""Whether a checkpoint is the log's own, who has cosigned it, and whether it fits what was seen of the log before."""

from typing import NamedTuple

from vault.audit.checkpoint import Checkpoint, parse_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import Note, NoteError, Verifier, encode_base64, parse_note, parse_vkey, verify_note
from vault.audit.policy_file import Policy
from vault.audit.remembered import Remembered
from vault.audit.verify_errors import UncheckedError, WrongError

GIVEN, REMEMBERED, FIRST_USE = "given", "remembered", "first use"


class Signed(NamedTuple):
    """A checkpoint that its log has signed.

    Args:
        checkpoint: what it says.
        note: as it was signed.
        log_key: whose signature it is.
        source: how the key is known: given, remembered, or believed on first use.
        cosignatures: (witness, seconds since 1970) of each known witness that has cosigned.
    """

    checkpoint: Checkpoint
    note: Note
    log_key: Verifier
    source: str
    cosignatures: tuple[tuple[Verifier, int], ...]


def open_signed(text: str, policy: Policy, known: Remembered | None, offered: str | None) -> Signed:
    """Verify a checkpoint's signature and cosignatures.

    Args:
        text: the signed note.
        policy: the keys given, if any, and the witnesses and quorum asked for.
        known: what is remembered of the log of that origin.
        offered: a verifier key to believe if no key is given and none remembered; None to believe none.

    Raises:
        WrongError: malformed, badly signed or cosigned, or signed by another key than before; too few cosignatures.
        UncheckedError: no key is known for this log, or the keys given have not signed.
    """
    try:
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
    except NoteError as error:
        raise WrongError(f"the checkpoint is malformed: {error}") from None
    key, source = _key(note, checkpoint, policy, known, offered)
    try:
        verify_note(note, [key])
        cosigned = {name: verify_cosignature(note, witness) for name, witness in policy.witnesses.items()}
    except NoteError as error:
        raise WrongError(f"the checkpoint is forged or damaged: {error}") from None
    if known and known.log_key.public_key != key.public_key:
        raise WrongError(
            f"the checkpoint is signed by {key.vkey}, but checkpoints of this log seen before by {known.log_key.vkey}: "
            "one of the two logs is not the one you mean"
        )
    times = {name: time for name, time in cosigned.items() if time is not None}
    if not policy.is_met(times):
        raise WrongError(f"the checkpoint lacks cosignatures: it has {len(times)} of {len(policy.witnesses)} known witnesses")
    witnesses = tuple((policy.witnesses[name], time) for name, time in times.items())
    return Signed(checkpoint, note, key, source, witnesses)


def check_no_fork(checkpoint: Checkpoint, known: Remembered | None) -> None:
    """Compare a checkpoint, signed by its log, with the one of the same size that was seen before, if any.

    Raises:
        WrongError: it is of another tree.
    """
    size = checkpoint.size
    if known and known.seen.get(size, checkpoint.root) != checkpoint.root:
        raise WrongError(
            f"fork: this checkpoint of size {size} has the root {encode_base64(checkpoint.root)}, "
            f"another one of the same size seen before has {encode_base64(known.seen[size])}"
        )


def check_newest(checkpoint: Checkpoint, known: Remembered | None) -> None:
    """Check that no larger tree than a checkpoint's was seen before.

    Raises:
        WrongError: one was.
    """
    if known and checkpoint.size < known.checkpoint.size:
        raise WrongError(
            f"rewound log, or an older bundle: it has size {checkpoint.size}, but a checkpoint of size {known.checkpoint.size} "
            "was seen before (--older accepts a bundle that was verified here before)"
        )


def check_seen(checkpoint: Checkpoint, known: Remembered | None) -> None:
    """Check that a checkpoint was seen before itself, if a larger tree than its was.

    Raises:
        UncheckedError: it was not, and nothing can be said of it without proof.
    """
    if known and checkpoint.size < known.checkpoint.size and checkpoint.size not in known.seen:
        raise UncheckedError(
            f"size {checkpoint.size} is older than the size {known.checkpoint.size} seen before, and was not verified here at its "
            "time: nothing at hand shows that the one begins with the other"
        )


def _key(note: Note, checkpoint: Checkpoint, policy: Policy, known: Remembered | None, offered: str | None) -> tuple[Verifier, str]:
    origin = checkpoint.origin
    if policy.logs:
        given = [key for key in policy.logs if key.name == origin]
        if not given:
            raise UncheckedError(f"wrong key: this is the log {origin!a}, and the keys given are of {_names(policy)}")
        signers = [key for key in given if any(line.is_by(key) for line in note.signatures)]
        if not signers:
            raise UncheckedError(f"wrong key: the checkpoint has no signature by {' or '.join(key.vkey for key in given)}")
        return signers[0], GIVEN
    if known:
        if not any(line.is_by(known.log_key) for line in note.signatures):
            raise WrongError(f"the checkpoint is not signed by the key remembered for this log, {known.log_key.vkey}")
        return known.log_key, REMEMBERED
    if offered is None:
        raise UncheckedError(f"no key is known for the log {origin!a}: give it with --log-key or --policy")
    return _offered_key(origin, note, offered), FIRST_USE


def _offered_key(origin: str, note: Note, offered: str) -> Verifier:
    try:
        key = parse_vkey(offered)
    except NoteError as error:
        raise WrongError(f"manifest.json: log_key: {error}") from None
    if key.name != origin or not any(line.is_by(key) for line in note.signatures):
        raise WrongError(f"manifest.json names the key {key.vkey}, which has not signed the checkpoint of {origin!a}")
    return key


def _names(policy: Policy) -> str:
    return ", ".join(sorted({ascii(key.name) for key in policy.logs}))
