"""The leaves of one boot: numbered, linked by hash, and signed once a commit, in each tenant's log.

A boot is one run of one process, or less: after a commit whose end is uncertain the chain can't know which leaf was the last, so
a new boot begins. Its first event in a log announces its public key; the log key's signature over the announcement follows as
soon as the KMS has given one. Formats: docs/formats.md, "Audit event leaf".
"""

import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault.audit.actions import BOOT_ENDED, BOOT_ENDORSED, BOOT_STARTED
from vault.audit.events import Draft
from vault.audit.merkle import leaf_hash
from vault.audit.note import Verifier
from vault.audit.tiles import MAX_ENTRY
from vault.crypto.encoding import pack
from vault.v1 import audit_pb2

FORMAT = 1
MAX_LEAF = MAX_ENTRY
"""Bytes."""
MAX_SKEW_S = 30.0
"""How far the clocks of a node and its database, by which leaves are dated, may be apart."""
CHAIN_START = bytes(32)
"""What a boot's first leaf names as the hash of the one before."""

SIGNATURE_HEAD = b"\x9a\x02\x40"
"""Tag and length of a leaf's last field, the boot's signature (docs/formats.md, "The chain of a boot")."""
SIGNATURE_BYTES = 64
SIGNED_END = len(SIGNATURE_HEAD) + SIGNATURE_BYTES
"""Bytes at the end of a signed leaf that its signature does not cover."""


class Leaf(NamedTuple):
    """A finished leaf, as it is stored and hashed."""

    tenant_uid: bytes
    boot_id: bytes
    boot_sequence: int
    time_us: int
    leaf: bytes


def announcement(tenant_uid: bytes, boot_id: bytes, public_key: bytes) -> bytes:
    """What a tenant's log key signs to endorse a boot."""
    return pack("pdvault/v1/boot", tenant_uid, boot_id, public_key)


def ends_signed(leaf: bytes) -> bool:
    """Whether a leaf bears a signature, good or bad, as the last one of a transaction does."""
    return leaf[-SIGNED_END:-SIGNATURE_BYTES] == SIGNATURE_HEAD


def signed_by(leaf: bytes, boot: Verifier) -> bool:
    """Whether a leaf ends with this boot's signature of what stands before it."""
    return ends_signed(leaf) and boot.accepts(leaf[-SIGNATURE_BYTES:], leaf[:-SIGNED_END])


@dataclass
class _End:
    """Where a boot's chain in one log ends."""

    sequence: int = 0
    previous_hash: bytes = CHAIN_START
    endorsed: bool = False


@dataclass
class Commit:
    """The events of one transaction, not yet certain; ``Chain.settle`` makes them so."""

    leaves: list[Leaf] = field(default_factory=list)
    ends: dict[bytes, _End] = field(default_factory=dict)

    def last_hashes(self) -> dict[bytes, bytes]:
        """The hash of the last leaf in each log, by tenant uid."""
        return {tenant_uid: end.previous_hash for tenant_uid, end in self.ends.items()}


class Chain:
    """One boot. Used by one thread at a time."""

    def __init__(self, node: str, after: bytes = b"") -> None:
        """Begin a boot of a node; ``after`` is the id of the boot that an uncertain commit ended, which this one goes on for."""
        self.boot_id = secrets.token_bytes(16)
        self._after = after
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key().public_bytes_raw()
        self._node = node
        self._ends: dict[bytes, _End] = {}

    def successor(self) -> "Chain":
        """The boot that goes on for this one, whose last commit is uncertain, and names it."""
        return Chain(self._node, after=self.boot_id)

    def is_endorsed(self, tenant_uid: bytes) -> bool:
        """Whether this boot's endorsement is in the tenant's log."""
        return tenant_uid in self._ends and self._ends[tenant_uid].endorsed

    def extend(self, drafts: list[Draft], endorsements: dict[bytes, bytes], now_us: int) -> Commit:
        """Turn drafts into leaves, in order.

        Args:
            drafts: the events of one transaction, of any tenants.
            endorsements: for tenants whose log key has signed this boot's announcement, the signature (64 bytes).
            now_us: the database's time.
        """
        commit = Commit()
        by_tenant: dict[bytes, list[audit_pb2.AuditEvent]] = {}
        for draft in drafts:
            by_tenant.setdefault(draft.caller.tenant_uid, []).append(draft.to_event())
        for tenant_uid, events in by_tenant.items():
            end = commit.ends[tenant_uid] = _copy(self._ends.get(tenant_uid, _End()))
            opening = self._opening(tenant_uid, end, endorsements.get(tenant_uid))
            self._append(commit, end, [*opening, *events], now_us)
        return commit

    def finish(self, now_us: int) -> Commit:
        """The last event of each log this boot has written to: without one, it ended uncleanly."""
        commit = Commit()
        for tenant_uid, begun in self._ends.items():
            end = commit.ends[tenant_uid] = _copy(begun)
            ended = audit_pb2.AuditEvent(tenant_uid=tenant_uid, action=BOOT_ENDED, decision=audit_pb2.DECISION_ALLOWED)
            self._append(commit, end, [ended], now_us)
        return commit

    def settle(self, commit: Commit) -> None:
        """Go on from ``commit``: its transaction is certainly committed."""
        self._ends.update(commit.ends)

    def _append(self, commit: Commit, end: _End, events: list[audit_pb2.AuditEvent], now_us: int) -> None:
        for event in events:
            last = event is events[-1]
            commit.leaves.append(self._leaf(event, end, now_us, self._key if last else None))

    def _opening(self, tenant_uid: bytes, end: _End, endorsement: bytes | None) -> list[audit_pb2.AuditEvent]:
        events = []
        if end.sequence == 0:
            events.append(
                audit_pb2.AuditEvent(
                    tenant_uid=tenant_uid,
                    action=BOOT_STARTED,
                    decision=audit_pb2.DECISION_ALLOWED,
                    boot_public_key=self.public_key,
                    details={"after": self._after.hex()} if self._after else {},
                )
            )
        if endorsement and not end.endorsed:
            end.endorsed = True
            events.append(
                audit_pb2.AuditEvent(
                    tenant_uid=tenant_uid,
                    action=BOOT_ENDORSED,
                    decision=audit_pb2.DECISION_ALLOWED,
                    boot_endorsement=endorsement,
                )
            )
        return events

    def _leaf(self, event: audit_pb2.AuditEvent, end: _End, now_us: int, key: Ed25519PrivateKey | None) -> Leaf:
        event.format = FORMAT
        event.time_us = now_us
        event.node = self._node
        event.random = secrets.token_bytes(16)
        event.boot_id = self.boot_id
        event.boot_sequence = end.sequence
        event.previous_hash = end.previous_hash
        leaf = event.SerializeToString(deterministic=True)
        if key:
            event.boot_signature = key.sign(leaf)
            leaf = event.SerializeToString(deterministic=True)
        if len(leaf) > MAX_LEAF:
            raise ValueError(f"an audit leaf of {len(leaf)} bytes exceeds {MAX_LEAF}")
        row = Leaf(event.tenant_uid, self.boot_id, end.sequence, now_us, leaf)
        end.sequence += 1
        end.previous_hash = leaf_hash(leaf)
        return row


def _copy(end: _End) -> _End:
    return _End(end.sequence, end.previous_hash, end.endorsed)
