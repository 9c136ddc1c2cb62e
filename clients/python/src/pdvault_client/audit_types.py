"""What auditors hand in and get back: plain frozen dataclasses, no protobuf. Subject ids are in no representation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from pdvault_client.types import Form


class Decision(IntEnum):
    """How a call ended."""

    UNKNOWN = 0
    """Newer than this client."""
    ALLOWED = 1
    """It was allowed and done."""
    DENIED = 2
    """It was refused: not authorised."""
    FAILED = 3
    """It failed: invalid, not found, unavailable."""
    PARTIAL = 4
    """Some of its items were done, some refused or failed."""


class Change(IntEnum):
    """What happened to items."""

    NONE = 0
    """They were only used; or newer than this client."""
    CREATED = 1
    UPDATED = 2
    DELETED = 3


class Use(IntEnum):
    """What was done to a subject's items."""

    UNKNOWN = 0
    """Newer than this client."""
    REVEALED = 1
    """The value itself was released."""
    PARTIAL = 2
    """A partial form was released."""
    MASKED = 3
    """A masked form was released."""
    SEARCHED = 4
    """It was found by a search, or described, or its subject was."""
    VERIFIED = 5
    """It was compared with a candidate, which a Tokenize that finds its value stored already does too."""
    WRITTEN = 6
    """It was stored, replaced or deleted, or its subject named, restricted, held, re-keyed or erased; or a call was repeated."""
    REFUSED = 7
    """It was asked for and refused."""
    AUDITED = 8
    """Its history in the log, or your own name for it, was read by an auditor."""
    EXPOSED = 9
    """Nothing, perhaps: but what is stored of it lay under the key in question, for whoever has that and the rows."""


class KeyKind(IntEnum):
    """A kind of key of which a tenant has one after the other."""

    EPOCH = 1
    """Wraps the subjects' own keys: with it and the rows, all values can be read."""
    INDEX = 2
    """Makes fingerprints: with it and the rows, values that can be guessed are found by trying."""
    KEK = 3
    """A version of the tenant's key in the KMS: wraps one epoch key and one index key, and the authority key."""


class Bucket(IntEnum):
    """How time is cut, by UTC."""

    TOTAL = 1
    """Not at all."""
    HOUR = 2
    DAY = 3


class Dimension(IntEnum):
    """What events are counted by."""

    ACTION = 1
    DECISION = 2
    PRINCIPAL = 3
    DATA_CLASS = 4
    """The classes touched, comma-separated."""
    PURPOSE = 5
    RECIPIENT = 6
    NODE = 7


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are meant: those that match everything that is set.

    Attributes:
        start_time: at or after this time; with a time zone.
        end_time: before this time; with a time zone.
        principal: the URI of a certificate, or ``local:`` and an account.
        action: a method or an act of administration, for example "Reveal".
        decision: how the call ended.
        data_class: a class that the call touched.
        purpose: what the call stated.
        recipient: who outside received what the call released.
        policy_id: a policy that decided.
        request_id: a UUID.
        node: which node answered.
        certificate_sha256: 32 bytes, of the certificate that was presented.
        subject_id: your own name of a subject, as long as the vault knows it; excludes ``subject_uid``.
        subject_uid: 16 bytes, as events and receipts have it.
        token: a token, as long as the vault knows it; excludes ``token_uid``.
        token_uid: 16 bytes, as events have it.
    """

    start_time: datetime | None = None
    end_time: datetime | None = None
    principal: str = ""
    action: str = ""
    decision: Decision | None = None
    data_class: str = ""
    purpose: str = ""
    recipient: str = ""
    policy_id: str = ""
    request_id: str = ""
    node: str = ""
    certificate_sha256: bytes = b""
    subject_id: str = field(default="", repr=False)
    subject_uid: bytes = b""
    token: str = ""
    token_uid: bytes = b""


@dataclass(frozen=True, slots=True)
class Touched:
    """Subjects and tokens of one class that a call used in one form, with one outcome.

    Attributes:
        data_class: empty if none is known, as with tokens that were not found.
        form: with Reveal and Decrypt; None else.
        count: how many items; more than there are token_uids where tokens were not found, or there are none, as with Encrypt.
        subject_uids: 16 bytes each, each once.
        token_uids: 16 bytes each.
        reason: why these items were refused; empty if they were not.
        change: what happened to the items.
        envelope_hashes: with CREATED and UPDATED: SHA-256 of each new envelope, in the order of token_uids.
        mismatched: with Verify: how many items differed from their candidates.
        queries: with Search: how many queries asked for this class, whatever they found.
    """

    data_class: str
    form: Form | None
    count: int
    subject_uids: tuple[bytes, ...]
    token_uids: tuple[bytes, ...]
    reason: str = ""
    change: Change = Change.NONE
    envelope_hashes: tuple[bytes, ...] = ()
    mismatched: int = 0
    queries: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log. Nothing here is checked: ``leaf`` is what proofs are about, the other fields are what it says.

    Attributes:
        index: its place in the log, from 0.
        leaf: the exact bytes that are hashed: a serialised ``vault.v1.AuditEvent``.
        time: by the database's clock, UTC.
        principal: who, as the certificate or the operating system names them.
        action: a method ("Reveal") or an act of administration ("TenantCreated").
        decision: how it ended.
        reason: why it did not succeed; empty if it did.
        purpose, ground, reference, recipient: as the call stated them.
        policy_ids: the policies that decided.
        roles: the principal's at that moment.
        request_id: a UUID; empty if the call had none.
        touched: what was touched, one entry a class, form and outcome.
        details: with acts of administration: what they were about.
        node: which node answered.
        certificate_sha256: of the certificate that was presented; empty for local administration.
        principal_uid, tenant_uid, boot_id: 16 bytes each.
        policy_sha256: of the policies that were in force.
        boot_sequence: its number among the boot's events in this log.
    """

    index: int
    leaf: bytes = field(repr=False)
    time: datetime
    principal: str
    action: str
    decision: Decision
    reason: str
    purpose: str
    ground: str
    reference: str
    recipient: str
    policy_ids: tuple[str, ...]
    roles: tuple[str, ...]
    request_id: str
    touched: tuple[Touched, ...]
    details: Mapping[str, str] = field(hash=False)
    node: str
    certificate_sha256: bytes
    principal_uid: bytes
    tenant_uid: bytes
    policy_sha256: bytes
    boot_id: bytes
    boot_sequence: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some of the events that match, where to go on (empty at the end), and the size of the log when the first page was read.

    Later events are on no page of the query.
    """

    events: tuple[Event, ...]
    next_page_token: str
    size: int


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some of one subject's events, oldest first, and the subject's uid."""

    events: tuple[Event, ...]
    next_page_token: str
    size: int
    subject_uid: bytes


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How far a witness has come: ``size`` 0 is nowhere. ``problem`` "CONFLICT" is a larger log than ours, or another one."""

    name: str
    size: int
    cosign_time: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """The log's newest checkpoint. Nothing here is checked.

    Attributes:
        checkpoint: the signed note (c2sp.org/tlog-checkpoint), with the cosignatures it has.
        cosigned_checkpoint: the newest one that any witness has cosigned; empty if none has.
        log_key: the log's verifier key. Get it by another way too, once, and compare.
        witnesses: each configured witness.
    """

    checkpoint: str
    cosigned_checkpoint: str
    log_key: str
    witnesses: tuple[WitnessState, ...]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That an entry is in a tree.

    Attributes:
        event: the entry.
        hashes: siblings from the leaf to the root, 32 bytes each.
        size: of the tree.
        proof_file: for the newest checkpoint, the whole proof as a file (c2sp.org/tlog-proof); else empty.
    """

    event: Event
    hashes: tuple[bytes, ...]
    size: int
    proof_file: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That one tree begins with another. ``checkpoint`` is the newest one if ``second_size`` is its size, else empty."""

    hashes: tuple[bytes, ...]
    second_size: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Count:
    """One cell of an aggregate: the bucket's beginning (None with TOTAL), the dimensions' values, events, and items touched."""

    time: datetime | None
    values: tuple[str, ...]
    events: int
    items: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Counts in the order of time, then of values; and the size of the log that was counted."""

    counts: tuple[Count, ...]
    size: int


