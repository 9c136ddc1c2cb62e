"""What comes back of erasures: plain frozen dataclasses, no protobuf. Subject ids are in no representation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What is to be kept of an erasure; `pdvault erasure verify` checks it without the vault.

    Attributes:
        text: the receipt itself, to be written into a file as it is. Only the caller's own says whom it is about.
        erasure_uid: the erasure, 16 bytes: what ``SubjectClient.erasure_receipt`` takes.
        subject_uid: the vault's own name of who was erased, 16 bytes: the log knows the subject by it.
        subject_id: your own name of them; empty in a receipt that was asked for later.
        keys: how many keys were destroyed.
        items: how many items went, by class.
        tokens: how many tokens went.
        refused_time: from when on no call finds the subject.
        clean_time: from when on the database's files and replicas hold no row of the subject.
        horizon_time: the earliest time at which no backup brings the subject back.
        is_proven: whether it holds the log's proof that this was done.
        is_past_horizon: whether it holds the log's proof that the horizon is reached.
    """

    text: str = field(repr=False)
    erasure_uid: bytes
    subject_uid: bytes
    subject_id: str = field(repr=False)
    keys: int
    items: Mapping[str, int]
    tokens: int
    refused_time: datetime | None
    clean_time: datetime | None
    horizon_time: datetime | None
    is_proven: bool
    is_past_horizon: bool


@dataclass(frozen=True, slots=True)
class ErasureCheck:
    """What the vault finds when it looks again.

    Attributes:
        is_clean: nothing is left in the tables.
        rows_left: what is, by table.
        is_anchored: the KMS remembers the destroyed keys, so that no restored backup brings them back: until none can.
        is_past_horizon: the horizon is reached.
    """

    is_clean: bool
    rows_left: Mapping[str, int]
    is_anchored: bool
    is_past_horizon: bool
