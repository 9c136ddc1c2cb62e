"""Telephone numbers in ITU-T E.164 form."""

import re
import unicodedata

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import accepts, last4, mask_but_last4, masker, normaliser, partial_forms

_SEPARATORS = re.compile(r"[\s().\-/\u2010-\u2015\u2212]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CN_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_CN_MOBILE_AS_WRITTEN = re.compile(r"1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}")


def _canonical(text: str) -> str:
    # The canonical form is the digits as written, so no release of the numbering metadata can move a fingerprint; the
    # metadata only says whether a number is taken at all. Hence is_possible_number (country in use, possible length) and
    # not is_valid_number (range in use today): ranges open and close every few weeks, lengths once in years. And a
    # national trunk prefix is refused, not removed: which digits it has is metadata too.
    number = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    if _CN_MOBILE.fullmatch(number):
        number = "+86" + number
    if not _E164.fullmatch(number):
        raise InvalidValueError(
            "must be + and 7 to 15 digits beginning with the country code, without extension,"
            " or a mainland Chinese mobile number of 11 digits"
        )
    parsed = _parse(number)
    if parsed is None or phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        raise InvalidValueError("must have a country code in use and as many digits as numbers of that country have")
    if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) != number:
        raise InvalidValueError("must leave out the national trunk prefix (the 0 in +44 (0)20)")
    return number


def _parse(number: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None


def _country(number: str) -> str:
    """The calling code, ``+86``: that is what the digits say. Several countries share +1, +7, +44 and others."""
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return next(number[:end] for end in (2, 3, 4) if int(number[1:end]) in codes)


def _last4(number: str) -> str:
    return last4(number.removeprefix(_country(number)))


def _mask(number: str) -> str:
    return mask_but_last4(number.removeprefix(_country(number)))


def _recognises(text: str) -> bool:
    return bool(_CN_MOBILE_AS_WRITTEN.fullmatch(text)) or (text.startswith("+") and accepts(_canonical, text))


# last4 alone: mainland Chinese mobiles alone (13 to 19 and nine more digits) leave 7 x 10^9 / 10^4. With the country the
# smallest counts: a few islands have national numbers of four digits, some thousand each, and last4 shows nothing of
# these. A mainland Chinese mobile number keeps 700,000 candidates.
_REMAINING = {
    frozenset({"last4"}): 700_000,
    frozenset({"country"}): 1_000,
    frozenset({"country", "last4"}): 1_000,
}

PHONE = DataClass(
    name="phone",
    title="Telephone number",
    token_prefix="pho",  # noqa: S106 - no password: our tokens begin so
    sensitivity="normal",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, _mask),
    partial_forms=partial_forms(_canonical, last4=_last4, country=_country),
    mask_reveals=frozenset({"last4"}),
    remaining=_REMAINING,
    floor=1_000,
    retention_hint="as long as the person is to be reached",
    recognises=_recognises,
)
