"""Each method sends what its caller said, and answers what the vault said."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf import timestamp_pb2

from pdvault_client import (
    Atomicity,
    Candidate,
    DataClass,
    Description,
    Form,
    FormKind,
    IssuedToken,
    NewValue,
    Provenance,
    Replacement,
    Revealed,
    RevealItem,
    SubjectQuery,
    Taxonomy,
    TokenKind,
    TokenNotFoundError,
    Validation,
    ValueQuery,
    VaultError,
)
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2, vault_service_pb2

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
STAMP = timestamp_pb2.Timestamp(seconds=int(NOW.timestamp()))
REQUEST_ID = "0d9d5a9e-6f0c-4b0e-8a5e-0c7d1f0b6a11"
NOT_FOUND = ServerError(common_pb2.ERROR_REASON_TOKEN_NOT_FOUND, "no such token").to_status()


def issue(request):
    results = [{"token": f"eml_{item.value.text}"} for item in request.items]
    return vault_service_pb2.TokenizeResponse(results=results)


def reveal(request):
    results = [{"value": {"text": f"value of {item.token}"}, "form": item.form} for item in request.items]
    return vault_service_pb2.RevealResponse(results=results)


def test_tokenize_sends_every_field_and_answers_tokens_with_their_expiry(client, scripted):
    answer = vault_service_pb2.TokenizeResponse(results=[{"token": "eml_A", "expire_time": STAMP}, {"token": "fac_B"}])
    scripted.script("Tokenize", answer)
    items = [
        NewValue(
            "customer-17",
            "email",
            "li@example.org",
            purposes=("payout", "support"),
            provenance=Provenance.PARTNER,
            token_kind=TokenKind.RANDOM,
            ttl=datetime.timedelta(days=2, milliseconds=1500),
            max_reveals=3,
            validation=Validation.LENIENT,
        ),
        NewValue("customer-18", "face_template", b"\x00\xff", token_kind=TokenKind.DETERMINISTIC),
    ]
    results = client.tokenize(
        items,
        atomicity=Atomicity.PER_ITEM,
        purpose="support",
        request_id=REQUEST_ID,
        ground="contract",
        reference="T-1",
        recipient="acme",
    )
    assert list(results) == [IssuedToken("eml_A", NOW), IssuedToken("fac_B")]
    assert scripted.requests() == [
        vault_service_pb2.TokenizeRequest(
            context={
                "purpose": "support",
                "request_id": REQUEST_ID,
                "ground": "contract",
                "reference": "T-1",
                "recipient": "acme",
            },
            items=[
                {
                    "subject_id": "customer-17",
                    "data_class": "email",
                    "value": {"text": "li@example.org"},
                    "purposes": ["payout", "support"],
                    "provenance": common_pb2.PROVENANCE_PARTNER,
                    "token_kind": vault_service_pb2.TOKEN_KIND_RANDOM,
                    "ttl": {"seconds": 2 * 86400 + 1, "nanos": 500_000_000},
                    "max_reveals": 3,
                    "validation": common_pb2.VALIDATION_LENIENT,
                },
                {
                    "subject_id": "customer-18",
                    "data_class": "face_template",
                    "value": {"data": b"\x00\xff"},
                    "provenance": common_pb2.PROVENANCE_SUBJECT,
                    "token_kind": vault_service_pb2.TOKEN_KIND_DETERMINISTIC,
                    "validation": common_pb2.VALIDATION_STRICT,
                },
            ],
            atomicity=common_pb2.ATOMICITY_PER_ITEM,
        )
    ]


def test_tokenize_one_answers_the_token(client, scripted):
    scripted.script("Tokenize", issue)
    assert client.tokenize_one("customer-17", "email", "li@example.org") == "eml_li@example.org"


def test_tokenize_many_pairs_items_and_tokens_over_batches_that_are_calls_of_their_own(client, scripted):
    scripted.script("Tokenize", issue)
    items = [NewValue("customer-17", "email", f"li{n}@example.org") for n in range(7)]
    assert list(client.tokenize_many(iter(items), batch_size=3)) == [(item, f"eml_{item.value}") for item in items]
    assert [len(request.items) for request in scripted.requests()] == [3, 3, 1]
    assert len({request.context.request_id for request in scripted.requests()}) == 3


@pytest.mark.parametrize("batch_size", [0, -1, 1001])
def test_tokenize_many_refuses_batches_that_are_no_call(client, batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        list(client.tokenize_many([], batch_size=batch_size))


def test_reveal_asks_for_masked_unless_told_otherwise(client, scripted):
    scripted.script("Reveal", reveal)
    results = client.reveal(["eml_A", RevealItem("eml_B", Form.partial("domain")), RevealItem("eml_C", Form.PLAIN)])
    assert [result.form for result in results] == [Form.MASKED, Form.partial("domain"), Form.PLAIN]
    assert [result.text for result in results] == ["value of eml_A", "value of eml_B", "value of eml_C"]
    client.reveal(["eml_A"], form=Form.PLAIN)
    assert scripted.requests()[1].items[0].form.kind == common_pb2.FORM_KIND_PLAIN


def test_reveal_one_gives_bytes_as_bytes_and_not_as_text(client, scripted):
    scripted.script(
        "Reveal", vault_service_pb2.RevealResponse(results=[{"value": {"data": b"\x00"}, "data_class": "face_template"}])
    )
    revealed = client.reveal_one("fac_A", form=Form.PLAIN)
    assert revealed.value == b"\x00"
    with pytest.raises(TypeError, match="face_template"):
        _ = revealed.text


def test_an_empty_value_is_a_value(client, scripted):
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=[{"value": {"text": ""}}]))
    assert client.reveal_one("txt_A").value == ""


def test_a_form_newer_than_the_client_is_unknown(client, scripted):
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=[{"value": {"text": "x"}, "form": {"kind": 99}}]))
    assert client.reveal_one("txt_A").form == Form(FormKind.UNKNOWN)


def test_verify_answers_yes_or_no(client, scripted):
    scripted.script("Verify", vault_service_pb2.VerifyResponse(results=[{"matches": True}, {"matches": False}]))
    candidates = [Candidate("eml_A", "li@example.org"), Candidate("eml_B", b"\x01")]
    assert list(client.verify(candidates)) == [True, False]
    assert [item.value for item in scripted.requests()[0].items] == [
        common_pb2.Value(text="li@example.org"),
        common_pb2.Value(data=b"\x01"),
    ]


def test_verify_one_answers_one(client, scripted):
    scripted.script("Verify", vault_service_pb2.VerifyResponse(results=[{"matches": False}]))
    assert client.verify_one("eml_A", "li@example.org") is False


DESCRIPTION = {
    "token": "eml_A",
    "subject_id": "customer-17",
    "data_class": "email",
    "revision": 2,
    "purposes": ["payout"],
    "provenance": common_pb2.PROVENANCE_USAGE,
    "ill_formed": True,
    "create_time": STAMP,
    "update_time": STAMP,
    "expire_time": STAMP,
    "max_reveals": 5,
    "reveals_used": 1,
}
DESCRIBED = Description("eml_A", "customer-17", "email", 2, ("payout",), Provenance.USAGE, True, NOW, NOW, NOW, 5, 1)


def test_describe_answers_everything_known(client, scripted):
    scripted.script("Describe", vault_service_pb2.DescribeResponse(results=[{"description": DESCRIPTION}]))
    assert list(client.describe(["eml_A"])) == [DESCRIBED]
    assert scripted.requests()[0].tokens == ["eml_A"]


def test_search_asks_both_kinds_of_question(client, scripted):
    page = {"items": [DESCRIPTION], "next_page_token": "p2"}
    scripted.script("Search", vault_service_pb2.SearchResponse(results=[page, {}]))
    first, second = client.search([ValueQuery("email", "li@example.org"), SubjectQuery("customer-17")], page_size=10)
    assert (first.items, first.next_page_token) == ((DESCRIBED,), "p2")
    assert (second.items, second.next_page_token) == ((), "")
    request = scripted.requests()[0]
    assert request.page_size == 10
    assert [query.WhichOneof("by") for query in request.queries] == ["value", "subject_id"]


@pytest.mark.parametrize(
    ("ask", "query"),
    [
        (
            lambda c: c.search_by_value("email", "li@example.org", page_size=2),
            {"data_class": "email", "value": {"text": "li@example.org"}},
        ),
        (lambda c: c.search_by_subject("customer-17", page_size=2), {"subject_id": "customer-17"}),
        (lambda c: c.search_by_subject("customer-17", "email", page_size=2), {"data_class": "email", "subject_id": "customer-17"}),
    ],
)
def test_search_iterates_over_pages_asking_the_same_question_anew(client, scripted, ask, query):
    pages = [([], "p2"), ([{"token": "a"}, {"token": "b"}], "p3"), ([{"token": "c"}], "")]
    scripted.script(
        "Search",
        *(vault_service_pb2.SearchResponse(results=[{"items": items, "next_page_token": token}]) for items, token in pages),
    )
    assert [found.token for found in ask(client)] == ["a", "b", "c"]
    assert [request.page_token for request in scripted.requests()] == ["", "p2", "p3"]
    assert all(list(r.queries) == [vault_service_pb2.SearchQuery(**query)] for r in scripted.requests())
    assert {request.page_size for request in scripted.requests()} == {2}
    assert len({request.context.request_id for request in scripted.requests()}) == 3


def test_search_fetches_no_page_before_it_is_needed(client, scripted):
    page = {"items": [{"token": "a"}, {"token": "b"}], "next_page_token": "p2"}
    scripted.script("Search", vault_service_pb2.SearchResponse(results=[page]))
    found = client.search_by_subject("customer-17")
    assert scripted.received == []
    assert [next(found).token, next(found).token] == ["a", "b"]
    assert len(scripted.received) == 1


def test_update_answers_revisions(client, scripted):
    scripted.script("Update", vault_service_pb2.UpdateResponse(results=[{"revision": 3}]))
    replacement = Replacement("eml_A", "li@example.org", expected_revision=2, validation=Validation.LENIENT)
    assert list(client.update([replacement])) == [3]
    assert list(scripted.requests()[0].items) == [
        vault_service_pb2.UpdateItem(
            token="eml_A", value={"text": "li@example.org"}, expected_revision=2, validation=common_pb2.VALIDATION_LENIENT
        )
    ]


def test_delete_answers_nothing_for_each_token(client, scripted):
    scripted.script("Delete", vault_service_pb2.DeleteResponse(results=[{}, {}]))
    assert list(client.delete(["eml_A", "eml_B"])) == [None, None]
    assert scripted.requests()[0].tokens == ["eml_A", "eml_B"]


def test_list_data_classes_answers_the_taxonomy(client, scripted):
    fields = {
        "name": "email",
        "title": "E-mail address",
        "sensitivity": "normal",
        "kind": "text",
        "token_prefix": "eml",
        "fingerprinted": True,
        "partial_forms": ["domain"],
        "max_bytes": 254,
    }
    scripted.script("ListDataClasses", vault_service_pb2.ListDataClassesResponse(edition="2026-01", data_classes=[fields]))
    expected = DataClass(**(fields | {"partial_forms": ("domain",)}))
    assert client.list_data_classes() == Taxonomy("2026-01", (expected,))


def test_each_call_has_a_new_uuid_and_the_clients_purpose(client, scripted):
    scripted.script("ListDataClasses", vault_service_pb2.ListDataClassesResponse())
    client.list_data_classes()
    client.list_data_classes()
    contexts = [request.context for request in scripted.requests()]
    assert [context.purpose for context in contexts] == ["payout", "payout"]
    assert len({uuid.UUID(context.request_id) for context in contexts}) == 2


def test_a_call_without_any_purpose_is_refused_before_it_is_sent(connect, scripted):
    with pytest.raises(ValueError, match="purpose"):
        connect(purpose=None).list_data_classes()
    assert scripted.received == []


def test_per_item_gives_each_item_its_value_or_its_error(client, scripted):
    results = [{"value": {"text": "x"}, "data_class": "email"}, {"error": NOT_FOUND}]
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=results))
    found = client.reveal(["eml_A", "eml_B"], atomicity=Atomicity.PER_ITEM, request_id=REQUEST_ID)
    good, bad = found.outcomes
    assert good.value == found[0] == Revealed("x", Form(FormKind.UNKNOWN), "email")
    assert bad.value is None
    assert type(bad.error) is TokenNotFoundError
    assert bad.error.request_id == REQUEST_ID


def test_a_failed_item_cannot_be_taken_for_a_result(client, scripted):
    scripted.script("Delete", vault_service_pb2.DeleteResponse(results=[{}, {"error": NOT_FOUND}]))
    found = client.delete(["eml_A", "eml_B"], atomicity=Atomicity.PER_ITEM)
    assert found[0] is None
    for take in (lambda: found[1], lambda: list(found), lambda: found[1:][0]):
        with pytest.raises(TokenNotFoundError):
            take()


def test_with_all_or_nothing_an_item_that_failed_after_all_fails_the_call(client, scripted):
    scripted.script("Delete", vault_service_pb2.DeleteResponse(results=[{}, {"error": NOT_FOUND}]))
    with pytest.raises(TokenNotFoundError):
        client.delete(["eml_A", "eml_B"])


@pytest.mark.parametrize("results", [[], [{"token": "eml_A"}], [{"token": "eml_A"}] * 3])
def test_results_that_do_not_fit_their_items_are_an_error(client, scripted, results):
    scripted.script("Tokenize", vault_service_pb2.TokenizeResponse(results=results))
    with pytest.raises(VaultError, match="results for 2 items"):
        client.tokenize([NewValue("customer-17", "email", "li@example.org")] * 2)


@pytest.mark.parametrize(
    ("method", "answer", "call"),
    [
        ("Tokenize", vault_service_pb2.TokenizeResponse(results=[{}]), lambda c: c.tokenize_one("s", "email", "x")),
        ("Reveal", vault_service_pb2.RevealResponse(results=[{}]), lambda c: c.reveal_one("eml_A")),
        ("Describe", vault_service_pb2.DescribeResponse(results=[{}]), lambda c: c.describe(["eml_A"])),
        ("Update", vault_service_pb2.UpdateResponse(results=[{}]), lambda c: c.update([Replacement("eml_A", "x")])),
    ],
)
def test_an_empty_result_is_an_error(client, scripted, method, answer, call):
    scripted.script(method, answer)
    with pytest.raises(VaultError, match="neither a result nor an error"):
        call(client)


def test_more_than_a_thousand_items_are_refused_with_advice(client, scripted):
    with pytest.raises(ValueError, match=r"1000: split it .*tokenize_many"):
        client.tokenize([NewValue("customer-17", "email", "li@example.org")] * 1001)
    assert scripted.received == []


def test_a_request_over_the_size_limit_is_refused_with_advice(client, scripted):
    big = NewValue("customer-17", "free_text", "x" * 2**20)
    with pytest.raises(ValueError, match="fewer items"):
        client.tokenize([big] * 4)
    assert scripted.received == []


def test_an_answer_of_four_mebibytes_arrives(client, scripted):
    results = [{"value": {"text": "x" * (2**20 - 100)}}] * 4
    scripted.script("Reveal", vault_service_pb2.RevealResponse(results=results))
    assert sum(len(result.text) for result in client.reveal(["txt_A"] * 4)) == 4 * (2**20 - 100)


@pytest.mark.parametrize("call", ["reveal", "describe", "delete"])
def test_a_bare_token_is_not_taken_for_a_sequence_of_letters(client, call):
    with pytest.raises(TypeError, match="list"):
        getattr(client, call)("eml_A")


def test_threads_share_a_client_and_each_gets_its_own_answers(client, scripted):
    scripted.script("Reveal", reveal)
    tokens = [f"eml_{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda token: client.reveal_one(token).text, tokens)
    assert list(found) == [f"value of {token}" for token in tokens]
