"""What must hold for every data class, shown with values that its own strategy makes."""

import struct
from datetime import date
from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.cn import ric

from vault.classes.data_class import MASK_ILL_FORMED, DataClass, InvalidValueError, Value, check
from vault.classes.taxonomy import BUILT_IN


def _digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


def _resident_id(born: date, order: str) -> str:
    number = f"999999{born:%Y%m%d}{order}0"
    return number[:17] + ric.calc_check_digit(number)


def _german_iban(bban: str) -> str:
    return "DE" + iban.calc_check_digits("DE00" + bban) + bban


def _card(number: str) -> str:
    return number + luhn.calc_check_digit(number)


_WORDS = st.text(st.characters(categories=("L",), include_characters="'-."), min_size=1, max_size=12)
_VALID: dict[str, st.SearchStrategy[Value]] = {
    "person_name": st.lists(_WORDS, min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda name: any(character.isalpha() for character in name)),
    "cn_resident_id": st.builds(_resident_id, st.dates(date(1850, 1, 1), date(2150, 12, 31)), _digits(3, 3)),
    "phone": st.one_of(
        _digits(9, 9).map(lambda tail: "15" + tail),
        _digits(3, 3).map(lambda tail: "+44 7700 900" + tail),
        _digits(4, 4).map(lambda tail: "+33 6 39 98 " + tail),
        st.just("+683 4000"),
    ),
    "email": st.from_regex(r"[A-Za-zé0-9]{1,20}(\.[a-z0-9]{1,9})?@[A-Za-zü]{1,9}\.example\.org", fullmatch=True),
    "bank_account": st.one_of(_digits(6, 32), _digits(18, 18).map(_german_iban)),
    "payment_card": st.builds(lambda first, rest: _card(first + rest), st.sampled_from("123456789"), _digits(10, 17)),
    "free_text": st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=200),
    "face_template": st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=8, max_size=8).map(
        lambda part: struct.pack("<512f", *part * 64)
    ),
}
_REVEALED_AT_MOST = {
    "person_name": 2,
    "cn_resident_id": 4,
    "phone": 4,
    "email": 2 + len("org"),
    "bank_account": 4,
    "payment_card": 4,
}
_TEXT = [known for known in BUILT_IN if known.kind == "text"]
_NUMBERS = ["cn_resident_id", "phone", "bank_account", "payment_card"]

every_class = pytest.mark.parametrize("known", list(BUILT_IN), ids=lambda known: known.name)
every_text_class = pytest.mark.parametrize("known", _TEXT, ids=lambda known: known.name)
any_text = st.text(st.characters(), min_size=1, max_size=300)


def _full_width(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def _refusal(known: DataClass, value: Value) -> InvalidValueError | None:
    try:
        known.normalise(value)
    except InvalidValueError as error:
        return error
    return None


def test_each_class_of_the_taxonomy_has_a_strategy() -> None:
    assert set(_VALID) == {known.name for known in BUILT_IN}


@every_class
@settings(deadline=None)
@given(data=st.data())
def test_normalising_twice_is_normalising_once(known: DataClass, data: st.DataObject) -> None:
    once = known.normalise(data.draw(_VALID[known.name]))
    assert known.normalise(once.decode() if known.kind == "text" else once) == once


@pytest.mark.parametrize("known", [known for known in _TEXT if known.fingerprinted], ids=lambda known: known.name)
@settings(deadline=None)
@given(data=st.data())
def test_width_surrounding_space_and_compatibility_variants_do_not_make_a_difference(known: DataClass, data: st.DataObject) -> None:
    value = data.draw(_VALID[known.name])
    assert isinstance(value, str)
    assert known.normalise("\u3000" + _full_width(value) + " ") == known.normalise(value)


@every_class
@settings(deadline=None)
@given(data=st.data())
def test_a_mask_is_never_the_value_and_reveals_little(known: DataClass, data: st.DataObject) -> None:
    value = data.draw(_VALID[known.name])
    mask = known.mask(value)
    if known.fingerprinted:
        assert sum(character not in "*@. " for character in mask) <= _REVEALED_AT_MOST[known.name]
        assert known.mask(value) != value
    else:
        assert mask == known.mask("another" if known.kind == "text" else bytes(2048))


@pytest.mark.parametrize("name", _NUMBERS)
@settings(deadline=None)
@given(data=st.data())
def test_what_mask_and_forms_show_together_leaves_digits_hidden(name: str, data: st.DataObject) -> None:
    known = BUILT_IN.get(name)
    assert known is not None
    value = data.draw(_VALID[name])
    canonical = known.normalise(value).decode()
    last4 = known.partial_forms["last4"](value)
    assert known.mask(value) == "****" + last4
    assert canonical.endswith(last4.strip("*"))
    assert len(canonical) - len(last4.strip("*")) >= 4
    assert len(last4) == 4


@every_class
@settings(deadline=None)
@given(data=st.data())
def test_no_partial_form_is_the_value(known: DataClass, data: st.DataObject) -> None:
    value = data.draw(_VALID[known.name])
    for form in known.partial_forms.values():
        try:
            shown = form(value)
        except InvalidValueError:  # a bank account of digits has no country
            continue
        assert shown != value
        assert shown.encode() != known.normalise(value)


@every_text_class
@settings(deadline=None)
@given(text=any_text)
def test_any_text_is_read_or_refused_without_being_quoted(known: DataClass, text: str) -> None:
    error = _refusal(known, text)
    mask = known.mask(text)
    if error is None:
        return
    assert error.args == (error.rule,)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(text) < 8 or text not in f"{error} {error!r}"
    if known.fingerprinted:
        assert mask == MASK_ILL_FORMED == known.mask_ill_formed
    for form in known.partial_forms.values():
        with pytest.raises(InvalidValueError):
            form(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("person_name", "Planted4711*"),
        ("person_name", "Planted4711\x00"),
        ("person_name", "Planted4711\ue000"),
        ("cn_resident_id", "Planted4711"),
        ("cn_resident_id", "999999471113010007"),
        ("cn_resident_id", "999999190047110007"),
        ("phone", "+Planted4711"),
        ("phone", "+999 4711 4711"),
        ("phone", "+4904711471147"),
        ("email", "Planted4711"),
        ("email", "Planted4711@exa mple.org"),
        ("email", '"Planted4711"@example.org'),
        ("email", "Planted4711@xn--4711.example.org"),
        ("email", "anna@Planted4711..example.org"),
        ("bank_account", "DE00Planted4711"),
        ("bank_account", "ZZ00471147114711"),
        ("bank_account", "DE89370400440532014711"),
        ("payment_card", "Planted4711"),
        ("payment_card", "4711471147114712"),
        ("free_text", "Planted4711\ud800"),
        ("free_text", b"Planted4711"),
        ("face_template", "Planted4711"),
        ("face_template", b"Planted4711"),
        ("face_template", struct.pack("<512f", *[float("nan")] * 512)),
    ],
)
def test_a_refusal_holds_nothing_of_the_value(name: str, value: Value) -> None:
    known = BUILT_IN.get(name)
    assert known is not None
    error = _refusal(known, value)
    assert error is not None
    told = f"{error} {error!r} {error.args} {vars(error)} {error.__cause__!r} {error.__context__!r}"
    assert "4711" not in told
    assert "Planted" not in told
    assert "4711" not in known.mask(value)


