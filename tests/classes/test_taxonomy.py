"""The taxonomy, and the personal values it recognises where only references belong."""

import re
import string
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.classes.phone import PHONE
from vault.classes.taxonomy import BUILT_IN, Taxonomy


def test_the_built_in_classes_are_listed_by_name_with_their_token_prefixes() -> None:
    assert [(known.name, known.token_prefix) for known in BUILT_IN] == [
        ("bank_account", "acc"),
        ("cn_resident_id", "rid"),
        ("email", "eml"),
        ("face_template", "fac"),
        ("free_text", "txt"),
        ("payment_card", "crd"),
        ("person_name", "nam"),
        ("phone", "pho"),
    ]
    assert len(BUILT_IN) == 8


def test_names_prefixes_and_forms_fit_the_contract() -> None:
    for known in BUILT_IN:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", known.name)
        assert re.fullmatch(r"[a-z]{2,4}", known.token_prefix)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,31}", form) for form in known.partial_forms)
        assert known.fingerprinted == (known.name not in {"free_text", "face_template"})
        assert known.max_bytes == {"free_text": 1 << 20, "face_template": 2048}.get(known.name, 512)


def test_an_unknown_class_is_none() -> None:
    assert BUILT_IN.get("no_such_class") is None
    assert BUILT_IN.get("phone") is PHONE


def test_another_edition_may_add_classes() -> None:
    work_phone = replace(PHONE, name="work_phone", token_prefix="wph")
    taxonomy = Taxonomy("2", [*BUILT_IN, work_phone])
    assert taxonomy.edition == "2"
    assert taxonomy.get("work_phone") is work_phone
    assert BUILT_IN.get("work_phone") is None


@pytest.mark.parametrize("clash", [{"name": "work_phone"}, {"token_prefix": "wph"}])
def test_classes_that_share_a_name_or_prefix_are_refused(clash: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its own"):
        Taxonomy("2", [PHONE, replace(PHONE, **clash)])


@pytest.mark.parametrize(
    "reference",
    [
        "TICKET-2026-001234",
        "INC0012345",
        "court/2026/123",
        "court:2026/AZ-12.345",
        "PROJ-123",
        "2026-11-21-12345",
        "2026-11-21T09:30:00",
        "TICKET-20261121093003",  # a time to the second that satisfies Luhn
        "1763712345679",  # and one in milliseconds
        "1763712345",
        "acme/payout/batch-7",
        "v1.2.3",
        "10.0.0.1",
        "partner:acme",
        "spiffe://pdvault.example/acme/principal/billing",
        "0123456789abcdef0123456789abcdef01234567",
        "case:550e8400-e29b-41d4-a716-446655440000",
        "550e8400-e29b-41d4-a716-a15412345678",  # ends as a mobile number would
        "999999190001010008",  # a wrong check character
        "4111111111111112",
        "DE00370400440532013000",
        "12345678901",
        "",
    ],
)
def test_references_pass(reference: str) -> None:
    assert BUILT_IN.recognises(reference) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("999999190001010007", "cn_resident_id"),
        ("99999919000101004x", "cn_resident_id"),
        ("case:999999190001010007", "cn_resident_id"),
        ("case-999999190001010007-2", "cn_resident_id"),
        ("ID999999190001010007", "cn_resident_id"),
        ("case:999999-19000101-0007", "cn_resident_id"),
        ("case-999999-19000101-0007", "cn_resident_id"),
        ("９９９９９９１９０００１０１０００７", "cn_resident_id"),
        ("4111111111111111", "payment_card"),
        ("pay/4111111111111111", "payment_card"),
        ("card-4111-1111-1111-1111", "payment_card"),
        ("3782-822463-10005", "payment_card"),
        ("anna@example.org", "email"),
        ("mailto:anna.schmidt@example.org", "email"),
        ("DE89370400440532013000", "bank_account"),
        ("iban:de89370400440532013000", "bank_account"),
        ("DE89 3704 0044 0532 0130 00", "bank_account"),
        ("+447700900123", "phone"),
        ("tel:+44-7700-900123", "phone"),
        ("15412345678", "phone"),
        ("call_15412345678", "phone"),
        ("154-1234-5678", "phone"),
    ],
)
def test_personal_values_are_recognised_also_behind_a_prefix(text: str, name: str) -> None:
    assert BUILT_IN.recognises(text) == name


@given(st.uuids(), st.sampled_from(["{}", "case:{}", "req/{}/2", "{}-{}"]))
def test_uuids_always_pass(value: uuid.UUID, shape: str) -> None:
    assert BUILT_IN.recognises(shape.format(value, value)) is None
    assert BUILT_IN.recognises(shape.format(value, value).upper()) is None


@settings(deadline=None)
@given(
    st.from_regex(r"[A-Z]{2,8}[-/:_.]20[0-9]{2}[-/:_.]?[0-9]{1,6}", fullmatch=True)
    | st.from_regex(r"[A-Z]{3}[0-9]{7}", fullmatch=True)
)
def test_numbered_tickets_always_pass(reference: str) -> None:
    assert BUILT_IN.recognises(reference) is None


@given(st.text(st.characters(), max_size=200) | st.text(string.digits + "Xx+-:./_@ ", max_size=64))
def test_any_text_gets_an_answer(text: str) -> None:
    assert BUILT_IN.recognises(text) in {None, *(known.name for known in BUILT_IN)}


@pytest.mark.parametrize("pattern", ["1", "-", "1-", "a:", "1:1-", "5", "a1.", "+1-", "@."])
def test_hostile_text_of_4_kib_is_answered(pattern: str) -> None:
    assert BUILT_IN.recognises((pattern * 4096)[:4096]) is None
