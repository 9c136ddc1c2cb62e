"""Leaves, each by itself: is it an audit event of this log, and has every field the form that docs/formats.md gives it?

There are millions of them. So the fields of 256 leaves at a time are taken out and looked at together, and only where something is
wrong among them, each is asked what it is.
"""

from collections.abc import Sequence
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from vault.audit.actions import BOOT_ENDED, BOOT_ENDORSED, BOOT_STARTED
from vault.audit.chain import FORMAT, ends_signed
from vault.audit.verify_errors import WrongError
from vault.v1.audit_pb2 import CHANGE_CREATED, CHANGE_UPDATED, AuditEvent, Change, Decision, Touched

EARLIEST_US = 1_577_836_800_000_000
"""2020-01-01: no vault is older."""
FUTURE_US = 24 * 3600 * 1_000_000
"""How far an event's time may be ahead of the clock of whoever verifies."""

OWN = frozenset((BOOT_STARTED, BOOT_ENDORSED, BOOT_ENDED))
"""Events about a boot itself."""

_DECISIONS = frozenset(Decision.values()) - {0}
_CHANGES = frozenset(Change.values())
_SEALED = frozenset((CHANGE_CREATED, CHANGE_UPDATED))
_UID, _UID_OR_NONE = frozenset((16,)), frozenset((0, 16))
_HASH, _HASH_OR_NONE = frozenset((32,)), frozenset((0, 32))
_SIGNATURE_OR_NONE = frozenset((0, 64))
_LENGTHS = {
    "random": _UID,
    "boot_id": _UID,
    "previous_hash": _HASH,
    "principal_uid": _UID_OR_NONE,
    "request_id": _UID_OR_NONE,
    "certificate_sha256": _HASH_OR_NONE,
    "policy_sha256": _HASH_OR_NONE,
    "boot_signature": _SIGNATURE_OR_NONE,
}


class Links(NamedTuple):
    """What consecutive leaves say about their places in their boots' chains, field by field."""

    boot_ids: tuple[bytes, ...]
    sequences: tuple[int, ...]
    previous: tuple[bytes, ...]
    times_us: tuple[int, ...]
    signatures: tuple[bytes, ...]
    actions: tuple[str, ...]
    decisions: tuple[int, ...]


_IN_LINKS = ("boot_id", "boot_sequence", "previous_hash", "time_us", "boot_signature", "action", "decision")
"""The fields of Links, in its order."""
_NAMES = tuple(dict.fromkeys((*_IN_LINKS, "format", "tenant_uid", *_LENGTHS, "boot_public_key", "boot_endorsement")))
_fields = attrgetter(*_NAMES)


def check_leaves(first: int, leaves: Sequence[bytes], tenant_uid: bytes, now_us: int) -> Links:
    """Check consecutive leaves.

    Args:
        first: the index of the first, for messages.
        leaves: at least one, as they were hashed.
        tenant_uid: whose log it is.
        now_us: the time of verification, in microseconds since 1970.

    Raises:
        WrongError: one is no event of this log; the message names the first, and its field.
    """
    try:
        fields = zip(*map(_fields, map(AuditEvent.FromString, leaves)), strict=True)
        columns: dict[str, tuple[Any, ...]] = dict(zip(_NAMES, fields, strict=True))
    except DecodeError:
        raise _first_fault(first, leaves, tenant_uid, now_us) from None
    links = Links(*(columns[name] for name in _IN_LINKS))
    sound = (
        columns["format"].count(FORMAT) == columns["tenant_uid"].count(tenant_uid) == len(leaves)
        and min(links.times_us) >= EARLIEST_US
        and max(links.times_us) <= now_us + FUTURE_US
        and set(links.decisions) <= _DECISIONS
        and "" not in links.actions
        and all(set(map(len, columns[name])) <= allowed for name, allowed in _LENGTHS.items())
        and all(map(ends_signed, compress(leaves, links.signatures)))
        and _are_own_fields_in_place(leaves, links.actions, columns["boot_public_key"], columns["boot_endorsement"])
    )
    if not sound:
        raise _first_fault(first, leaves, tenant_uid, now_us)
    return links


def _are_own_fields_in_place(
    leaves: Sequence[bytes], actions: Sequence[str], keys: Sequence[bytes], endorsements: Sequence[bytes]
) -> bool:
    if OWN.isdisjoint(actions) and not any(keys) and not any(endorsements):
        return True
    own = (action in OWN or key or endorsement for action, key, endorsement in zip(actions, keys, endorsements, strict=True))
    return not any(_fault_of_own(AuditEvent.FromString(leaf)) for leaf in compress(leaves, own))


def _first_fault(first: int, leaves: Sequence[bytes], tenant_uid: bytes, now_us: int) -> WrongError:
    """What is wrong with the first of these leaves with which something is."""
    for index, leaf in enumerate(leaves, first):
        try:
            fault = _fault(AuditEvent.FromString(leaf), leaf, tenant_uid, now_us)
        except DecodeError:
            fault = "is no audit event"
        if fault:
            return WrongError(f"entry {index} {fault}")
    raise AssertionError("leaves that are wrong together and right one by one")


def _fault(event: AuditEvent, leaf: bytes, tenant_uid: bytes, now_us: int) -> str | None:
    """What is wrong with an event, if anything."""
    if event.format != FORMAT:
        return f"is of format {event.format}, not {FORMAT}"
    if event.tenant_uid != tenant_uid:
        return f"is of the log of tenant {event.tenant_uid[:16].hex() or 'none'}"
    if not EARLIEST_US <= event.time_us <= now_us + FUTURE_US:
        return f"is dated {'before 2020' if event.time_us < EARLIEST_US else 'in the future'}"
    if event.decision not in _DECISIONS:
        return f"has a decision that does not exist, {event.decision}"
    if not event.action:
        return "has no action"
    for name, allowed in _LENGTHS.items():
        length = len(getattr(event, name))
        if length not in allowed:
            return f"has {length} bytes of {name}"
    if event.boot_signature and not ends_signed(leaf):
        return "does not end with its signature"
    return _fault_of_own(event)


def _fault_of_own(event: AuditEvent) -> str | None:
    """What is wrong with the fields that only a boot's own events have."""
    for name, action, length in (("boot_public_key", BOOT_STARTED, 32), ("boot_endorsement", BOOT_ENDORSED, 64)):
        found = len(getattr(event, name))
        if found != (length if event.action == action else 0):
            return f"has {found} bytes of {name}, and its action is {event.action[:64]!a}"
    return None


def fault_of_touched(touched: Touched) -> str | None:
    """What is wrong with the lengths of what an event says it touched. Not asked of every leaf: it would take a third longer."""
    subjects, tokens, hashes = len(touched.subject_uids), len(touched.token_uids), len(touched.envelope_hashes)
    if subjects % 16 or tokens % 16:
        return "has touched uids of a wrong length"
    if touched.change not in _CHANGES:
        return f"has a change that does not exist, {touched.change}"
    if hashes != (2 * tokens if touched.change in _SEALED else 0):
        return f"has {hashes} bytes of envelope_hashes for {tokens // 16} token_uids"
    return None
