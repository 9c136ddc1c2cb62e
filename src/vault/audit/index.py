"""What a leaf can be found by: its facet, and the subjects, tokens and request it mentions. Pure; derived by the integrator.

A *facet* is one combination of all that events are filtered and counted by and of which there are few values. There are hundreds
of facets where there are millions of events, so that one narrow row a leaf serves every such filter. Purposes and recipients are
the callers' own words: of an event that has one too many of them the facet is *shared*, and says neither.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from vault.crypto.encoding import pack
from vault.v1.audit_pb2 import AuditEvent

SUBJECT, TOKEN, REQUEST = 1, 2, 3
"""Kinds of mention."""

OTHERS = "*"
"""Purpose and recipient of a shared facet; no call can state it."""

HOUR_US = 3_600_000_000
_UID = 16
_LABEL = "pdvault/v1/audit-facet"
_FACETS_REMEMBERED = 65_536


class Facet(NamedTuple):
    """What events are filtered and counted by. Lists are sorted and comma-separated."""

    action: str
    decision: int
    principal: str
    certificate_sha256: bytes
    node: str
    purpose: str
    recipient: str
    data_classes: str
    policy_ids: str


class Indexed(NamedTuple):
    """What one leaf is found by. ``mentions`` are pairs (kind, uid), each once; ``items`` is how many items it touched."""

    facet: Facet
    time_us: int
    mentions: list[tuple[int, bytes]]
    items: int


@lru_cache(_FACETS_REMEMBERED)
def number_of(facet: Facet) -> int:
    """A facet's id: the first 63 bits of the SHA-256 of its packed fields. Remembered, for the same few come again and again."""
    return int.from_bytes(hashlib.sha256(pack(_LABEL, *facet)).digest()[:8], "big") >> 1


def shared(facet: Facet) -> Facet:
    """The facet of all events that differ from this one's in purpose and recipient alone."""
    return facet._replace(purpose=OTHERS, recipient=OTHERS)


def numbers_of(facet: Facet) -> tuple[int, int]:
    """The ids under which an event of this facet may be found: its own, and that of the shared one."""
    return number_of(facet), number_of(shared(facet))


def index(event: AuditEvent) -> Indexed:
    """What a leaf's event is found by."""
    subjects: dict[bytes, None] = {}
    tokens: dict[bytes, None] = {}
    classes: set[str] = set()
    items = 0
    for touched in event.touched:
        _note(subjects, touched.subject_uids)
        _note(tokens, touched.token_uids)
        items += touched.count
        classes.add(touched.data_class)
    classes.discard("")
    mentions = [(SUBJECT, uid) for uid in subjects] + [(TOKEN, uid) for uid in tokens]
    request_id = event.request_id
    if request_id:
        mentions.append((REQUEST, request_id))
    facet = Facet(
        event.action,
        event.decision,
        event.principal,
        event.certificate_sha256,
        event.node,
        event.purpose,
        event.recipient,
        ",".join(sorted(classes)),
        ",".join(event.policy_ids),
    )
    return Indexed(facet, event.time_us, mentions, items)


def _note(found: dict[bytes, None], joined: bytes) -> None:
    """Note each of the uids that stand one after the other, mostly one or none."""
    if len(joined) == _UID:
        found[joined] = None
    elif joined:
        found.update(dict.fromkeys(joined[at : at + _UID] for at in range(0, len(joined), _UID)))
