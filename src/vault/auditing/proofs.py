"""GetInclusionProof and GetConsistencyProof: for the published tree and those it begins with, tried before they are given."""

from vault.audit import merkle, merkle_proofs
from vault.audit.proof_file import ProofFile
from vault.auditing.entries import read
from vault.auditing.log import AuditLog
from vault.auditing.permitted import Permitted
from vault.errors import VaultError
from vault.store.log.queries import altered
from vault.v1 import audit_service_pb2 as v1
from vault.v1 import common_pb2

INCLUSION, CONSISTENCY = "GetInclusionProof", "GetConsistencyProof"


def inclusion_use_case(request: v1.GetInclusionProofRequest) -> Permitted:
    """The call of the first."""
    return Permitted(INCLUSION, request, {"index": request.index, "size": request.size})


def consistency_use_case(request: v1.GetConsistencyProofRequest) -> Permitted:
    """The call of the second."""
    return Permitted(CONSISTENCY, request, {"first_size": request.first_size, "second_size": request.second_size})


def inclusion(log: AuditLog, request: v1.GetInclusionProofRequest) -> v1.GetInclusionProofResponse:
    """The entry, and the hashes that lead from it to the root.

    Raises:
        VaultError: LOG_RANGE; INTEGRITY, if the database holds no entry that the published checkpoint confirms.
    """
    size = request.size or log.published.size
    if not request.index < size <= log.published.size:
        raise out_of_range(f"no entry {request.index} in a tree of {size}", log)
    (row,) = log.queries.entries(request.index, request.index + 1)
    read(row)
    hashes = merkle.inclusion_proof(log.queries.hashes, request.index, size)
    try:
        merkle_proofs.verify_inclusion(request.index, size, merkle.leaf_hash(row.leaf), hashes, _root(log, size))
    except merkle_proofs.ProofError:
        raise altered("audit_entry", f"entry {request.index}, or a hash on its way to the root,") from None
    response = v1.GetInclusionProofResponse(entry=v1.LogEntry(index=request.index, leaf=row.leaf), hashes=hashes, size=size)
    if size == log.published.size:
        checkpoint = log.published.cosigned(log.queries.cosignatures(), log.witnesses)
        response.proof_file = ProofFile(request.index, tuple(hashes), checkpoint).encode()
    return response


def consistency(log: AuditLog, request: v1.GetConsistencyProofRequest) -> v1.GetConsistencyProofResponse:
    """The hashes that show that one tree begins with another.

    Raises:
        VaultError: LOG_RANGE, INTEGRITY.
    """
    second = request.second_size or log.published.size
    if not request.first_size <= second <= log.published.size:
        raise out_of_range(f"no proof from size {request.first_size} to {second}", log)
    hashes = consistency_hashes(log, request.first_size, second)
    response = v1.GetConsistencyProofResponse(hashes=hashes, second_size=second)
    if second == log.published.size:
        response.checkpoint = log.published.cosigned(log.queries.cosignatures(), log.witnesses)
    return response


def consistency_hashes(log: AuditLog, first: int, second: int) -> list[bytes]:
    """The proof from one size, at least 1, to another, at most the published one.

    Raises:
        VaultError: INTEGRITY, if the trees in the database are not those of the published one.
    """
    hashes = merkle.consistency_proof(log.queries.hashes, first, second)
    try:
        merkle_proofs.verify_consistency(first, second, merkle.root(log.queries.hashes, first), _root(log, second), hashes)
    except merkle_proofs.ProofError:
        raise altered("audit_entry or audit_node", f"a hash of the tree of {second}") from None
    return hashes


def out_of_range(what: str, log: AuditLog) -> VaultError:
    """The refusal of what the newest checkpoint does not cover."""
    return VaultError(common_pb2.ERROR_REASON_LOG_RANGE, f"there is {what}: the newest checkpoint is of size {log.published.size}")


def _root(log: AuditLog, size: int) -> bytes:
    """The root of a tree with which the published one begins; the published one's own has been checked."""
    if size == log.published.size:
        return log.published.root
    root = merkle.root(log.queries.hashes, size)
    proof = merkle.consistency_proof(log.queries.hashes, size, log.published.size)
    try:
        merkle_proofs.verify_consistency(size, log.published.size, root, log.published.root, proof)
    except merkle_proofs.ProofError:
        raise altered("audit_entry or audit_node", f"a hash of the tree of {size}") from None
    return root
