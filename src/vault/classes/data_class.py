"""What a data class is: the one object the rest of the vault asks about a kind of personal value."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Value = str | bytes
"""A personal value as it arrives: text, or bytes for templates and the like."""

MAX_BYTES_FINGERPRINTED = 512
"""The most bytes (UTF-8) of a value that is fingerprinted."""
MAX_BYTES_INLINE = 1 << 20
"""The most bytes of any value that travels inside a message."""

MASK_ILL_FORMED = "****"
"""The mask of a value its class cannot read: nothing is known of it, so nothing is shown, not even its length."""


class InvalidValueError(ValueError):
    """A value is not of its class.

    Raise it outside ``except`` blocks: a library's exception often quotes the value, and would travel on as
    ``__context__``.

    Args:
        rule: what must hold, for the person who sent the value; goes on from "it …". Never any part of the value.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def recognises_nothing(_text: str) -> bool:
    """The recogniser of classes that any text could belong to."""
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class DataClass:
    """One kind of personal value. Instances are compared by identity and live in a ``Taxonomy``.

    Attributes:
        name: what requests call it, ``[a-z][a-z0-9_]{0,63}``.
        title: what people call it.
        token_prefix: 2 to 4 lower-case letters that its tokens begin with.
        sensitivity: for policies.
        kind: whether values are text or bytes.
        max_bytes: the most bytes a value may have; text counts as UTF-8.
        normaliser_version: stored with each fingerprint; goes up when ``normalise`` gives other bytes for any value.
        fingerprinted: whether equality means anything, so that values can be searched and verified.
        normalise: the canonical bytes of a value; idempotent; checks kind and size first. Raises InvalidValueError.
        mask: enough of a value to recognise it, too little to use it. Never raises: what can't be read is masked whole.
        partial_forms: parts of a value, by name. Each raises InvalidValueError where the value has no such part.
        mask_reveals: the partial forms that the mask gives away.
        remaining: how many well-formed values are left, at least, to somebody who knows this set of partial forms.
        floor: a set of partial forms that leaves fewer values than this counts as the value itself.
        retention_hint: how long such values are usually kept, for the people who write retention rules.
        recognises: whether a text is so surely a value of this class that it must not stand where no value belongs.
    """

    name: str
    title: str
    token_prefix: str
    sensitivity: Literal["normal", "sensitive"]
    kind: Literal["text", "bytes"]
    max_bytes: int
    normaliser_version: int
    fingerprinted: bool
    normalise: Callable[[Value], bytes]
    mask: Callable[[Value], str]
    partial_forms: Mapping[str, Callable[[Value], str]]
    mask_reveals: frozenset[str]
    remaining: Mapping[frozenset[str], int]
    floor: int
    retention_hint: str
    recognises: Callable[[str], bool] = recognises_nothing
    mask_ill_formed: str = MASK_ILL_FORMED

    def form_is_plain(self, names: Iterable[str]) -> bool:
        """Whether knowing these partial forms together counts as knowing the value.

        The mask is taken as known: whoever may have a partial form may have the mask as well. A set that the class says
        nothing about counts as plain.
        """
        known = frozenset(names) | self.mask_reveals
        return bool(known) and self.remaining.get(known, 0) < self.floor


def check(data_class: DataClass, value: Value) -> None:
    """Check kind and size alone: all that is asked of an ill-formed value that is stored leniently.

    Raises:
        InvalidValueError: the value is empty, too long, of the other kind, or no Unicode text.
    """
    check_kind_and_size(data_class.kind, data_class.max_bytes, value)


def check_kind_and_size(kind: str, max_bytes: int, value: Value) -> None:
    """Check that a value is of this kind ("text" or "bytes") and has 1 to ``max_bytes`` bytes.

    Raises:
        InvalidValueError: it is not, or does not.
    """
    if isinstance(value, str) != (kind == "text"):
        raise InvalidValueError(f"must be given as {kind}")
    size = _utf8_size(value) if isinstance(value, str) else len(value)
    if size is None:
        raise InvalidValueError("must be valid Unicode text")
    if not 0 < size <= max_bytes:
        raise InvalidValueError(f"must have 1 to {max_bytes} bytes")


def _utf8_size(text: str) -> int | None:
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate; the error quotes the text, so it ends here
        return None
