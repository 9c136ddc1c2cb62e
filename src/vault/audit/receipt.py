"""Verifying an erasure's receipt offline, for whoever holds one: docs/erasure.md says what each step proves.

1. The statement is one, of format 1.
2. If the receipt names somebody, the statement's commitment opens to that name.
3. The leaf says that this very statement's erasure is done: the same tenant and subject, the same SHA-256.
4. The leaf is in the tree of the checkpoint (RFC 6962 section 2.1.1), which is of this tenant's log and signed by its key.
5. If there is a second leaf, the same holds for it: it says that this erasure's horizon is reached, later in the same log.
"""

from hashlib import sha256
from typing import NamedTuple

from google.protobuf.message import DecodeError

from vault.audit.checkpoint import parse_checkpoint
from vault.audit.continuing import parse_name
from vault.audit.merkle import leaf_hash
from vault.audit.merkle_proofs import ProofError, verify_inclusion
from vault.audit.note import NoteError, parse_note
from vault.audit.policy_file import Policy
from vault.audit.receipt_leaves import erases, names_newest, oldest_kek, reaches
from vault.audit.remembered import Memory
from vault.audit.verify_errors import WrongError
from vault.audit.verify_trust import Signed, check_no_fork, open_signed
from vault.crypto.commitment import opens
from vault.crypto.keys import KEY_BYTES, Key
from vault.v1.audit_pb2 import AuditEvent
from vault.v1.subject_service_pb2 import ErasureReceipt, ErasureStatement, LeafProof

FORMAT = 1
_UID, _HASH = 16, 32


class Said(NamedTuple):
    """What the log says: the event, the number of its entry, and the checkpoint that covers it."""

    event: AuditEvent
    entry: int
    signed: Signed


class VerifiedReceipt(NamedTuple):
    """A receipt in which nothing is wrong.

    Args:
        statement: what was erased.
        sha256: of the statement's bytes.
        is_named: whether the receipt shows whom it is about.
        erased: that it is done; None if the receipt has no proof of it.
        horizon: that no backup brings it back any more; None if the receipt has no proof of it.
    """

    statement: ErasureStatement
    sha256: bytes
    is_named: bool
    erased: Said | None
    horizon: Said | None


def verify_receipt(receipt: ErasureReceipt, policy: Policy, memory: Memory) -> VerifiedReceipt:
    """Verify all that a receipt has.

    A proof can't show that its checkpoint is consistent with those seen before, so nothing is remembered; but another tree of a
    size seen before is noticed.

    Args:
        receipt: as the vault gave it.
        policy: keys given, witnesses known, quorum asked for.
        memory: checkpoints seen before.

    Raises:
        WrongError: something in it is not as the vault gives it.
        UncheckedError: no key is known for the log.
        OSError: the memory can't be read.
    """
    statement = read_statement(receipt.statement)
    is_named = _check_name(receipt, statement)
    erased = _said(receipt.erased, "erased", statement, policy, memory) if receipt.HasField("erased") else None
    if erased and not erases(erased.event, receipt.statement):
        raise WrongError("erased: the leaf does not say that what this statement says is done")
    horizon = _said(receipt.horizon, "horizon", statement, policy, memory) if receipt.HasField("horizon") else None
    if horizon:
        _check_horizon(horizon, erased, statement)
    return VerifiedReceipt(statement, sha256(receipt.statement).digest(), is_named, erased, horizon)


def read_statement(data: bytes) -> ErasureStatement:
    """The statement in its bytes.

    Raises:
        WrongError: it is none, or of a format that is not known here.
    """
    statement = ErasureStatement()
    try:
        statement.ParseFromString(data)
    except DecodeError:
        statement.format = 0
    uids = (statement.erasure_uid, statement.tenant_uid, statement.subject_uid, *(key.key_id for key in statement.keys))
    hashes = (statement.subject_commitment, *(key.wrapped_sha256 for key in statement.keys))
    if statement.format != FORMAT or {*map(len, uids)} != {_UID} or {*map(len, hashes)} != {_HASH}:
        raise WrongError("the statement is damaged, or of a format that this release does not know")
    return statement


def _check_name(receipt: ErasureReceipt, statement: ErasureStatement) -> bool:
    if not receipt.subject_id and not receipt.commitment_key:
        return False
    if len(receipt.commitment_key) != KEY_BYTES or not receipt.subject_id:
        raise WrongError("the receipt names somebody and lacks what shows it, or the other way round")
    if not opens(Key(receipt.commitment_key), receipt.subject_id, statement.subject_commitment):
        raise WrongError("the receipt names somebody whom the statement is not about")
    return True


def _said(proof: LeafProof, which: str, statement: ErasureStatement, policy: Policy, memory: Memory) -> Said:
    try:
        origin = parse_checkpoint(parse_note(proof.checkpoint).text).origin
        parse_name(origin, statement.tenant_uid)
    except NoteError as error:
        raise WrongError(f"{which}: the checkpoint is none of this tenant's log: {error}") from None
    known = memory.recall(origin)
    signed = open_signed(proof.checkpoint, policy, known, None)
    check_no_fork(signed.checkpoint, known)
    size, root = signed.checkpoint.size, signed.checkpoint.root
    try:
        verify_inclusion(proof.leaf_index, size, leaf_hash(proof.leaf), list(proof.hashes), root)
    except ProofError as error:
        raise WrongError(f"{which}: the leaf is not in the log at index {proof.leaf_index}: {error}") from None
    try:
        event = AuditEvent.FromString(proof.leaf)
    except DecodeError:
        raise WrongError(f"{which}: the leaf is no event") from None
    return Said(event, proof.leaf_index, signed)


def _check_horizon(horizon: Said, erased: Said | None, statement: ErasureStatement) -> None:
    if erased is None:
        raise WrongError("horizon: the receipt proves that the horizon is reached, and not that anything was erased")
    if horizon.event.tenant_uid != statement.tenant_uid or not reaches(horizon.event, statement.erasure_uid):
        raise WrongError("horizon: the leaf does not say that this erasure's horizon is reached")
    if not statement.kek_versions or max(statement.kek_versions) >= oldest_kek(horizon.event):
        raise WrongError("horizon: the leaf does not say that every KEK version that the statement names is destroyed")
    if not names_newest(statement):
        raise WrongError("horizon: the statement lists a key under a later epoch than the newest that it names: that one may live")
    same_name = horizon.signed.checkpoint.origin == erased.signed.checkpoint.origin
    if horizon.signed.log_key.public_key != erased.signed.log_key.public_key or (same_name and horizon.entry <= erased.entry):
        raise WrongError("horizon: the leaf is of another log, or before the one that says that the erasure is done")
