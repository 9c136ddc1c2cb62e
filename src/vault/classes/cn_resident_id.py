"""Resident identity numbers of the People's Republic of China (GB 11643-1999): 17 digits and a check character."""

import re
from datetime import date

from stdnum.cn import ric

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import accepts, compact, last4, mask_but_last4, masker, normaliser, partial_forms

_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_YEARS = range(1850, 2151)  # this module reads no clock; the numbers began in 1984, for people alive then


def _canonical(text: str) -> str:
    # stdnum's validate() also wants the region in its table, and in force in the year of birth. Real holders have
    # regions that were made later, so no region is refused: checksum (ISO 7064 MOD 11-2) and date decide.
    number = compact(text).upper()
    if not _SHAPE.fullmatch(number):
        raise InvalidValueError("must be 17 digits and a check character (0-9 or X)")
    if not _is_date(int(number[6:10]), int(number[10:12]), int(number[12:14])):
        raise InvalidValueError("must have a date of birth (YYYYMMDD) in digits 7 to 14")
    if ric.calc_check_digit(number) != number[17]:
        raise InvalidValueError("must have the check character that its 17 digits give (ISO 7064 MOD 11-2)")
    return number


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return year in _YEARS


def _recognises(text: str) -> bool:
    return accepts(_canonical, text)


# What is counted: well-formed numbers of people who may be alive (100 years of birth dates) in some 2,800 regions; 1,000
# order codes a region and day. The check character follows from the rest, so knowing last4 (order code and check
# character) leaves one in eleven of the regions and dates. There are fewer people than numbers.
_REGIONS, _DATES, _DAYS, _ORDERS = 2_800, 36_525, 365, 1_000
_REMAINING = {
    frozenset({"region"}): _DATES * _ORDERS,
    frozenset({"birth_year"}): _REGIONS * _DAYS * _ORDERS,
    frozenset({"last4"}): _REGIONS * _DATES // 11,
    frozenset({"region", "birth_year"}): _DAYS * _ORDERS,
    frozenset({"region", "last4"}): _DATES // 11,
    frozenset({"birth_year", "last4"}): _REGIONS * _DAYS // 11,
    frozenset({"region", "birth_year", "last4"}): _DAYS // 11,
}

CN_RESIDENT_ID = DataClass(
    name="cn_resident_id",
    title="Chinese resident identity number",
    token_prefix="rid",  # noqa: S106 - no password: our tokens begin so
    sensitivity="sensitive",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, mask_but_last4),
    partial_forms=partial_forms(_canonical, last4=last4, birth_year=lambda number: number[6:10], region=lambda number: number[:6]),
    mask_reveals=frozenset({"last4"}),
    remaining=_REMAINING,
    floor=1_000,
    retention_hint="as long as real-name rules ask for it",
    recognises=_recognises,
)
