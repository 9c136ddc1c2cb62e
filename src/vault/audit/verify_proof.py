"""Verifying one entry by a proof file (C2SP tlog-proof), for whoever has no bundle."""

from typing import NamedTuple

from vault.audit.checkpoint import parse_checkpoint
from vault.audit.merkle_proofs import ProofError, verify_inclusion
from vault.audit.note import NoteError, parse_note
from vault.audit.policy_file import Policy
from vault.audit.proof_file import parse_proof_file
from vault.audit.remembered import Memory
from vault.audit.verify_errors import WrongError
from vault.audit.verify_trust import Signed, check_no_fork, open_signed


class Proven(NamedTuple):
    """An entry that is in a log: its number, and the checkpoint that covers it."""

    entry: int
    signed: Signed


def verify_proof(text: str, leaf_hash: bytes, policy: Policy, memory: Memory) -> Proven:
    """Verify that an entry is in the log.

    A proof can't show that its checkpoint is consistent with those seen before, so nothing is remembered; but another tree of
    a size seen before is noticed.

    Args:
        text: the proof file.
        leaf_hash: of the entry (RFC 6962 section 2.1), 32 bytes.
        policy: keys given, witnesses known, quorum asked for.
        memory: checkpoints seen before.

    Raises:
        WrongError: the proof does not show it.
        UncheckedError: no key is known for the log.
        OSError: the memory can't be read.
    """
    try:
        proof = parse_proof_file(text)
        origin = parse_checkpoint(parse_note(proof.checkpoint).text).origin
    except NoteError as error:
        raise WrongError(f"the proof is malformed: {error}") from None
    known = memory.recall(origin)
    signed = open_signed(proof.checkpoint, policy, known, None)
    checkpoint = signed.checkpoint
    check_no_fork(checkpoint, known)
    try:
        verify_inclusion(proof.index, checkpoint.size, leaf_hash, proof.hashes, checkpoint.root)
    except ProofError as error:
        raise WrongError(f"the entry is not in the log at index {proof.index}: {error}") from None
    return Proven(proof.index, signed)
