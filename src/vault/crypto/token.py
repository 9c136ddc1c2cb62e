"""The text of opaque tokens: 128 random bits that survive copying by hand (docs/formats.md, "Tokens")."""

import re
import secrets
from typing import Final

MAX_TOKEN_CHARACTERS: Final = 32
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Upper-case Crockford base32; a character's place is its symbol."""

_PREFIX: Final = re.compile(r"[a-z]{2,4}")
_TOKEN: Final = re.compile(rf"([a-z]{{2,4}})_([0-7][{ALPHABET}]{{26}})")
_PAIRS: Final = [high + low for high in ALPHABET for low in ALPHABET]
_SYMBOLS: Final = {
    **{digit: place for place, digit in enumerate(ALPHABET)},
    **{letter: place for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz", start=1)},
}
_TIMES_ALPHA: Final = [r << 1 if r < 16 else r << 1 ^ 0b100101 for r in range(32)]


class TokenFormatError(ValueError):
    """A text is not a token. The message never holds the text."""


def generate(prefix: str) -> str:
    """A new token: prefix, "_", 26 characters of 128 random bits, one check character.

    Args:
        prefix: 2 to 4 letters a-z that say the data class.

    Raises:
        ValueError: the prefix is something else.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("a token prefix must be 2 to 4 letters a-z")
    number = int.from_bytes(secrets.token_bytes(16), "big")
    body = "".join([_PAIRS[number >> shift & 0x3FF] for shift in range(120, -1, -10)])
    return f"{prefix}_{body}{ALPHABET[_TIMES_ALPHA[_remainder(prefix + body)]]}"


def parse(text: str) -> str:
    """The prefix of a well-formed token.

    A changed character and a swap of two different characters are found with certainty, other slips in 31 of 32 cases.
    It says nothing about whether the token exists.

    Raises:
        TokenFormatError: the text is too long, has another character or form, or the check character does not fit.
    """
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise TokenFormatError("a token is at most 32 characters")
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise TokenFormatError("a token is 2 to 4 letters a-z, an underscore, and 27 of 0-9 A-Z without I, L, O, U")
    if _remainder(match[1] + match[2]):
        raise TokenFormatError("the token's check character does not fit: it was copied wrongly")
    return match[1]


def _remainder(characters: str) -> int:
    """Horner's rule over GF(32): the k-th character from the right weighs alpha**(k - 1), and no two weigh the same."""
    remainder = 0
    for character in characters:
        remainder = _TIMES_ALPHA[remainder] ^ _SYMBOLS[character]
    return remainder
