"""Payment card numbers (ISO/IEC 7812): 12 to 19 digits, the last by Luhn's formula."""

import re

from stdnum import luhn

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import accepts, compact, last4, mask_but_last4, masker, normaliser, partial_forms

_SHAPE = re.compile(r"[1-9][0-9]{11,18}")
# One number in ten passes Luhn, so chance is kept low: numbers that begin with 1 or 20 belong to no card scheme in use
# but to clocks (milliseconds, 20261121…), and only the groupings that are printed on cards are read as one number.
_AS_WRITTEN = re.compile(r"(?!1|20)(?:[1-9][0-9]{12,18}|[1-9][0-9]{3}(?:[ -][0-9]{4}){3}|[1-9][0-9]{3}[ -][0-9]{6}[ -][0-9]{5})")


def _canonical(text: str) -> str:
    number = compact(text)
    if not _SHAPE.fullmatch(number):
        raise InvalidValueError("must be 12 to 19 digits, the first not 0")
    if not luhn.is_valid(number):
        raise InvalidValueError("must have the last digit that the others give (Luhn)")
    return number


def _bin(number: str) -> str:
    # The issuer's six digits; fewer of a number below 15 digits, so that with last4 five digits stay hidden.
    return number[: min(6, len(number) - 9)].ljust(6, "*")


def _recognises(text: str) -> bool:
    return bool(_AS_WRITTEN.fullmatch(text)) and accepts(_canonical, text)


# Luhn decides one of the hidden digits. bin and last4 keep five hidden (six of a card of 16 digits: 100,000 left); bin
# counts with last4, since the mask shows that.
_REMAINING = {
    frozenset({"last4"}): 10**7,
    frozenset({"bin"}): 10**5,
    frozenset({"bin", "last4"}): 10**4,
}

PAYMENT_CARD = DataClass(
    name="payment_card",
    title="Payment card number",
    token_prefix="crd",  # noqa: S106 - no password: our tokens begin so
    sensitivity="sensitive",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, mask_but_last4),
    partial_forms=partial_forms(_canonical, last4=last4, bin=_bin),
    mask_reveals=frozenset({"last4"}),
    remaining=_REMAINING,
    floor=1_000,
    retention_hint="as long as payments are made or may be disputed",
    recognises=_recognises,
)
