"""Names of people, compared without regard to case, spacing and compatibility variants."""

import unicodedata

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import fold, masker, normaliser, partial_forms

# Characters that a later Unicode may give other properties, and control characters. Normalisation and case folding are
# stable for all others (Unicode stability policies), so no release of Python can move a fingerprint.
_REFUSED = frozenset({"Cc", "Cn", "Co", "Cs"})


def _canonical(text: str) -> str:
    name = " ".join(fold(text).split())
    if not any(map(str.isalpha, name)):
        raise InvalidValueError("must hold at least one letter")
    if "*" in name:
        raise InvalidValueError("must not hold an asterisk: this looks like a mask, not a name")
    if any(unicodedata.category(character) in _REFUSED for character in name):
        raise InvalidValueError("must not hold control, private or unassigned characters")
    return name


def _mask(name: str) -> str:
    # The number of words beyond two and the length of each stay hidden; a word of one character is hidden whole.
    words = name.split(" ")
    return " ".join(_mask_word(word) for word in (words[:1] + words[1:][-1:]))


def _mask_word(word: str) -> str:
    return (word[0].upper()[0] if len(word) > 1 else "") + "**"


PERSON_NAME = DataClass(
    name="person_name",
    title="Name of a person",
    token_prefix="nam",  # noqa: S106 - no password: our tokens begin so
    sensitivity="normal",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, _mask),
    partial_forms=partial_forms(_canonical),
    mask_reveals=frozenset(),
    remaining={},
    floor=1_000,
    retention_hint="as long as the person is a customer",
)
