"""The contract's patterns in words, for whoever broke one: a regular expression tells people little."""

from collections.abc import Mapping

from protovalidate import Violation

_PATTERN = "string.pattern"
_WORD = "must be 1 to 64 lower-case letters, digits and _ . -, the first one a letter"
_NUMBER = "must be at most 64 letters, digits and . _ : / -, without spaces, such as a ticket's number"
_CLASS = "must be the name of a data class: 1 to 64 lower-case letters, digits and _, the first one a letter"

WORDS: Mapping[str, str] = {
    "^[a-z][a-z0-9_.-]{0,63}$": _WORD,
    "^([a-z][a-z0-9_.-]{0,63})?$": f"{_WORD}; or empty",
    "^[A-Za-z0-9._:/-]{0,64}$": _NUMBER,
    "^[a-z][a-z0-9_]{0,63}$": _CLASS,
    "^([a-z][a-z0-9_]{0,63})?$": f"{_CLASS}; or empty",
    "^([a-z][a-z0-9_]{0,31})?$": "must be the name of a partial form: at most 32 lower-case letters, digits and _; or empty",
    "^[A-Za-z]{0,64}$": "must be at most 64 letters, such as Reveal",
    "^operations/[0-9a-f]{32}$": "must be operations/ and 32 hexadecimal digits in lower case, as they are listed",
}
"""By the pattern, as the contract has it."""


def in_words(violation: Violation) -> str:
    """What must hold where a rule was broken. Never what stood there."""
    said = violation.proto
    if said.rule_id == _PATTERN:
        return WORDS.get(str(violation.rule_value), said.message)
    return said.message or said.rule_id
