"""Numbers with checksums: resident IDs, bank accounts, payment cards."""

from datetime import date, timedelta
from typing import Any

import pytest
from stdnum import iban, luhn
from stdnum.cn import ric

from vault.classes.bank_account import BANK_ACCOUNT
from vault.classes.cn_resident_id import CN_RESIDENT_ID
from vault.classes.data_class import DataClass, InvalidValueError
from vault.classes.payment_card import PAYMENT_CARD


def _accepted(known: DataClass, value: str) -> bool:
    try:
        known.normalise(value)
    except InvalidValueError:
        return False
    return True


def test_resident_ids_are_accepted_for_each_check_character(vectors: dict[str, Any]) -> None:
    for number in vectors["cn_resident_id"]["valid"]:
        assert CN_RESIDENT_ID.normalise(number) == number.encode()


def test_resident_ids_with_a_wrong_part_are_refused(vectors: dict[str, Any]) -> None:
    for number, wrong in vectors["cn_resident_id"]["invalid"].items():
        assert not _accepted(CN_RESIDENT_ID, number), wrong


def test_a_region_the_library_does_not_know_is_no_reason_to_refuse(vectors: dict[str, Any]) -> None:
    assert not any(ric.is_valid(number) for number in vectors["cn_resident_id"]["valid"])


@pytest.mark.parametrize(
    "written", [" 99999919000101004x ", "999999-19000101-004X", "999999 1900 0101 004X", "９９９９９９１９０００１０１００４ｘ"]
)
def test_a_resident_id_is_one_however_it_is_written(written: str) -> None:
    assert CN_RESIDENT_ID.normalise(written) == b"99999919000101004X"


@pytest.mark.parametrize(
    ("born", "accepted"),
    [
        ("18491231", False),
        ("18500101", True),
        ("19000229", False),
        ("20000229", True),
        ("20010229", False),
        ("21501231", True),
        ("21510101", False),
        ("00000101", False),
    ],
)
def test_a_resident_id_holds_a_day_that_existed(born: str, accepted: bool) -> None:
    number = f"999999{born}0010"
    assert _accepted(CN_RESIDENT_ID, number[:17] + ric.calc_check_digit(number)) is accepted


def test_every_single_digit_error_in_a_resident_id_is_refused() -> None:
    number = "999999199001010012"
    number = number[:17] + ric.calc_check_digit(number)
    for place in range(17):
        for digit in set("0123456789") - {number[place]}:
            assert not _accepted(CN_RESIDENT_ID, number[:place] + digit + number[place + 1 :])


def test_what_region_and_last_four_leave_is_what_the_class_says() -> None:
    days = [date(1920, 1, 1) + timedelta(days=count) for count in range(36_525)]
    left = [day for day in days if ric.calc_check_digit(f"999999{day:%Y%m%d}0010") == "7"]
    declared = CN_RESIDENT_ID.remaining[frozenset({"region", "last4"})]
    assert declared == pytest.approx(len(left), rel=0.02)
    in_a_year = sum(day.year == 1990 for day in left)
    assert CN_RESIDENT_ID.remaining[frozenset({"region", "last4", "birth_year"})] == pytest.approx(in_a_year, abs=2)


def test_region_year_and_last_four_together_are_the_resident_id() -> None:
    assert CN_RESIDENT_ID.form_is_plain(["region", "birth_year", "last4"])
    assert CN_RESIDENT_ID.form_is_plain(["region", "birth_year"]), "the mask shows the last four"
    assert not CN_RESIDENT_ID.form_is_plain(["region", "last4"])


def test_the_parts_of_a_resident_id() -> None:
    shown = {name: form("99999919000101004x") for name, form in CN_RESIDENT_ID.partial_forms.items()}
    assert shown == {"last4": "004X", "birth_year": "1900", "region": "999999"}


