"""What text classes share: how people write identifiers, and how functions of text become those of a DataClass."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from vault.classes.data_class import (
    MASK_ILL_FORMED,
    MAX_BYTES_FINGERPRINTED,
    InvalidValueError,
    Value,
    check_kind_and_size,
)

Canonical = Callable[[str], str]
"""Reads a text of bounded length and answers its one canonical spelling, or raises InvalidValueError. Idempotent."""

HIDDEN_AT_LEAST = 4
"""How many characters ``last4`` always keeps hidden, however short the value."""

_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212]+")


def compact(text: str) -> str:
    """The text without spaces and hyphens, full-width characters as their plain ones (NFKC)."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))


def fold(text: str) -> str:
    """The text for caseless matching (Unicode 3.13, D146), without invisible format characters. Idempotent."""
    if text.isascii():
        return text.casefold()
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", visible).casefold())
    return unicodedata.normalize("NFKC", once.casefold())


def last4(text: str) -> str:
    """The last four characters; in a short text some or all of the four are ``*``, so that enough stays hidden."""
    shown = max(0, min(4, len(text) - HIDDEN_AT_LEAST))
    return text[len(text) - shown :].rjust(4, "*")


def mask_but_last4(text: str) -> str:
    """A mask of constant width, which tells no length, ending as ``last4`` does."""
    return "****" + last4(text)


def normaliser(canonical: Canonical, max_bytes: int = MAX_BYTES_FINGERPRINTED) -> Callable[[Value], bytes]:
    """The ``normalise`` of a text class: kind and size, then the canonical spelling in UTF-8."""
    return lambda value: _read(canonical, value, max_bytes).encode()


def masker(canonical: Canonical, mask: Callable[[str], str]) -> Callable[[Value], str]:
    """The ``mask`` of a text class, from a mask of canonical text.

    It must not fail: a value may have been stored leniently, or by an edition that read more than this one does.
    """

    def mask_of(value: Value) -> str:
        try:
            return mask(_read(canonical, value))
        except InvalidValueError:
            return MASK_ILL_FORMED

    return mask_of


def partial_forms(canonical: Canonical, **forms: Callable[[str], str]) -> Mapping[str, Callable[[Value], str]]:
    """The ``partial_forms`` of a text class, from functions of canonical text."""
    return MappingProxyType({name: _form(canonical, form) for name, form in forms.items()})


def accepts(canonical: Canonical, text: str) -> bool:
    """Whether the text is well-formed."""
    try:
        canonical(text)
    except InvalidValueError:
        return False
    return True


def _form(canonical: Canonical, form: Callable[[str], str]) -> Callable[[Value], str]:
    return lambda value: form(_read(canonical, value))


def _read(canonical: Canonical, value: Value, max_bytes: int = MAX_BYTES_FINGERPRINTED) -> str:
    check_kind_and_size("text", max_bytes, value)
    return canonical(str(value))  # a str by now
