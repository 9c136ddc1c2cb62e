"""What callers hand in and get back: plain frozen dataclasses, no protobuf.

Personal values and subject_ids are in no representation, whatever form they came out in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import ClassVar


class Atomicity(IntEnum):
    """What one failing item does to the others of its call."""

    ALL_OR_NOTHING = 1
    """The first failing item's error fails the call; nothing is written or released."""
    PER_ITEM = 2
    """The call succeeds; each failing item carries its own error."""


class FormKind(IntEnum):
    """The kinds of form in which a value comes out."""

    UNKNOWN = 0
    """Newer than this client."""
    MASKED = 1
    """Enough to recognise the value, too little to use it."""
    PLAIN = 2
    """The value itself."""
    PARTIAL = 3
    """A named part, for example "last4"."""


class Provenance(IntEnum):
    """Where a value came from."""

    UNKNOWN = 0
    """Not said, or newer than this client. The vault takes a value of unsaid provenance for the subject's own."""
    SUBJECT = 1
    """The person gave it."""
    PARTNER = 2
    """A partner supplied it."""
    USAGE = 3
    """It arose from use of a service."""
    ON_BEHALF = 4
    """Somebody gave it on the person's behalf."""


class TokenKind(IntEnum):
    """How a token is chosen. Tokens are always random."""

    RANDOM = 1
    """A new item and a new token each time."""
    DETERMINISTIC = 2
    """The same value of the same subject, class and purposes gets the same token again. Neither expires nor is limited."""


class Validation(IntEnum):
    """How strictly values are checked."""

    STRICT = 1
    """A value its class does not recognise is refused."""
    LENIENT = 2
    """An ill-formed legacy value is stored, marked as such and cannot be searched."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a value comes out: ``Form.MASKED``, ``Form.PLAIN`` or ``Form.partial("last4")``."""

    kind: FormKind
    partial_name: str = ""

    MASKED: ClassVar["Form"]
    PLAIN: ClassVar["Form"]

    @classmethod
    def partial(cls, name: str) -> "Form":
        """One of the class's named partial forms; ``list_data_classes`` names them."""
        return cls(FormKind.PARTIAL, name)


Form.MASKED = Form(FormKind.MASKED)
Form.PLAIN = Form(FormKind.PLAIN)


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value to store.

    Attributes:
        subject_id: your own name of the person or organisation, 1 to 128 bytes.
        data_class: for example "cn_resident_id".
        value: str for classes of kind text, bytes for kind bytes; at most 1 MiB, 512 bytes where the class can be searched.
        purposes: what it was collected for; the call's purpose if empty.
        provenance: where it came from.
        token_kind: how the token is chosen.
        ttl: how long the token lives, 1 s to 100 years; for ever if None.
        max_reveals: how often the token may be revealed; 0 is without limit, 1 is a one-time token.
        validation: how strictly the value is checked.
    """

    subject_id: str = field(repr=False)
    data_class: str
    value: str | bytes = field(repr=False)
    purposes: Sequence[str] = ()
    provenance: Provenance = Provenance.SUBJECT
    token_kind: TokenKind = TokenKind.RANDOM
    ttl: timedelta | None = None
    max_reveals: int = 0
    validation: Validation = Validation.STRICT


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token for a stored value, and when it expires, if it does."""

    token: str
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevealItem:
    """A token to reveal, with a form of its own."""

    token: str
    form: Form = Form.MASKED


@dataclass(frozen=True, slots=True)
class Revealed:
    """A value in the form given. Its representation shows neither."""

    value: str | bytes = field(repr=False)
    form: Form
    data_class: str

    @property
    def text(self) -> str:
        """The value of a class of kind text; TypeError if it is bytes."""
        if isinstance(self.value, bytes):
            raise TypeError(f"a value of {self.data_class} is bytes; use .value")
        return self.value


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value to compare with the one behind a token."""

    token: str
    value: str | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ValueQuery:
    """Items of a class whose normalised value equals this one."""

    data_class: str
    value: str | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubjectQuery:
    """Items of a subject: of one class, or of all if it is empty."""

    subject_id: str = field(repr=False)
    data_class: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What the vault knows about a token and its item, without the value. ``max_reveals`` 0 is without limit."""

    token: str
    subject_id: str = field(repr=False)
    data_class: str
    revision: int
    purposes: tuple[str, ...]
    provenance: Provenance
    ill_formed: bool
    create_time: datetime | None
    update_time: datetime | None
    expire_time: datetime | None
    max_reveals: int
    reveals_used: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the items found, and where to go on; empty at the end."""

    items: tuple[Description, ...]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new value for a token. ``expected_revision`` is the one you believe to replace; 0 for any."""

    token: str
    value: str | bytes = field(repr=False)
    expected_revision: int = 0
    validation: Validation = Validation.STRICT


@dataclass(frozen=True, slots=True)
class DataClass:
    """A kind of value. ``sensitivity`` is "normal" or "sensitive", ``kind`` "text" or "bytes"."""

    name: str
    title: str
    sensitivity: str
    kind: str
    token_prefix: str
    fingerprinted: bool
    partial_forms: tuple[str, ...]
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The kinds of value the tenant may store, by name."""

    edition: str
    data_classes: tuple[DataClass, ...]