def test_ibans_are_accepted_as_printed(vectors: dict[str, Any]) -> None:
    for number in vectors["iban"]["valid"]:
        assert BANK_ACCOUNT.normalise(number) == number.replace(" ", "").encode()
        assert BANK_ACCOUNT.normalise(number.lower()) == BANK_ACCOUNT.normalise(number)
        assert BANK_ACCOUNT.partial_forms["country"](number) == number[:2]


def test_wrong_ibans_are_refused(vectors: dict[str, Any]) -> None:
    for number, wrong in vectors["iban"]["invalid"].items():
        assert not _accepted(BANK_ACCOUNT, number), wrong
    for number in vectors["iban"]["refused_old_format"]:
        assert not _accepted(BANK_ACCOUNT, number)


@pytest.mark.parametrize(("alias", "canonical"), [("00", "97"), ("01", "98"), ("99", "02")])
def test_check_digits_that_only_alias_others_are_refused(alias: str, canonical: str) -> None:
    accounts = (f"{number:018}" for number in range(97))
    aliased = next(account for account in accounts if iban.is_valid(f"DE{alias}{account}", check_country=False))
    assert not _accepted(BANK_ACCOUNT, f"DE{alias}{aliased}")
    assert _accepted(BANK_ACCOUNT, f"DE{canonical}{aliased}")


@pytest.mark.parametrize(
    ("account", "accepted"),
    [("123456", True), ("12345", False), ("1" * 32, True), ("1" * 33, False), ("20-15-30 09345", True), ("12A456", False)],
)
def test_accounts_without_letters_are_6_to_32_digits(account: str, accepted: bool) -> None:
    assert _accepted(BANK_ACCOUNT, account) is accepted


def test_an_account_of_digits_names_no_country() -> None:
    with pytest.raises(InvalidValueError):
        BANK_ACCOUNT.partial_forms["country"]("123456")


@pytest.mark.parametrize(("account", "shown"), [("123456", "**56"), ("1234567", "*567"), ("12345678", "5678")])
def test_a_short_account_shows_less_than_its_last_four(account: str, shown: str) -> None:
    assert BANK_ACCOUNT.partial_forms["last4"](account) == shown


def test_cards_pass_by_luhn(vectors: dict[str, Any]) -> None:
    for number in vectors["luhn"]["valid_cards"]:
        assert PAYMENT_CARD.normalise(number) == number.encode()
    for number in vectors["luhn"]["invalid_cards"]:
        assert not _accepted(PAYMENT_CARD, number)


@pytest.mark.parametrize(
    ("length", "accepted"), [(11, False), (12, True), (13, True), (15, True), (16, True), (19, True), (20, False)]
)
def test_cards_have_12_to_19_digits(length: int, accepted: bool) -> None:
    number = "4" + "0" * (length - 2)
    assert _accepted(PAYMENT_CARD, number + luhn.calc_check_digit(number)) is accepted


def test_a_number_of_zeros_is_no_card() -> None:
    assert luhn.is_valid("0" * 16)
    assert not _accepted(PAYMENT_CARD, "0" * 16)


@pytest.mark.parametrize("length", range(12, 20))
def test_bin_and_last_four_leave_at_least_what_the_class_says(length: int) -> None:
    number = "4" + "0" * (length - 2)
    number += luhn.calc_check_digit(number)
    head = PAYMENT_CARD.partial_forms["bin"](number).strip("*")
    tail = PAYMENT_CARD.partial_forms["last4"](number)
    hidden = length - len(head) - len(tail)
    assert hidden >= 5
    # Whatever the other hidden digits are, exactly one last hidden digit satisfies Luhn.
    assert sum(luhn.is_valid(f"{head}{'7' * (hidden - 1)}{digit}{tail}") for digit in range(10)) == 1
    assert 10 ** (hidden - 1) >= PAYMENT_CARD.remaining[frozenset({"bin", "last4"})]


def test_the_parts_of_a_card() -> None:
    shown = {name: form("4111 1111 1111 1111") for name, form in PAYMENT_CARD.partial_forms.items()}
    assert shown == {"last4": "1111", "bin": "411111"}
    assert PAYMENT_CARD.partial_forms["bin"]("400000000002") == "400***"
