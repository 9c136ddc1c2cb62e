"""The rows of the log's tables as named tuples, field by field in column order."""

from typing import NamedTuple


class PendingRow(NamedTuple):
    """An audit leaf that is not yet in the tree."""

    tenant_uid: bytes
    boot_id: bytes
    boot_sequence: int
    time_us: int
    leaf: bytes


class LogRow(NamedTuple):
    """The head of a log, and its newest signed and anchored checkpoint."""

    tenant_uid: bytes
    origin: str
    size: int
    root: bytes
    integrate_us: int
    checkpoint_size: int
    checkpoint: str


class EntryRow(NamedTuple):
    """A leaf in the tree."""

    tenant_uid: bytes
    leaf_index: int
    leaf_hash: bytes
    leaf: bytes


class NodeRow(NamedTuple):
    """The hash of a full tile below ``level``."""

    tenant_uid: bytes
    level: int
    node_index: int
    hash: bytes


class FacetRow(NamedTuple):
    """A distinct combination of what events are filtered by."""

    tenant_uid: bytes
    facet_id: int
    action: str
    decision: int
    principal: str
    certificate_sha256: bytes
    node: str
    purpose: str
    recipient: str
    data_classes: str
    policy_ids: str


class EventRow(NamedTuple):
    """Where a facet's event is."""

    tenant_uid: bytes
    facet_id: int
    time_us: int
    leaf_index: int


class MentionRow(NamedTuple):
    """Where a subject, token or request is mentioned."""

    tenant_uid: bytes
    uid: bytes
    kind: int
    time_us: int
    leaf_index: int


class CountRow(NamedTuple):
    """How often a facet occurred in one hour."""

    tenant_uid: bytes
    hour: int
    facet_id: int
    events: int
    items: int


class BootRow(NamedTuple):
    """How far a boot's chain has come in the tree."""

    tenant_uid: bytes
    boot_id: bytes
    start_index: int
    endorse_index: int | None
    next_sequence: int
    last_hash: bytes


class CosignatureRow(NamedTuple):
    """A witness's newest cosignature of a log, or what is wrong with it."""

    tenant_uid: bytes
    witness: str
    size: int
    checkpoint: str
    line: str
    time_us: int
    problem: str
