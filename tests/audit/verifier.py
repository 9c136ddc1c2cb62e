"""An offline verifier of pending leaves, written from docs/formats.md alone: it knows leaves, a tenant and its log's public key.

Of the vault it uses the generated message only, to read fields; what is hashed and verified are the bytes as they are.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError

from vault.v1.audit_pb2 import AuditEvent

FORMAT = 1
MAX_LEAF = 65_535
SIGNATURE_HEAD = b"\x9a\x02\x40"
SIGNATURE_BYTES = 64
CHAIN_START = bytes(32)


def verify_log(leaves: Sequence[bytes], tenant_uid: bytes, log_public_key: bytes) -> list[str]:
    """What is wrong with a tenant's pending leaves, which may come in any order; empty if nothing is."""
    problems: list[str] = []
    boots: dict[bytes, list[tuple[AuditEvent, bytes]]] = defaultdict(list)
    for number, leaf in enumerate(leaves):
        event = _parse(leaf)
        if event is None or event.format != FORMAT or event.tenant_uid != tenant_uid:
            problems.append(f"leaf {number}: not one of this log")
        else:
            boots[event.boot_id].append((event, leaf))
    for boot_id, chain in boots.items():
        chain.sort(key=lambda one: one[0].boot_sequence)
        problems += [f"boot {boot_id.hex()}: {problem}" for problem in _chain(chain, tenant_uid, log_public_key)]
    return problems


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def announcement(tenant_uid: bytes, boot_id: bytes, public_key: bytes) -> bytes:
    """What the log key signs: label and fields, each behind its length."""
    fields = (b"pdvault/v1/boot", tenant_uid, boot_id, public_key)
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _parse(leaf: bytes) -> AuditEvent | None:
    if not 0 < len(leaf) <= MAX_LEAF:
        return None
    try:
        return AuditEvent.FromString(leaf)
    except DecodeError:
        return None


def _chain(chain: Sequence[tuple[AuditEvent, bytes]], tenant_uid: bytes, log_public_key: bytes) -> list[str]:
    problems = []
    previous = CHAIN_START
    first = chain[0][0]
    public_key = first.boot_public_key
    if first.action != "BootStarted" or len(public_key) != 32:
        return ["does not begin with its announcement"]
    for sequence, (event, leaf) in enumerate(chain):
        if event.boot_sequence != sequence:
            problems.append(f"leaf {sequence} is missing or there twice")
        if event.previous_hash != previous:
            problems.append(f"leaf {event.boot_sequence} does not follow the one before")
        if chain[sequence - 1][0].action == "BootEnded" and sequence:
            problems.append(f"leaf {event.boot_sequence} follows the boot's end")
        if sequence and (event.boot_public_key or event.action == "BootStarted"):
            problems.append(f"leaf {event.boot_sequence} begins the boot again")
        if event.boot_signature and not _signed(leaf, public_key):
            problems.append(f"leaf {event.boot_sequence} has a wrong signature")
        previous = leaf_hash(leaf)
    if not chain[-1][0].boot_signature:
        problems.append("the last leaf is not signed")
    announced = announcement(tenant_uid, first.boot_id, public_key)
    return problems + _endorsement([event.boot_endorsement for event, _ in chain], log_public_key, announced)


def _endorsement(found: Sequence[bytes], log_public_key: bytes, announced: bytes) -> list[str]:
    endorsements = [one for one in found if one]
    if len(endorsements) != 1:
        return [f"endorsed {len(endorsements)} times"]
    return [] if _verifies(log_public_key, endorsements[0], announced) else ["the endorsement is not the log key's"]


def _signed(leaf: bytes, public_key: bytes) -> bool:
    content, head, signature = leaf[:-67], leaf[-67:-64], leaf[-SIGNATURE_BYTES:]
    return head == SIGNATURE_HEAD and _verifies(public_key, signature, content)


def _verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
