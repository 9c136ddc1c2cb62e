"""What a log's tables must hold, computed from its leaves alone, as simply as can be: the reference that the integrator is held to.

Of the vault it uses the generated message and the rows' types only. Hashes and roots follow RFC 6962 to the letter.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.store import tables as t
from vault.v1.audit_pb2 import AuditEvent

TILE = 256


def leaf_hash(leaf: bytes) -> bytes:
    """Section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH of section 2.1, given the leaves' hashes."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


@dataclass
class Found:
    """A log as it stands in the database."""

    leaves: list[bytes]
    pending: list[bytes]
    published: tuple[int, bytes]
    origin: str


def check(connection: sa.Connection, tenant_uid: bytes, public_key: bytes) -> Found:
    """Check all that must hold of a log at every moment; answers what was found.

    Raises:
        AssertionError: something does not hold.
    """
    leaves, hashes = _check_tree(connection, tenant_uid)
    _check_found_by(connection, tenant_uid, leaves)
    _check_boots(connection, tenant_uid, leaves, hashes)
    head = connection.execute(sa.select(t.audit_log).where(t.audit_log.c.tenant_uid == tenant_uid)).one()
    published = check_note(head.checkpoint, head.origin, public_key)
    assert published == (head.checkpoint_size, root(hashes[: head.checkpoint_size]))
    pending = connection.scalars(sa.select(t.audit_pending.c.leaf).where(t.audit_pending.c.tenant_uid == tenant_uid))
    return Found(leaves, list(map(bytes, pending)), published, head.origin)


def check_note(note: str, origin: str, public_key: bytes) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the log's key has signed (C2SP signed-note, tlog-checkpoint)."""
    text, _, signatures = note.rpartition("\n\n")
    dash, name, encoded = signatures.removesuffix("\n").split(" ")
    blob = base64.b64decode(encoded, validate=True)
    assert (dash, name) == ("—", origin)
    assert blob[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + public_key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], (text + "\n").encode())
    first, size, encoded_root = text.split("\n")
    assert first == origin
    return int(size), base64.b64decode(encoded_root, validate=True)


def _check_tree(connection: sa.Connection, tenant_uid: bytes) -> tuple[list[bytes], list[bytes]]:
    c = t.audit_entry.c
    entries = connection.execute(sa.select(t.audit_entry).where(c.tenant_uid == tenant_uid).order_by(c.leaf_index)).all()
    head = connection.execute(sa.select(t.audit_log).where(t.audit_log.c.tenant_uid == tenant_uid)).one()
    assert [entry.leaf_index for entry in entries] == list(range(head.size))
    leaves = [bytes(entry.leaf) for entry in entries]
    assert len(set(leaves)) == len(leaves)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert [entry.leaf_hash for entry in entries] == hashes
    assert head.root == root(hashes)
    nodes, level, full = {}, 1, len(hashes) // TILE
    while full:
        run = TILE**level
        nodes |= {(level, index): root(hashes[index * run : (index + 1) * run]) for index in range(full)}
        level, full = level + 1, full // TILE
    stored = connection.execute(sa.select(t.audit_node).where(t.audit_node.c.tenant_uid == tenant_uid))
    assert {(node.level, node.node_index): node.hash for node in stored} == nodes
    return leaves, hashes


def _check_found_by(connection: sa.Connection, tenant_uid: bytes, leaves: Sequence[bytes]) -> None:
    """Facets, events, mentions and counts are those of the leaves that are events of this log."""
    facets, events, mentions, counts, items = {}, set(), set(), Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    stored = connection.execute(sa.select(t.audit_facet).where(t.audit_facet.c.tenant_uid == tenant_uid))
    ids = {tuple(row[2:]): row.facet_id for row in stored}
    for index, leaf in enumerate(leaves):
        event = parse(leaf)
        if event is None or not is_sound(event, tenant_uid):
            continue
        facet = _facet(event)
        facets[facet] = ids[facet]
        events.add((ids[facet], event.time_us, index))
        mentions |= {(uid, kind, event.time_us, index) for kind, uid in _mentioned(event)}
        hour = event.time_us // 3_600_000_000
        counts[hour, ids[facet]] += 1
        items[hour, ids[facet]] += sum(touched.count for touched in event.touched)
    assert ids == facets

    def rows(table: sa.Table) -> set[tuple[object, ...]]:
        return {tuple(row[1:]) for row in connection.execute(sa.select(table).where(table.c.tenant_uid == tenant_uid))}

    assert rows(t.audit_event) == events
    assert rows(t.audit_mention) == mentions
    assert rows(t.audit_count) == {(*key, counts[key], items[key]) for key in counts}


