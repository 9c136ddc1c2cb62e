"""Leaves, each by itself: is it an audit event of this log, and has every field the form that docs/formats.md gives it?"""

from google.protobuf.message import DecodeError

from vault.audit.verify_errors import WrongError
from vault.v1.audit_pb2 import (
    CHANGE_CREATED,
    CHANGE_UPDATED,
    DECISION_ALLOWED,
    DECISION_PARTIAL,
    AuditEvent,
    Change,
    Decision,
    Touched,
)

FORMAT = 1
EARLIEST_US = 1_577_836_800_000_000
"""2020-01-01: no vault is older."""
FUTURE_US = 24 * 3600 * 1_000_000
"""How far an event's time may be ahead of the clock of whoever verifies."""

STARTED, ENDORSED, ENDED = "BootStarted", "BootEndorsed", "BootEnded"

_OWN = frozenset((STARTED, ENDORSED, ENDED))
_SAID_UNENDORSED = _OWN | {"NodeStarted", "NodeStopping"}
"""Where nothing was allowed to anybody, whatever the decision: what a server says of itself, also while the KMS is away."""
_DONE = frozenset((DECISION_ALLOWED, DECISION_PARTIAL))
_DECISIONS = frozenset(Decision.values()) - {0}
_CHANGES = frozenset(Change.values())
_SEALED = frozenset((CHANGE_CREATED, CHANGE_UPDATED))
_SIGNATURE_HEAD = b"\x9a\x02\x40"
_SIGNED_END = 67
_LENGTHS = {
    "random": (16,),
    "boot_id": (16,),
    "previous_hash": (32,),
    "principal_uid": (0, 16),
    "request_id": (0, 16),
    "certificate_sha256": (0, 32),
    "policy_sha256": (0, 32),
    "boot_signature": (0, 64),
}


Link = tuple[bytes, int, bytes, int, bool, bool, AuditEvent | None]
"""What a leaf says about its place in its boot's chain: boot id, sequence, previous hash, time in microseconds; whether it is
signed; whether it says that something was allowed, which takes an endorsed boot; and the event, if it is about the boot itself. A
plain tuple, since there are millions."""


def check_leaf(index: int, leaf: bytes, tenant_uid: bytes, now_us: int) -> Link:
    """Check one leaf.

    Args:
        index: of the entry, for messages.
        leaf: as it was hashed.
        tenant_uid: whose log it is.
        now_us: the time of verification, in microseconds since 1970.

    Raises:
        WrongError: it is no event of this log; the message names its first wrong field.
    """
    try:
        event = AuditEvent.FromString(leaf)
    except DecodeError:
        raise WrongError(f"entry {index} is no audit event") from None
    fault = _fault(event, leaf, tenant_uid)
    if fault:
        raise WrongError(f"entry {index} {fault}")
    check_time(index, event.time_us, now_us)
    is_own = event.action in _OWN
    return (
        event.boot_id,
        event.boot_sequence,
        event.previous_hash,
        event.time_us,
        bool(event.boot_signature),
        event.decision in _DONE and event.action not in _SAID_UNENDORSED,
        event if is_own else None,
    )


def check_time(index: int, time_us: int, now_us: int) -> None:
    """Check that an event's time is one at which it can have happened.

    Raises:
        WrongError: it is not.
    """
    if not EARLIEST_US <= time_us <= now_us + FUTURE_US:
        raise WrongError(f"entry {index} is dated {'before 2020' if time_us < EARLIEST_US else 'in the future'}")


def _fault(event: AuditEvent, leaf: bytes, tenant_uid: bytes) -> str | None:
    """What is wrong with an event, if anything, but for its time."""
    if event.format != FORMAT:
        return f"is of format {event.format}, not {FORMAT}"
    if event.tenant_uid != tenant_uid:
        return f"is of the log of tenant {event.tenant_uid[:16].hex() or 'none'}"
    if event.decision not in _DECISIONS:
        return f"has a decision that does not exist, {event.decision}"
    if not event.action:
        return "has no action"
    for name, allowed in _LENGTHS.items():
        length = len(getattr(event, name))
        if length not in allowed:
            return f"has {length} bytes of {name}"
    if len(event.boot_public_key) != (32 if event.action == STARTED else 0):
        return f"has {len(event.boot_public_key)} bytes of boot_public_key, and its action is {event.action[:64]!a}"
    if len(event.boot_endorsement) != (64 if event.action == ENDORSED else 0):
        return f"has {len(event.boot_endorsement)} bytes of boot_endorsement, and its action is {event.action[:64]!a}"
    if event.boot_signature and leaf[-_SIGNED_END:-64] != _SIGNATURE_HEAD:
        return "does not end with its signature"
    return next(filter(None, map(_fault_of_touched, event.touched)), None)


def _fault_of_touched(touched: Touched) -> str | None:
    subjects, tokens, hashes = len(touched.subject_uids), len(touched.token_uids), len(touched.envelope_hashes)
    if subjects % 16 or tokens % 16:
        return "has touched uids of a wrong length"
    if touched.change not in _CHANGES:
        return f"has a change that does not exist, {touched.change}"
    if hashes != (2 * tokens if touched.change in _SEALED else 0):
        return f"has {hashes} bytes of envelope_hashes for {tokens // 16} token_uids"
    return None