@dataclass(frozen=True, slots=True)
class BreachRow:
    """One subject, touched in one way.

    Attributes:
        subject_uid: 16 bytes.
        subject_id: your own name of the subject, if asked for and still known.
        data_class: of the items.
        purpose: what was stated.
        use: how.
        partial_name: with PARTIAL, the form's name.
        events: how many.
        first_time, last_time: of the first and the last of them.
        first_index, last_index: their places in the log.
    """

    subject_uid: bytes
    subject_id: str = field(repr=False)
    data_class: str
    purpose: str
    use: Use
    partial_name: str
    events: int
    first_time: datetime | None
    last_time: datetime | None
    first_index: int
    last_index: int


@dataclass(frozen=True, slots=True)
class NamedKey:
    """One of a tenant's keys, by the number that ``Keys.status`` and the log give it."""

    kind: KeyKind
    number: int


@dataclass(frozen=True, slots=True)
class KeyLife:
    """When a key was in use, as the log's own entries say.

    Attributes:
        keys: the keys that are meant, of a KEK version those that it wrapped: ``epoch:7``, ``index:7``, ``kek:7``.
        begin_time, begin_index: the entry since which it was the newest; None and 0 if it is older than the log.
        end_time, end_index: the entry that says that nothing is left under it; None and 0 if it is still in use.
        destroy_time: when the KMS had destroyed what wrapped it; None if it hasn't.
    """

    keys: tuple[str, ...]
    begin_time: datetime | None
    begin_index: int
    end_time: datetime | None
    end_index: int
    destroy_time: datetime | None


@dataclass(frozen=True, slots=True)
class BreachSummary:
    """The end of a breach report.

    Attributes:
        subjects: distinct subjects touched, refused ones not counted.
        events: of the suspect in the window.
        refused: how many of them were denied or failed.
        checkpoint: the signed checkpoint that covers every event reported.
        size: events up to this size of the log were looked at: all of them.
        key_life: of a key, when it was in use.
        exposed_subjects: of a key, distinct subjects that were EXPOSED, touched or not.
    """

    subjects: int
    events: int
    refused: int
    checkpoint: str
    size: int
    key_life: KeyLife | None = None
    exposed_subjects: int = 0


@dataclass(frozen=True, slots=True)
class ExportPiece:
    """A piece of one of a bundle's files. ``entries_done`` of ``entries_total`` have come, for a progress bar."""

    path: str
    data: bytes = field(repr=False)
    entries_done: int
    entries_total: int
