"""What calls ask of the database, and what they get, in words without SQL.

What stands behind a token comes as one ``Held``: token, item, subject and the item's wrapped store key, read in the same query,
so that an erased subject is gone for every call that begins after its erasure.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from vault.store.rows import (
    AliasRow,
    ApprovalRow,
    CaRow,
    ErasureRow,
    HoldRow,
    IdempotencyRow,
    ItemRow,
    KeyScheduleRow,
    OperationRow,
    PrincipalRow,
    SubjectKeyRow,
    SubjectRow,
    TenantKeyRow,
    TenantRow,
    TokenRow,
)

STORE = "store"
"""The kind of subject key under which items are sealed."""
FIELD = "field"
"""The kind of subject key under which callers' field ciphertexts are sealed."""


@dataclass(frozen=True)
class Head:
    """Who calls: read for every call. ``ca_sha256`` is empty for local administration."""

    tenant_uid: bytes
    ca_sha256: bytes
    principal: str
    request_id: bytes


@dataclass(frozen=True)
class SearchPage:
    """One page of a search, in the order of (item uid, token uid).

    ``column`` is ``fingerprint``, and ``keys`` holds one for each live index key; or it is ``subject``, and ``keys`` holds its uid;
    ``after`` is where the previous page ended; one row more than ``size`` is read, to see whether there is a next page. Only items
    collected for ``purpose``, of active subjects, are read.
    """

    column: str
    keys: tuple[bytes, ...]
    data_class: str
    purpose: str
    after: tuple[bytes, bytes]
    size: int


@dataclass(frozen=True)
class SubjectPage:
    """One page of all subjects, in the order of their uids: those after a uid, empty for the first page, and one more than size."""

    after: bytes
    size: int


@dataclass(frozen=True)
class Reads:
    """What one call needs besides its head.

    ``locking`` takes the subjects found FOR KEY SHARE, which keeps whoever erases or re-keys them, and so reads them FOR UPDATE,
    waiting until the commit. It takes the tenant FOR SHARE as well, as ``pinning`` alone does for what is written without a
    subject: until the commit, the tenant's current keys stay the current ones. ``owning`` is for whoever changes that, or which
    names lead to a subject: it takes tenant and subjects FOR UPDATE, and waits for all that pin (docs/decisions/0008).

    ``envelopes`` is up to how many bytes of each item's envelope are read: none unless its value is to be opened.
    ``subjects`` are look-up hashes, ``subject_uids`` uids, ``belongings`` uids of subjects of which all is read that is theirs,
    ``whole_subjects`` of those of which the values are read too, of ``max_items`` items at most, and who are taken FOR UPDATE;
    ``rest_of_subjects`` likewise, as pairs (subject uid, item uid), with the values alone that are under older store keys than the
    newest and come after that item; ``tokens`` are texts, ``token_ids`` pairs (subject uid, token uid), ``deterministic`` the keyed
    hashes of deterministic items, ``operations`` and ``erasures`` uids.
    ``tenant_keys`` are the tenant's keys, wrapped; ``live_operations`` its operations that have not ended, ``newest_operations``
    the last hundred; ``requested_erasures`` those that the call's request has begun before; ``schedule`` is how often keys rotate
    and how long copies live;
    ``approvals`` are uids, ``pending_approvals`` the newest hundred that are neither denied nor used; both come with
    whoever asked and decided.
    """

    subjects: frozenset[bytes] = frozenset()
    subject_uids: frozenset[bytes] = frozenset()
    tokens: frozenset[str] = frozenset()
    token_ids: frozenset[tuple[bytes, bytes]] = frozenset()
    deterministic: frozenset[bytes] = frozenset()
    field_keys: frozenset[bytes] = frozenset()
    newest_field_keys: frozenset[bytes] = frozenset()
    belongings: frozenset[bytes] = frozenset()
    whole_subjects: frozenset[bytes] = frozenset()
    rest_of_subjects: frozenset[tuple[bytes, bytes]] = frozenset()
    max_items: int = 0
    pages: tuple[SearchPage, ...] = ()
    subject_page: SubjectPage | None = None
    envelopes: int = 0
    locking: bool = False
    pinning: bool = False
    owning: bool = False
    tenant_keys: bool = False
    live_operations: bool = False
    newest_operations: bool = False
    operations: frozenset[bytes] = frozenset()
    erasures: frozenset[bytes] = frozenset()
    requested_erasures: bool = False
    schedule: bool = False
    approvals: frozenset[bytes] = frozenset()
    pending_approvals: bool = False


class Held(NamedTuple):
    """A token with all that stands behind it."""

    token: TokenRow
    item: ItemRow
    subject: SubjectRow
    key: SubjectKeyRow


class Known(NamedTuple):
    """A subject with its current store key; ``alias`` is there if it was found by another name than its first."""

    subject: SubjectRow
    key: SubjectKeyRow
    alias: AliasRow | None = None


class FieldHeld(NamedTuple):
    """A field key with the subject whose it is."""

    subject: SubjectRow
    key: SubjectKeyRow


@dataclass
class Belongings:
    """All that belongs to a subject: rows as they are, values only as numbers: of items by class, and of tokens."""

    aliases: list[AliasRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    keys: list[SubjectKeyRow] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    tokens: int = 0


class WholeSubject(NamedTuple):
    """A subject with its rows, and the uids of each item's tokens.

    ``has_more`` says that it may have items besides these; they come after the one of the uid ``last``.
    """

    subject: SubjectRow
    keys: list[SubjectKeyRow]
    aliases: list[AliasRow]
    items: list[ItemRow]
    tokens: dict[bytes, list[bytes]]
    has_more: bool
    last: bytes


@dataclass
class Rows:
    """What one call gets. Dictionaries lack what was not found; ``fetched`` tells that from not asked. No MAC is checked yet."""

    now_us: int = 0
    tenant: TenantRow | None = None
    ca: CaRow | None = None
    principal: PrincipalRow | None = None
    idempotency: IdempotencyRow | None = None
    subjects: dict[bytes, Known] = field(default_factory=dict)
    subject_uids: dict[bytes, Known] = field(default_factory=dict)
    tokens: dict[str, Held] = field(default_factory=dict)
    token_ids: dict[tuple[bytes, bytes], Held] = field(default_factory=dict)
    deterministic: dict[bytes, Held] = field(default_factory=dict)
    field_keys: dict[bytes, FieldHeld] = field(default_factory=dict)
    newest_field_keys: dict[bytes, FieldHeld] = field(default_factory=dict)
    belongings: dict[bytes, Belongings] = field(default_factory=dict)
    whole_subjects: dict[bytes, WholeSubject] = field(default_factory=dict)
    pages: dict[SearchPage, list[Held]] = field(default_factory=dict)
    subject_page: list[Known] = field(default_factory=list)
    tenant_keys: list[TenantKeyRow] = field(default_factory=list)
    live_operations: list[OperationRow] = field(default_factory=list)
    newest_operations: list[OperationRow] = field(default_factory=list)
    operations: dict[bytes, OperationRow] = field(default_factory=dict)
    erasures: dict[bytes, ErasureRow] = field(default_factory=dict)
    requested_erasures: list[ErasureRow] = field(default_factory=list)
    schedule: KeyScheduleRow | None = None
    approvals: dict[bytes, ApprovalRow] = field(default_factory=dict)
    pending_approvals: list[ApprovalRow] = field(default_factory=list)
    principals: dict[bytes, PrincipalRow] = field(default_factory=dict)
    fetched: list[Reads] = field(default_factory=list)
