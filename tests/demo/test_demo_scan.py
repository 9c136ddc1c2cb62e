"""The demo's scanner finds what it looks for, wherever and in whatever form it lies, and nothing else."""

import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from deploy.demo.people import people
from deploy.demo.plaintexts import plaintexts
from deploy.demo.scan import MAX_BYTES, MIN_BYTES, Scanner
from hypothesis import given
from hypothesis import strategies as st

CHUNK = 1 << 20

TEXTS = {
    "phone": b"+447700900123",
    "name of six bytes": "王伟".encode(),
    "name": "Małgorzata Łukaszewicz".encode(),
    "sentence": ("何明的母亲代为办理，已提交授权委托书，等待复核。" * 3).encode(),
    "face": bytes(range(256)) * 8,
}

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda text: text,
    "hexadecimal": lambda text: text.hex().encode(),
    "HEXADECIMAL": lambda text: text.hex().upper().encode(),
    "base64": b64encode,
    "base64 behind one byte": lambda text: b64encode(b"x" + text + b"yz"),
    "base64 behind two bytes": lambda text: b64encode(b"xy" + text + b"z"),
    "base64 for URLs": urlsafe_b64encode,
    "a representation": lambda text: repr(text).encode(),
}


def scanner_for(*texts: bytes) -> Scanner:
    scanner = Scanner()
    for text in texts:
        scanner.add(text, "it")
    return scanner


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 5, 6, 7])
def test_a_text_is_found_in_every_form_at_every_place(form: str, name: str, before: int) -> None:
    data = secrets.token_bytes(before) + FORMS[form](TEXTS[name]) + secrets.token_bytes(5)
    found = scanner_for(*TEXTS.values()).find(data)
    assert {label for _, label in found} == {"it"}
    assert before <= found[0][0] <= before + 4


@pytest.mark.parametrize("name", ["phone", "name", "sentence"])
def test_a_text_is_found_as_json_escapes_it(name: str) -> None:
    assert scanner_for(TEXTS[name]).find(json.dumps({"event": TEXTS[name].decode()}).encode())


@pytest.mark.parametrize(
    "before", [CHUNK - 100, CHUNK - MAX_BYTES - 1, CHUNK - MAX_BYTES, CHUNK - 7, CHUNK - 1, CHUNK, 3 * CHUNK - 5]
)
def test_a_text_is_found_once_across_the_borders_of_what_is_read_at_a_time(before: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(before) + TEXTS["phone"] + bytes(CHUNK))
    (hit,) = scanner_for(TEXTS["phone"]).scan(path)
    assert (hit.path, hit.offset, hit.label) == (path, before, "it")


@pytest.mark.parametrize("size", [0, 1, MIN_BYTES - 1, CHUNK, 2 * CHUNK - MAX_BYTES])
def test_a_file_of_any_size_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    assert list(scanner_for(TEXTS["phone"]).scan(path)) == []
    path.write_bytes(bytes(size) + TEXTS["phone"])
    assert [hit.offset for hit in scanner_for(TEXTS["phone"]).scan(path)] == [size]


@pytest.mark.parametrize("name", ["sentence", "face"])
@pytest.mark.parametrize("cut", [40, 80, 120])
def test_a_long_text_is_found_when_a_page_ends_in_its_middle(name: str, cut: int) -> None:
    text = TEXTS[name]
    assert scanner_for(text).find(text[:cut] + b"\0" * 16 + text[cut:])
    assert scanner_for(text).find(text[-cut:])


@given(st.binary(min_size=MIN_BYTES, max_size=200), st.binary(max_size=100), st.binary(max_size=100))
def test_any_text_is_found_between_any_others(text: bytes, before: bytes, after: bytes) -> None:
    scanner = scanner_for(text)
    for form in FORMS.values():
        assert scanner.find(before + form(text) + after)


@given(st.lists(st.binary(min_size=MIN_BYTES, max_size=60), max_size=5), st.binary(max_size=300))
def test_what_is_found_as_it_is_is_what_a_simple_search_finds(texts: list[bytes], data: bytes) -> None:
    short = [text for text in texts if len(text) <= MAX_BYTES]
    found = dict(scanner_for(*short).find(data))
    assert all(found.get(data.find(text)) for text in short if text in data)


def test_among_random_bytes_nothing_is_found() -> None:
    scanner = Scanner()
    for text, label in plaintexts(people(1, 200)):
        scanner.add(text, label)
    assert scanner.find(secrets.token_bytes(4 * CHUNK)) == []


def test_a_text_too_short_to_be_told_from_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="6 bytes"):
        Scanner().add(b"12345", "it")


def test_a_scanner_that_misses_something_says_how_much() -> None:
    assert scanner_for(*TEXTS.values()).misses(TEXTS.values()) == 0
    assert scanner_for(TEXTS["phone"]).misses([TEXTS["name"]]) > 0


def test_every_value_of_a_person_is_among_the_plaintexts() -> None:
    (person,) = people(1, 1)
    found = {text for text, _ in plaintexts([person])}
    expected = [person.name, person.resident_id, person.phone, person.email, person.bank_account, person.card, person.note]
    assert {str(text).encode() for text in expected} <= found
    assert person.face in found
