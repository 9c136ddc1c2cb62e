"""What comes back about subjects: plain frozen dataclasses, no protobuf. Their names are in no representation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


class SubjectState(IntEnum):
    """What may be done with a subject's data."""

    UNKNOWN = 0
    """Newer than this client."""
    ACTIVE = 1
    """It may be used as policies say."""
    RESTRICTED = 2
    """It is stored and not used."""
    ERASING = 3
    """It is being erased."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Who a registered subject is.

    Attributes:
        subject_uid: the vault's own name of it, 16 bytes: the log knows it by this.
        existed: whether it was there before.
    """

    subject_uid: bytes
    existed: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps a subject from being erased.

    Attributes:
        hold_uid: its name, 16 bytes.
        reference: why: a ticket, a file number, a law.
        create_time: when it was placed.
        expire_time: when it ends by itself; None if never.
    """

    hold_uid: bytes
    reference: str
    create_time: datetime | None
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the vault knows of a subject besides its values; in a list only who it is and its state.

    Attributes:
        subject_uid: the vault's own name of it, 16 bytes.
        subject_id: your own name, the one it was made with.
        state: what may be done with its data.
        aliases: other names that lead to it.
        holds: what keeps it from being erased.
        items: how many items there are of each class.
    """

    subject_uid: bytes
    subject_id: str = field(repr=False)
    state: SubjectState
    aliases: tuple[str, ...] = field(default=(), repr=False)
    holds: tuple[Hold, ...] = ()
    items: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubjectsPage:
    """One page of all subjects; ``next_page_token`` is empty on the last one."""

    subjects: tuple[Subject, ...]
    next_page_token: str
