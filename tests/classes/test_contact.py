"""Names, telephone numbers and e-mail addresses."""

import re

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vault.classes.data_class import DataClass, InvalidValueError
from vault.classes.email import EMAIL
from vault.classes.person_name import PERSON_NAME
from vault.classes.phone import PHONE


def _accepted(known: DataClass, value: str) -> bool:
    try:
        known.normalise(value)
    except InvalidValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("+44 7700 900123", "+447700900123"),
        ("+1 (202) 555-0123", "+12025550123"),
        ("+49-30.23125/123", "+493023125123"),
        ("＋８６ 154 1234 5678", "+8615412345678"),
        ("154 1234 5678", "+8615412345678"),
        ("15412345678", "+8615412345678"),
        ("+39 06 1234 5678", "+390612345678"),
        ("+683 4000", "+6834000"),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str, canonical: str) -> None:
    assert PHONE.normalise(written) == canonical.encode()


@pytest.mark.parametrize(
    "number",
    [
        "020 7946 0018",  # national, and which nation is not said
        "12345678901",  # 11 digits beginning with 1, but mainland Chinese mobiles begin with 13 to 19
        "8615412345678",  # neither + nor national
        "+44 (0)20 7946 0018",  # a trunk prefix: which digits it has is metadata, so it is not guessed away
        "+86 0154 1234 5678",
        "+1 202 555 0123 ext. 5",
        "+12025550123;ext=5",
        "tel:+12025550123",
        "+1-800-FLOWERS",
        "++12025550123",
        "+999 1234567",  # no such country code
        "+44 7700",  # too short
        "+1 202 555 01234",  # too long
        "+1 555 0123",  # a local number without its area code
        "+1234567890123456",
        "+",
    ],
)
def test_what_is_no_complete_international_number_is_refused(number: str) -> None:
    assert not _accepted(PHONE, number)


def test_a_number_outside_the_ranges_in_use_today_is_accepted() -> None:
    """is_possible_number, not is_valid_number: ranges open and close with every release of the metadata."""
    for number in ("+8615412345678", "+447700900123", "+33639981234"):
        assert not phonenumbers.is_valid_number(phonenumbers.parse(number, None))
        assert _accepted(PHONE, number)


@settings(deadline=None)
@given(st.from_regex(r"\+(44|86|39)[ (-]?[2-9]([ .)-]?[0-9]){9}|1[3-9]([ .-]?[0-9]){9}", fullmatch=True))
def test_the_canonical_form_is_the_digits_as_written_whatever_the_metadata_say(written: str) -> None:
    assume(_accepted(PHONE, written))
    digits = re.sub(r"[^0-9]", "", written)
    assert PHONE.normalise(written).decode() == "+" + (digits if written.startswith("+") else "86" + digits)


@pytest.mark.parametrize(
    ("number", "country", "last4", "mask"),
    [
        ("+8615412345678", "+86", "5678", "****5678"),
        ("+12025550123", "+1", "0123", "****0123"),
        ("+35312345678", "+353", "5678", "****5678"),
        ("+6834000", "+683", "****", "********"),
        ("+29022222", "+290", "***2", "*******2"),
    ],
)
def test_the_parts_of_a_number_keep_four_national_digits_hidden(number: str, country: str, last4: str, mask: str) -> None:
    assert PHONE.partial_forms["country"](number) == country
    assert PHONE.partial_forms["last4"](number) == last4
    assert PHONE.mask(number) == mask


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Anna.Schmidt@Example.ORG", "anna.schmidt@example.org"),
        (" anna@example.org ", "anna@example.org"),
        ("anna＠example.org", "anna@example.org"),
        ("anna+shop@example.org", "anna+shop@example.org"),
        ("anna@MÜNCHEN.example.org", "anna@xn--mnchen-3ya.example.org"),
        ("anna@xn--mnchen-3ya.example.org", "anna@xn--mnchen-3ya.example.org"),
        ("JOSÉ@example.org", "josé@example.org"),
        ("jose\u0301@example.org", "josé@example.org"),
        ("王小明@example.org", "王小明@example.org"),
        ("anna@mail.test", "anna@mail.test"),
    ],
)
def test_an_address_is_one_however_it_is_written(written: str, canonical: str) -> None:
    assert EMAIL.normalise(written) == canonical.encode()


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "@example.org",
        "anna@",
        "anna@@example.org",
        "anna@example",
        "anna@127.0.0.1",
        "anna@[127.0.0.1]",
        '"anna schmidt"@example.org',
        "Anna Schmidt <anna@example.org>",
        "anna@example.org, otto@example.org",
        "anna@mail.local",
        "anna\n@example.org",
        "a" * 250 + "@example.org",
        "anna@" + "a." * 200 + "org",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    assert not _accepted(EMAIL, address)


def test_domains_that_idna_tells_apart_stay_apart() -> None:
    assert EMAIL.normalise("anna@straße.example.org") != EMAIL.normalise("anna@strasse.example.org")


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("anna@example.org", "a***@e***.org"),
        ("a@example.org", "***@e***.org"),
        ("anna@mail.example.org", "a***@m***.org"),
    ],
)
def test_the_mask_of_an_address_hides_lengths_and_domain(address: str, mask: str) -> None:
    assert EMAIL.mask(address) == mask
    assert EMAIL.partial_forms["domain"](address) == address.partition("@")[2]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("  Anna \t Schmidt\n", "anna schmidt"),
        ("ANNA SCHMIDT", "anna schmidt"),
        ("Ａｎｎａ　Ｓｃｈｍｉｄｔ", "anna schmidt"),
        ("Weiß", "weiss"),
        ("Jose\u0301", "josé"),
        ("王\u200b小明", "王小明"),
        ("王 小明", "王 小明"),
        ("\ufb01nn", "finn"),
    ],
)
def test_a_name_is_one_however_it_is_written(written: str, canonical: str) -> None:
    assert PERSON_NAME.normalise(written) == canonical.encode()


@pytest.mark.parametrize("name", [" ", "123", "---", "王**", "Anna\x00", "Anna\ue000", "Anna\u0378"])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert not _accepted(PERSON_NAME, name)


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("王小明", "王**"),
        ("张伟", "张**"),
        ("张", "**"),
        ("欧阳娜娜", "欧**"),
        ("Anna Schmidt", "A** S**"),
        ("anna maria von der schmidt", "A** S**"),
        ("Björk", "B**"),
        ("X Æ", "** **"),
        ("Þór Ólafsson", "Þ** Ó**"),
    ],
)
def test_the_mask_of_a_name_shows_at_most_two_initials_and_no_length(name: str, mask: str) -> None:
    assert PERSON_NAME.mask(name) == mask