@every_class
def test_values_that_are_empty_too_long_or_of_the_other_kind_are_refused(known: DataClass) -> None:
    values: list[Value] = ["", "x" * (known.max_bytes + 1), "\ud800", b"x"]
    if known.kind == "bytes":
        values = [b"", bytes(known.max_bytes + 1), "x"]
    for refused in values:
        assert _refusal(known, refused) is not None
        with pytest.raises(InvalidValueError):
            check(known, refused)


@every_text_class
def test_text_is_measured_in_bytes_up_to_its_limit(known: DataClass) -> None:
    check(known, "é" * (known.max_bytes // 2))
    with pytest.raises(InvalidValueError):
        check(known, "é" * (known.max_bytes // 2) + "e")


def test_an_ill_formed_value_of_the_right_kind_and_size_passes_check_alone() -> None:
    known = BUILT_IN.get("cn_resident_id")
    assert known is not None
    check(known, "unknown")
    assert _refusal(known, "unknown") is not None


@every_text_class
@pytest.mark.parametrize(
    "pattern", ["1", "a", "+1", "-", " ", "(", "a@", "a.", "@", "é", "\u0301", "\ufdfa", "１", "DE", "xn--", "张"]
)
def test_hostile_text_of_4_kib_is_answered(known: DataClass, pattern: str) -> None:
    hostile = (pattern * 4096).encode()[:4096].decode(errors="ignore")
    _refusal(known, hostile)
    assert hostile not in known.mask(hostile)


@every_class
def test_every_combination_of_partial_forms_is_counted(known: DataClass) -> None:
    names = sorted(known.partial_forms)
    expected = {frozenset(chosen) for size in range(len(names)) for chosen in combinations(names, size + 1)}
    assert set(known.remaining) == expected
    assert known.mask_reveals <= set(names)


@every_class
def test_the_mask_and_each_partial_form_alone_stay_above_the_floor(known: DataClass) -> None:
    assert not known.form_is_plain([])
    for name in known.partial_forms:
        assert not known.form_is_plain([name])


@every_class
def test_a_combination_nobody_counted_is_plain(known: DataClass) -> None:
    assert known.form_is_plain(["no_such_form"])


@settings(deadline=None)
@given(st.emails())
def test_addresses_of_every_shape_keep_one_canonical_form(address: str) -> None:
    email = BUILT_IN.get("email")
    assert email is not None
    assume(_refusal(email, address) is None)
    once = email.normalise(address)
    assert email.normalise(once.decode()) == once == email.normalise(address.upper())


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cn", "Co", "Cs")), max_size=100))
def test_names_of_every_script_keep_one_canonical_form(text: str) -> None:
    name = BUILT_IN.get("person_name")
    assert name is not None
    assume(_refusal(name, "a" + text) is None)
    once = name.normalise("a" + text)
    assert name.normalise(once.decode()) == once