def _facet(event: AuditEvent) -> tuple[object, ...]:
    classes = ",".join(sorted({touched.data_class for touched in event.touched} - {""}))
    whom = (event.action, event.decision, event.principal, event.certificate_sha256, event.node)
    return (*whom, event.purpose, event.recipient, classes, ",".join(event.policy_ids))


def _mentioned(event: AuditEvent) -> set[tuple[int, bytes]]:
    found = {(3, event.request_id)} if event.request_id else set()
    for touched in event.touched:
        for kind, joined in ((1, touched.subject_uids), (2, touched.token_uids)):
            found |= {(kind, joined[at : at + 16]) for at in range(0, len(joined), 16)}
    return found


def _check_boots(connection: sa.Connection, tenant_uid: bytes, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
    boots: dict[bytes, tuple[int, int | None, int, bytes]] = {}
    for index, leaf in enumerate(leaves):
        event = parse(leaf)
        if event is not None and is_sound(event, tenant_uid):
            start, endorsed, _, _ = boots.get(event.boot_id, (index, None, 0, b""))
            if endorsed is None and event.boot_endorsement:
                endorsed = index
            boots[event.boot_id] = (start, endorsed, event.boot_sequence + 1, hashes[index])
    stored = connection.execute(sa.select(t.audit_boot).where(t.audit_boot.c.tenant_uid == tenant_uid))
    assert {row.boot_id: tuple(row[2:]) for row in stored} == boots


def check_chains(leaves: Sequence[bytes]) -> None:
    """Each boot's leaves stand in the order of their sequence, without gaps, each holding the hash of the one before."""
    ends: dict[bytes, tuple[int, bytes]] = {}
    for leaf in leaves:
        event = AuditEvent.FromString(leaf)
        assert (event.boot_sequence, event.previous_hash) == ends.get(event.boot_id, (0, bytes(32)))
        ends[event.boot_id] = (event.boot_sequence + 1, leaf_hash(leaf))


def parse(leaf: bytes) -> AuditEvent | None:
    """The event of a leaf; None if it is none."""
    try:
        return AuditEvent.FromString(leaf)
    except Exception:  # noqa: BLE001  whatever it is, it is no event
        return None


LENGTHS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("boot_id", "random"), (16,)),
    "previous_hash": (32,),
    **dict.fromkeys(("principal_uid", "request_id"), (0, 16)),
    **dict.fromkeys(("certificate_sha256", "policy_sha256", "boot_public_key"), (0, 32)),
    **dict.fromkeys(("boot_endorsement", "boot_signature"), (0, 64)),
}


def is_sound(event: AuditEvent, tenant_uid: bytes) -> bool:
    """Whether an event has the form of docs/formats.md, "Audit event leaf", and is of this log."""
    texts = [event.action, event.principal, event.node, event.purpose, event.recipient, *event.policy_ids]
    joined = [uids for touched in event.touched for uids in (touched.subject_uids, touched.token_uids)]
    texts += [touched.data_class for touched in event.touched]
    return (
        (event.format, event.tenant_uid) == (1, tenant_uid)
        and all(len(getattr(event, name)) in lengths for name, lengths in LENGTHS.items())
        and 1 <= event.decision <= 4
        and 0 <= event.reason < 2**16
        and event.time_us < 2**63
        and event.boot_sequence < 2**63 - 1
        and not any("\0" in text or len(text) > 1024 for text in texts)
        and not any(len(uids) % 16 for uids in joined)
    )
