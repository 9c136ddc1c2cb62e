"""The rows of the tables as named tuples: what queries answer and what inserts take, field by field in column order.

Those of the log are in ``vault.store.log.rows``; the states that rows can be in, in ``vault.store.states``.
"""

from typing import NamedTuple

import sqlalchemy as sa

from vault.store import tables
from vault.store.log.rows import (
    BootRow,
    CosignatureRow,
    CountRow,
    EntryRow,
    EventRow,
    FacetRow,
    LogRow,
    MentionRow,
    NodeRow,
    PendingRow,
)
from vault.store.states import KeyState, OperationState


class TenantRow(NamedTuple):
    """A tenant; ``state`` is a ``TenantState``."""

    uid: bytes
    name: str
    state: str
    key_generation: int
    epoch: int
    index_key_version: int
    authority_version: int
    mac: bytes = b""


class CaRow(NamedTuple):
    """An issuing CA of a tenant."""

    sha256: bytes
    tenant_uid: bytes
    certificate: bytes
    mac: bytes = b""


class PrincipalRow(NamedTuple):
    """Who may call; ``state`` is a ``PrincipalState``, ``roles`` sorted and comma-separated."""

    tenant_uid: bytes
    name: str
    uid: bytes
    kind: str
    state: str
    roles: str
    authority_version: int
    mac: bytes = b""


class TenantKeyRow(NamedTuple):
    """A wrapped epoch, index or authority key; ``state`` is a ``KeyState``."""

    tenant_uid: bytes
    kind: str
    version: int
    kek_version: int
    wrapped: bytes
    create_us: int
    state: str = KeyState.ACTIVE
    end_us: int = 0


UNKNOWN_S = 30 * 24 * 3600
"""What is assumed of how long keys and copies live, where nobody has said so."""


class KeyScheduleRow(NamedTuple):
    """How often a tenant's keys rotate, and how long copies of old ones live.

    ``lower_us`` is when less was last said of copies than before, and ``former_copies_s`` the most that was ever said until then.
    """

    tenant_uid: bytes
    rotate_every_s: int
    restore_window_s: int
    snapshot_retention_s: int
    former_copies_s: int = 0
    lower_us: int = 0
    mac: bytes = b""


class SubjectRow(NamedTuple):
    """A person or organisation; ``state`` is a ``SubjectState``."""

    tenant_uid: bytes
    uid: bytes
    lookup: bytes
    index_key_version: int
    store_key_version: int
    subject_id: bytes
    state: str
    rekey_due: bool
    mac: bytes = b""


class SubjectKeyRow(NamedTuple):
    """A subject's store or field key, wrapped by an epoch key."""

    tenant_uid: bytes
    subject_uid: bytes
    kind: str
    version: int
    key_id: bytes
    epoch: int
    wrapped: bytes


class AliasRow(NamedTuple):
    """Another name of a subject."""

    tenant_uid: bytes
    subject_uid: bytes
    uid: bytes
    lookup: bytes
    index_key_version: int
    subject_id: bytes
    mac: bytes = b""


class HoldRow(NamedTuple):
    """What keeps a subject from being erased."""

    tenant_uid: bytes
    subject_uid: bytes
    uid: bytes
    reference: str
    principal_uid: bytes
    create_us: int
    expire_us: int | None
    mac: bytes = b""


class ErasureRow(NamedTuple):
    """An erasure; ``state`` is an ``ErasureState``. The MAC covers all but what is kept for 24 hours."""

    tenant_uid: bytes
    uid: bytes
    subject_uid: bytes
    state: str
    statement: bytes
    epoch: int
    index_key_version: int
    begin_us: int
    end_us: int
    horizon_us: int
    operation_uid: bytes | None
    request_id: bytes | None
    principal_uid: bytes | None
    opening: bytes | None
    mac: bytes = b""


LIVE_STATES = (OperationState.WAITING, OperationState.RUNNING, OperationState.PAUSED)
"""Those of an operation that has not ended."""


class OperationRow(NamedTuple):
    """Long work; ``state`` is an ``OperationState``. The MAC covers what was asked for."""

    tenant_uid: bytes
    uid: bytes
    kind: str
    request: bytes
    principal_uid: bytes
    create_us: int
    mac: bytes
    live_kind: str | None
    state: str
    phase: str
    cursor: bytes
    done: int
    total: int
    update_us: int
    result: bytes
    holder: str
    until_us: int


