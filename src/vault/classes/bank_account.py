"""Bank account numbers: IBAN (ISO 13616), or the digits that a bank uses at home."""

import re

from stdnum import iban
from stdnum.exceptions import ValidationError

from vault.classes.data_class import MAX_BYTES_FINGERPRINTED, DataClass, InvalidValueError
from vault.classes.text import accepts, compact, last4, mask_but_last4, masker, normaliser, partial_forms

_DIGITS = re.compile(r"[0-9]{6,32}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_ALIASES = frozenset({"00", "01", "99"})
"""Check digits that satisfy MOD 97-10 but that it never yields (it yields 02 to 98): second spellings of others."""


def _canonical(text: str) -> str:
    account = compact(text).upper()
    if _DIGITS.fullmatch(account):
        return account
    if not account[:2].isalpha():
        raise InvalidValueError("must be an IBAN, or 6 to 32 digits")
    if not _IBAN.fullmatch(account) or account[2:4] in _ALIASES or not _is_iban(account):
        raise InvalidValueError("begins with two letters, so it must be a valid IBAN")
    return account


def _is_iban(account: str) -> bool:
    # Country, length, structure and check digits. Not the banks' own check digits inside: stdnum's tables of banks are
    # incomplete and refuse real accounts.
    try:
        iban.validate(account, check_country=False)
    except ValidationError:
        return False
    return True


def _country(account: str) -> str:
    if not account[0].isalpha():
        raise InvalidValueError("is no IBAN, so it names no country")
    return account[:2]


def _recognises(text: str) -> bool:
    # Digits alone could be anything. Two letters and two digits first: the validator is slow.
    account = compact(text).upper()
    return bool(_IBAN.fullmatch(account)) and accepts(_canonical, account)


# last4: an account of 6 digits keeps four hidden. With the country it is an IBAN; the shortest has 11 digits after the
# check digits (Norway), of which four are known and one is the bank's check digit. Mask and last4 agree.
_REMAINING = {
    frozenset({"last4"}): 10**4,
    frozenset({"country"}): 10**6,
    frozenset({"country", "last4"}): 10**6,
}

BANK_ACCOUNT = DataClass(
    name="bank_account",
    title="Bank account number",
    token_prefix="acc",  # noqa: S106 - no password: our tokens begin so
    sensitivity="sensitive",
    kind="text",
    max_bytes=MAX_BYTES_FINGERPRINTED,
    normaliser_version=1,
    fingerprinted=True,
    normalise=normaliser(_canonical),
    mask=masker(_canonical, mask_but_last4),
    partial_forms=partial_forms(_canonical, last4=last4, country=_country),
    mask_reveals=frozenset({"last4"}),
    remaining=_REMAINING,
    floor=1_000,
    retention_hint="as long as payments are made or may be disputed",
    recognises=_recognises,
)
