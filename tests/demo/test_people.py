"""The demo's people: always the same, never real, and good enough for the vault's own data classes."""

import math
import struct
from itertools import islice

import phonenumbers
import pytest
from deploy.demo.people import MAX_COUNT, Person, people
from stdnum.cn import ric

from vault.classes.taxonomy import BUILT_IN

FICTION = ("+493023125", "+496990009", "+494066969", "+492214710", "+498999998", "+33199", "+3363998")
"""Number ranges that the German and French regulators keep free for films and books."""


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return list(people(seed=1, count=10_000))


def test_a_seed_always_gives_the_same_people_whatever_the_count(crowd: list[Person]) -> None:
    assert list(people(1, 500)) == crowd[:500]
    assert list(people(2, 500)) != crowd[:500]


def test_the_first_people_of_seed_1_are_these_on_every_machine(crowd: list[Person]) -> None:
    assert [(person.name, person.phone, person.card) for person in crowd[:2]] == [
        ("马思远", "+8615446162969", "5555557548208179"),
        ("Mia Krüger", "+498999998441", "4242426752406303"),
    ]


def test_half_are_chinese_with_a_resident_id(crowd: list[Person]) -> None:
    assert sum(person.resident_id is not None for person in crowd) == len(crowd) // 2


def test_every_value_is_well_formed_and_already_canonical_where_it_is_a_number(crowd: list[Person]) -> None:
    numbers = {"cn_resident_id": "resident_id", "phone": "phone", "email": "email", "bank_account": "bank_account"}
    for person in crowd[::7]:
        for name, field in {**numbers, "payment_card": "card"}.items():
            value = getattr(person, field)
            assert value is None or BUILT_IN.get(name).normalise(value) == value.encode()
        assert BUILT_IN.get("person_name").normalise(person.name)
        assert BUILT_IN.get("free_text").normalise(person.note)


def test_nobody_shares_what_belongs_to_one_person(crowd: list[Person]) -> None:
    for field in ("subject_id", "resident_id", "phone", "email", "bank_account", "card"):
        values = [value for person in crowd if (value := getattr(person, field)) is not None]
        assert len(set(values)) == len(values), field


def test_telephone_numbers_stay_unique_up_to_the_last_person() -> None:
    phones = [person.phone for person in people(3, MAX_COUNT)]
    assert len(set(phones)) == MAX_COUNT


def test_more_people_than_there_are_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        next(people(1, MAX_COUNT + 1))


def test_no_value_can_belong_to_somebody_real(crowd: list[Person]) -> None:
    for person in crowd:
        assert person.email.endswith("@example.org")
        assert person.email.isascii()
        assert person.bank_account.startswith("9999") or person.bank_account[4:].lstrip("X").startswith("99999999")
        assert person.card.startswith(("411111", "555555", "424242", "510510"))
        if person.resident_id is not None:
            assert person.resident_id.startswith("999999")
            assert not ric.is_valid(person.resident_id)
    for person in islice(crowd, 1000):
        in_use = phonenumbers.is_valid_number(phonenumbers.parse(person.phone, None))
        assert not in_use or person.phone.startswith(FICTION)


def test_a_note_names_the_person_and_fills_every_gap(crowd: list[Person]) -> None:
    for person in crowd:
        assert person.name in person.note
        assert not {"{", "}"} & set(person.note)


def test_two_people_in_a_hundred_have_a_face_of_length_one(crowd: list[Person]) -> None:
    faces = [person.face for person in crowd if person.face is not None]
    assert len(faces) == 200
    for face in faces:
        assert BUILT_IN.get("face_template").normalise(face) == face
        assert math.hypot(*struct.unpack("<512f", face)) == pytest.approx(1.0, abs=1e-5)
    assert len(set(faces)) == len(faces)


def test_names_have_han_characters_and_diacritics(crowd: list[Person]) -> None:
    letters = set("".join(person.name for person in crowd))
    assert set("王欧阳ßüłżñçéò") <= letters