class ApprovalRow(NamedTuple):
    """What a second principal has to decide; ``state`` is an ``ApprovalState``."""

    tenant_uid: bytes
    uid: bytes
    action: str
    digest: bytes
    summary: str
    asked_by: bytes
    ask_us: int
    expire_us: int
    state: str
    decided_by: bytes | None
    decide_us: int
    mac: bytes = b""


class RestorationRow(NamedTuple):
    """A log that came from a backup, and is not reconciled yet."""

    tenant_uid: bytes
    restore_us: int
    backup_size: int
    manifest_sha256: bytes


class ItemRow(NamedTuple):
    """One stored value. ``envelope`` is None where it was not asked for, or is larger than was asked for."""

    tenant_uid: bytes
    subject_uid: bytes
    uid: bytes
    data_class: str
    taxonomy_edition: str
    normaliser_version: int
    index_key_version: int
    purposes: str
    provenance: int
    lenient: bool
    revision: int
    store_key_version: int
    fingerprint: bytes | None
    deterministic: bytes | None
    envelope_sha256: bytes
    envelope_size: int
    envelope: bytes | None
    create_us: int
    update_us: int
    mac: bytes = b""


class TokenRow(NamedTuple):
    """A name of an item."""

    tenant_uid: bytes
    subject_uid: bytes
    uid: bytes
    item_uid: bytes
    text: str
    recipient: str
    expire_us: int | None
    max_reveals: int
    reveals_used: int
    mac: bytes = b""


RETENTION_US = 24 * 3600 * 1_000_000
"""How long it is kept what a request did, so that its retries do nothing twice."""


class IdempotencyRow(NamedTuple):
    """What a request did, without its values."""

    tenant_uid: bytes
    request_id: bytes
    principal_uid: bytes
    digest_key: bytes
    digest: bytes
    results: bytes
    expire_us: int
    mac: bytes = b""


class IdempotencySubjectRow(NamedTuple):
    """Whom a request was about."""

    tenant_uid: bytes
    subject_uid: bytes
    request_id: bytes
    principal_uid: bytes
    expire_us: int


Row = (
    TenantRow
    | CaRow
    | PrincipalRow
    | TenantKeyRow
    | KeyScheduleRow
    | SubjectRow
    | SubjectKeyRow
    | AliasRow
    | HoldRow
    | ErasureRow
    | OperationRow
    | ApprovalRow
    | RestorationRow
    | ItemRow
    | TokenRow
    | PendingRow
    | IdempotencyRow
    | IdempotencySubjectRow
    | LogRow
    | EntryRow
    | NodeRow
    | FacetRow
    | EventRow
    | MentionRow
    | CountRow
    | BootRow
    | CosignatureRow
)
SealedRow = (
    TenantRow
    | CaRow
    | PrincipalRow
    | KeyScheduleRow
    | SubjectRow
    | AliasRow
    | HoldRow
    | ErasureRow
    | OperationRow
    | ApprovalRow
    | ItemRow
    | TokenRow
    | IdempotencyRow
)

TABLES: dict[type[Row], sa.Table] = {
    TenantRow: tables.tenant,
    CaRow: tables.tenant_ca,
    PrincipalRow: tables.principal,
    TenantKeyRow: tables.tenant_key,
    KeyScheduleRow: tables.key_schedule,
    SubjectRow: tables.subject,
    SubjectKeyRow: tables.subject_key,
    AliasRow: tables.subject_alias,
    HoldRow: tables.subject_hold,
    ErasureRow: tables.erasure,
    OperationRow: tables.operation,
    ApprovalRow: tables.approval,
    RestorationRow: tables.restoration,
    ItemRow: tables.item,
    TokenRow: tables.token,
    PendingRow: tables.audit_pending,
    IdempotencyRow: tables.idempotency,
    IdempotencySubjectRow: tables.idempotency_subject,
    LogRow: tables.audit_log,
    EntryRow: tables.audit_entry,
    NodeRow: tables.audit_node,
    FacetRow: tables.audit_facet,
    EventRow: tables.audit_event,
    MentionRow: tables.audit_mention,
    CountRow: tables.audit_count,
    BootRow: tables.audit_boot,
    CosignatureRow: tables.audit_cosignature,
}
"""In the order in which inserts are made."""
