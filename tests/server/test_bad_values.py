"""What callers get who give a value that is not of its class: the field, the rule, and never the value."""

import pytest
from tests.harness import Caller, context
from tests.server.canaries import SUBJECT, VALUES, traces
from tests.server.conftest import Served
from tests.server.refusal import read
from tests.server.requests import good, tokenize, value

from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1

Value = common_pb2.Value
ID_NUMBER, CARD = str(VALUES["cn_resident_id"]), str(VALUES["payment_card"])
INVALID: dict[str, tuple[str, Value, str]] = {
    "an ID number with a wrong check character": ("cn_resident_id", Value(text=ID_NUMBER[:-1] + "X"), "check character"),
    "an ID number of the 13th month": ("cn_resident_id", Value(text="999999198313140018"), "date"),
    "an ID number that lacks a digit": ("cn_resident_id", Value(text=ID_NUMBER[1:]), "17 digits"),
    "a card with a wrong check digit": ("payment_card", Value(text=CARD[:-1] + "2"), "Luhn"),
    "an IBAN with wrong check digits": ("bank_account", Value(text="GB30NWBK60161331926819"), "IBAN"),
    "an e-mail without a domain": ("email", Value(text="canary.quillfeather@"), "e-mail"),
    "a phone without a country": ("phone", Value(text="07700 900815"), "country"),
    "a name without a letter": ("person_name", Value(text="4711 0815"), "letter"),
    "a template of 511 numbers": ("face_template", Value(data=bytes(VALUES["face_template"])[4:]), "512"),
    "a template that is text": ("face_template", value("free_text"), "bytes"),
    "a phone that is bytes": ("phone", value("face_template"), "text"),
    "an empty text": ("free_text", Value(text=""), "1 to"),
    "a name of 512 bytes and one": ("person_name", Value(text="Quillfeather" * 42 + "Zebedeefy"), "512"),
    "an ID number with a NUL": ("cn_resident_id", Value(text=ID_NUMBER + "\0"), "17 digits"),
    "an e-mail with a NUL": ("email", Value(text="canary\0quillfeather@example.org"), "e-mail"),
    "a name with a NUL": ("person_name", Value(text="Zebedee\0Quillfeather"), "control"),
}


@pytest.fixture(scope="module")
def caller(served: Served) -> Caller:
    caller = served.server.caller("all")
    caller.call(good("Tokenize"))
    return caller


@pytest.mark.parametrize("method", ["Tokenize", "Search"])
@pytest.mark.parametrize("name", INVALID)
def test_a_value_that_is_not_of_its_class_is_refused(served: Served, caller: Caller, name: str, method: str) -> None:
    data_class, bad, rule = INVALID[name]
    request: v1.TokenizeRequest | v1.SearchRequest = tokenize(data_class, value=bad)
    if method == "Search":
        request = v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class=data_class, value=bad)])
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_VALUE")
    (field,) = refusal.violations
    assert field == ("items[0].value" if method == "Tokenize" else "queries[0].value")
    assert rule in refusal.violations[field]
    assert data_class in refusal.message
    assert rule in refusal.message
    content = bad.text.encode() or bad.data
    assert not content or not traces(refusal.everything, content)


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 2 * 1024 * 1024])
def test_free_text_of_more_than_a_mebibyte_is_refused(served: Served, caller: Caller, size: int) -> None:
    request = tokenize("free_text", value=Value(text="q" * size))
    assert "items[0].value.text" in served.check_refused(caller, request, "INVALID_ARGUMENT", "INVALID_FIELD").violations


def test_a_class_that_nobody_knows_is_refused_and_told_where_classes_are_named(served: Served, caller: Caller) -> None:
    for request in (
        v1.TokenizeRequest(
            context=context(), items=[v1.TokenizeItem(subject_id=SUBJECT, data_class="shoe_size", value=value("phone"))]
        ),
        v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class="shoe_size", value=value("phone"))]),
        v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class="shoe_size", subject_id=SUBJECT)]),
    ):
        refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "UNKNOWN_DATA_CLASS")
        assert "ListDataClasses" in refusal.message


def test_what_has_no_fingerprint_is_neither_deterministic_nor_found_nor_compared(served: Served, caller: Caller) -> None:
    text = caller.call(tokenize("free_text")).results[0].token
    lenient = caller.call(tokenize("phone", value=Value(text="unknown"), validation=common_pb2.VALIDATION_LENIENT))
    requests = [
        tokenize("free_text", token_kind=v1.TOKEN_KIND_DETERMINISTIC),
        tokenize("face_template", token_kind=v1.TOKEN_KIND_DETERMINISTIC),
        v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class="free_text", value=value("free_text"))]),
        v1.VerifyRequest(context=context(), items=[v1.VerifyItem(token=text, value=value("free_text"))]),
        v1.VerifyRequest(context=context(), items=[v1.VerifyItem(token=lenient.results[0].token, value=value("phone"))]),
    ]
    for request in requests:
        served.check_refused(caller, request, "INVALID_ARGUMENT", "NO_FINGERPRINT")


def test_with_per_item_each_bad_value_has_its_own_status_and_no_trace(served: Served, caller: Caller) -> None:
    request = v1.TokenizeRequest(context=context(), atomicity=common_pb2.ATOMICITY_PER_ITEM)
    for data_class, bad, _ in INVALID.values():
        request.items.add(subject_id=SUBJECT, data_class=data_class, value=bad)
    request.items.add(subject_id=SUBJECT, data_class="phone", value=value("phone"))
    leaves = served.ledger.leaves()
    response = caller.call(request)
    assert [read(result.error).reason for result in response.results] == ["INVALID_VALUE"] * len(INVALID) + [""]
    assert [result.token != "" for result in response.results] == [False] * len(INVALID) + [True]
    (event,) = served.ledger.events(leaves)
    assert not traces(response.SerializeToString() + event.SerializeToString())
