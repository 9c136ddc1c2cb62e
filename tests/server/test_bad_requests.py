"""What the edge does with requests that break the contract: a status, a reason, a text that helps, one event, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.harness import Caller
from tests.server.canaries import SUBJECT, VALUES
from tests.server.conftest import Served
from tests.server.refusal import refused
from tests.server.requests import ITEMS, METHODS, UNKNOWN_TOKEN, good, value

from vault.crypto.token import generate
from vault.errors import MAX_VIOLATIONS

Break = Callable[[Any], Any]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def caller(served: Served) -> Caller:
    caller = served.server.caller("all")
    caller.call(good("Tokenize"))  # the boot has announced itself, so that each call from now on leaves one event
    return caller


def test_a_good_request_of_each_method_keeps_the_contract(served: Served, caller: Caller) -> None:
    for method in METHODS:
        if method not in ("Reveal", "Verify", "Describe", "Update", "Delete"):
            caller.call(good(method))
        else:
            assert refused(lambda method=method: caller.call(good(method))).reason == "TOKEN_NOT_FOUND"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff", b"\x0a\x05\x0a\x03\xed\xa0\x80", b"\x0a\x04\x0a\x02\xc0\x80", b"\x0a\xff\xff\xff\xff\x0f"],
    ids=["no field", "a lone surrogate", "overlong UTF-8", "a length beyond the end"],
)
def test_bytes_that_are_no_request_are_refused(served: Served, caller: Caller, method: str, raw: bytes) -> None:
    refusal = served.check_refused(caller, (method, raw), "INVALID_ARGUMENT", "MALFORMED_REQUEST")
    assert f"vault.v1.{method}Request" in refusal.message


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_request_is_refused_and_told_what_it_lacks(served: Served, caller: Caller, method: str) -> None:
    refusal = served.check_refused(caller, (method, b""), "INVALID_ARGUMENT", "INVALID_FIELD")
    assert set(refusal.violations) == {"context"} | ({ITEMS[method]} if method in ITEMS else set())


@pytest.mark.parametrize("method", ITEMS)
def test_none_and_more_than_a_thousand_items_are_refused(served: Served, caller: Caller, method: str) -> None:
    for count in (0, 1001):
        request, name = good(method), ITEMS[method]
        field = getattr(request, name)
        template = "pho_" + "0" * 27 if name == "tokens" else field[0]
        del field[:]
        field.extend([f"{n:031}" for n in range(count)] if name == "tokens" else [template] * count)
        refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_FIELD")
        assert "1000" in refusal.violations[name] or "1 item" in refusal.violations[name]


def test_a_call_without_deadline_is_refused(served: Served, caller: Caller) -> None:
    refusal = served.check_refused(caller, good("Tokenize"), "INVALID_ARGUMENT", "DEADLINE_REQUIRED", timeout=None)
    assert "60 s" in refusal.message


def test_a_deadline_of_more_than_a_minute_is_refused(served: Served, caller: Caller) -> None:
    refusal = served.check_refused(caller, good("Tokenize"), "INVALID_ARGUMENT", "DEADLINE_TOO_LONG", timeout=62)
    assert "60 s" in refusal.message


def _first(change: Break) -> Break:
    return lambda request: change(request.items[0])


def _set(**fields: Any) -> Break:
    def change(message: Any) -> None:
        for name, new in fields.items():
            setattr(message, name, new)

    return change


def _context(**fields: Any) -> Break:
    return lambda request: _set(**fields)(request.context)


def _ttl(seconds: int, nanos: int = 0) -> Break:
    return _first(lambda item: _set(seconds=seconds, nanos=nanos)(item.ttl))


LONG = "x" * 65
BROKEN: dict[str, tuple[str, Break, str]] = {
    "no purpose": ("Reveal", _context(purpose=""), "context.purpose"),
    "a purpose in capitals": ("Reveal", _context(purpose="Payout"), "context.purpose"),
    "a purpose with a newline": ("Reveal", _context(purpose="payout\n"), "context.purpose"),
    "a person's name as purpose": ("Reveal", _context(purpose=VALUES["person_name"]), "context.purpose"),
    "no request_id": ("Reveal", _context(request_id=""), "context.request_id"),
    "a request_id that is no UUID": ("Reveal", _context(request_id=VALUES["cn_resident_id"]), "context.request_id"),
    "a ground in capitals": ("Reveal", _context(ground="GDPR"), "context.ground"),
    "a reference with spaces": ("Reveal", _context(reference=VALUES["free_text"]), "context.reference"),
    "a reference that is an e-mail": ("Reveal", _context(reference=VALUES["email"]), "context.reference"),
    "a reference of 65": ("Reveal", _context(reference=LONG), "context.reference"),
    "a recipient with spaces": ("Reveal", _context(recipient=VALUES["person_name"]), "context.recipient"),
    "a recipient with a NUL": ("Reveal", _context(recipient="a\0b"), "context.recipient"),
    "an unknown atomicity": ("Reveal", _set(atomicity=99), "atomicity"),
    "no subject_id": ("Tokenize", _first(_set(subject_id="")), "items[0].subject_id"),
    "a subject_id of 129 bytes": ("Tokenize", _first(_set(subject_id=SUBJECT + "é" * 54)), "items[0].subject_id"),
    "no data class": ("Tokenize", _first(_set(data_class="")), "items[0].data_class"),
    "a value as data class": ("Tokenize", _first(_set(data_class=VALUES["phone"])), "items[0].data_class"),
    "no value": ("Tokenize", _first(lambda item: item.ClearField("value")), "items[0].value"),
    "a value of no kind": ("Tokenize", _first(lambda item: item.value.ClearField("content")), "items[0].value.content"),
    "a text over 1 MiB": ("Tokenize", _first(lambda item: _set(text="x" * (MIB + 1))(item.value)), "items[0].value.text"),
    "bytes over 1 MiB": ("Tokenize", _first(lambda item: _set(data=bytes(MIB + 1))(item.value)), "items[0].value.data"),
    "17 purposes": ("Tokenize", _first(lambda i: i.purposes.extend(f"p{n}" for n in range(17))), "items[0].purposes"),
    "a purpose twice": ("Tokenize", _first(lambda i: i.purposes.extend(["a", "a"])), "items[0].purposes"),
    "a broken purpose": ("Tokenize", _first(lambda i: i.purposes.extend(["a", "B C"])), "items[0].purposes[1]"),
    "an unknown provenance": ("Tokenize", _first(_set(provenance=99)), "items[0].provenance"),
    "an unknown kind of token": ("Tokenize", _first(_set(token_kind=-1)), "items[0].token_kind"),
    "a ttl under 1 s": ("Tokenize", _ttl(0, 999_999_999), "items[0].ttl"),
    "a ttl over 100 years": ("Tokenize", _ttl(3_153_600_001), "items[0].ttl"),
    "a ttl of ages": ("Tokenize", _ttl(2**62), "items[0].ttl"),
    "a negative ttl": ("Tokenize", _ttl(-(2**62)), "items[0].ttl"),
    "over a million reveals": ("Tokenize", _first(_set(max_reveals=1_000_001)), "items[0].max_reveals"),
    "an unknown validation": ("Tokenize", _first(_set(validation=99)), "items[0].validation"),
    "a deterministic token that expires": (
        "Tokenize",
        _first(lambda item: (_set(token_kind=2)(item), _set(seconds=60)(item.ttl))),
        "items[0]",
    ),
    "a deterministic token that is limited": ("Tokenize", _first(_set(token_kind=2, max_reveals=1)), "items[0]"),
    "no token to reveal": ("Reveal", _first(_set(token="")), "items[0].token"),
    "a token of 65 to reveal": ("Reveal", _first(_set(token=LONG)), "items[0].token"),
    "an unknown form": ("Reveal", _first(lambda item: _set(kind=99)(item.form)), "items[0].form.kind"),
    "a partial form without a name": ("Reveal", _first(lambda item: _set(kind=3)(item.form)), "items[0].form"),
    "a name without a partial form": ("Reveal", _first(lambda item: _set(partial_name="last4")(item.form)), "items[0].form"),
    "a broken partial name": (
        "Reveal",
        _first(lambda item: _set(kind=3, partial_name=VALUES["phone"])(item.form)),
        "items[0].form.partial_name",
    ),
    "no token to verify": ("Verify", _first(_set(token="")), "items[0].token"),
    "no candidate": ("Verify", _first(lambda item: item.ClearField("value")), "items[0].value"),
    "a query for nothing": ("Search", lambda r: r.queries[0].ClearField("by"), "queries[0].by"),
    "a value of no class": ("Search", lambda r: r.queries[0].ClearField("data_class"), "queries[0]"),
    "a broken class to search": ("Search", lambda r: _set(data_class="A")(r.queries[1]), "queries[1].data_class"),
    "a subject_id of 129 to search": ("Search", lambda r: _set(subject_id="x" * 129)(r.queries[1]), "queries[1].subject_id"),
    "a page of 1001": ("Search", _set(page_size=1001), "page_size"),
    "a page token of 257": ("Search", lambda r: (r.queries.pop(), _set(page_token="x" * 257)(r)), "page_token"),
    "a page token of two queries": ("Search", _set(page_token="x"), "request"),
    "no token to describe": ("Describe", lambda r: r.tokens.append(""), "tokens[1]"),
    "a token of 65 to describe": ("Describe", lambda r: r.tokens.append(LONG), "tokens[1]"),
    "no token to update": ("Update", _first(_set(token="")), "items[0].token"),
    "no new value": ("Update", _first(lambda item: item.ClearField("value")), "items[0].value"),
    "an unknown validation of an update": ("Update", _first(_set(validation=3)), "items[0].validation"),
    "a token of 65 to delete": ("Delete", lambda r: r.tokens.append(LONG), "tokens[1]"),
    "a token to delete twice": ("Delete", lambda r: r.tokens.append(UNKNOWN_TOKEN), "tokens"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_request_that_breaks_a_rule_is_told_which(served: Served, caller: Caller, name: str) -> None:
    method, change, field = BROKEN[name]
    request = good(method)
    change(request)
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert set(refusal.violations) == {field}
    assert refusal.message == f"{field}: {refusal.violations[field]}"
    assert len(refusal.violations[field]) > 10


PERSONAL = {
    "an ID number": VALUES["cn_resident_id"],
    "an ID number behind a word": f"case-{VALUES['cn_resident_id']}",
    "a card": VALUES["payment_card"],
    "an account": VALUES["bank_account"],
    "a token": generate("pho"),
    "a token in a path": f"tickets/{generate('ema')}",
}


@pytest.mark.parametrize("field", ["reference", "recipient"])
@pytest.mark.parametrize("what", PERSONAL)
def test_a_reference_that_is_personal_data_is_refused_and_not_logged(served: Served, caller: Caller, what: str, field: str) -> None:
    request = good("Reveal")
    setattr(request.context, field, PERSONAL[what])
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "REFERENCE_LOOKS_PERSONAL")
    assert list(refusal.violations) == [f"context.{field}"]
    assert "ticket" in refusal.message


def test_of_many_broken_rules_twenty_arrive_whole(served: Served, caller: Caller) -> None:
    request = good("Tokenize")
    del request.items[:]
    for _ in range(100):
        request.items.add(data_class="X" * 200, provenance=99, token_kind=99, purposes=[f"A {n}" for n in range(16)])
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert len(refusal.violations) == MAX_VIOLATIONS


def test_a_request_of_millions_of_broken_elements_is_told_of_one(served: Served, caller: Caller) -> None:
    empty_items = good("ListDataClasses").SerializeToString() + b"\x12\x00" * 2_000_000
    refusal = served.check_refused(caller, ("Tokenize", empty_items), "INVALID_ARGUMENT", "INVALID_FIELD")
    assert set(refusal.violations) == {"items"}
    request = good("Tokenize")
    request.items[0].purposes.extend(["A"] * 500_000)
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert len(refusal.violations) == 1


def test_every_value_of_a_refused_batch_stays_out_of_the_answer(served: Served, caller: Caller) -> None:
    request = good("Tokenize")
    for data_class in VALUES:
        request.items.add(subject_id=SUBJECT, data_class=data_class, value=value("free_text"))
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_VALUE")
    assert "items[8].value" in refusal.violations
