"""What callers get who give a token that is no token, not theirs, over, or not for them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.harness import Caller, context, reveal_request
from tests.server.canaries import SUBJECT, traces
from tests.server.conftest import Served
from tests.server.refusal import read
from tests.server.requests import UNKNOWN_TOKEN, good, tokenize, value

from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1

PLAIN, MASKED = common_pb2.FORM_KIND_PLAIN, common_pb2.FORM_KIND_MASKED


@pytest.fixture(scope="module")
def callers(served: Served) -> Callable[[str], Caller]:
    """Each principal of the tenant."""
    made = {who: served.server.caller(who) for who in served.vault.tenants["acme"].clients}
    made["foreign"] = served.server.caller("all", "globex")
    made["foreign"].call(good("Tokenize"))
    made["all"].call(good("Tokenize"))
    return made.__getitem__


@pytest.fixture(scope="module")
def caller(callers: Callable[[str], Caller]) -> Caller:
    return callers("all")


@pytest.fixture(scope="module")
def token(caller: Caller) -> str:
    return str(caller.call(tokenize("phone")).results[0].token)


@pytest.fixture(scope="module")
def expired(caller: Caller, until: Callable[[Callable[[], Any]], None]) -> str:
    """A token whose time is over, by the database's clock."""
    request = tokenize("phone")
    request.items[0].ttl.seconds = 1
    token = str(caller.call(request).results[0].token)
    look = reveal_request(token, kind=MASKED)
    look.atomicity = common_pb2.ATOMICITY_PER_ITEM
    until(lambda: caller.call(look).results[0].HasField("error"))
    return token


@pytest.fixture(scope="module")
def used_up(caller: Caller) -> str:
    """A token that has had its one reveal."""
    token = str(caller.call(tokenize("phone", max_reveals=1)).results[0].token)
    caller.call(reveal_request(token, kind=MASKED))
    return token


def _with_token(method: str, token: str) -> Any:
    request = good(method)
    if method in ("Describe", "Delete"):
        request.tokens[0] = token
    else:
        request.items[0].token = token
    return request


def _altered(token: str) -> Iterator[str]:
    yield token[:-1] + ("0" if token[-1] != "0" else "1")
    yield token.lower()
    yield token[:10] + "\0" + token[11:]
    yield token + "\0"
    yield "fac" + token[3:]
    yield token[4:]
    yield "not a token"


@pytest.mark.parametrize("method", ["Reveal", "Verify", "Describe", "Update", "Delete"])
def test_unknown_damaged_and_foreign_tokens_get_one_and_the_same_answer(
    served: Served, callers: Callable[[str], Caller], token: str, method: str
) -> None:
    answers = {
        served.check_refused(caller, _with_token(method, text), "NOT_FOUND", "TOKEN_NOT_FOUND").everything
        for caller, text in [(callers("foreign"), token), *((callers("all"), text) for text in (UNKNOWN_TOKEN, *_altered(token)))]
    }
    assert len(answers) == 1
    assert token.encode() not in answers.pop()


def test_an_expired_token_is_told_apart_only_to_those_who_may_use_its_class(
    served: Served, callers: Callable[[str], Caller], expired: str
) -> None:
    refusal = served.check_refused(callers("plain"), reveal_request(expired), "FAILED_PRECONDITION", "TOKEN_EXPIRED")
    assert "tokenise" in refusal.message
    served.check_refused(callers("all"), _with_token("Verify", expired), "FAILED_PRECONDITION", "TOKEN_EXPIRED")
    served.check_refused(callers("app"), _with_token("Update", expired), "FAILED_PRECONDITION", "TOKEN_EXPIRED")
    served.check_refused(callers("app"), reveal_request(expired), "NOT_FOUND", "TOKEN_NOT_FOUND", audited="POLICY_DENIED")


def test_a_used_up_token_is_told_apart_only_to_those_who_may_use_its_class(
    served: Served, callers: Callable[[str], Caller], used_up: str
) -> None:
    served.check_refused(callers("plain"), reveal_request(used_up), "FAILED_PRECONDITION", "TOKEN_USED_UP")
    served.check_refused(callers("masked"), reveal_request(used_up, kind=MASKED), "FAILED_PRECONDITION", "TOKEN_USED_UP")
    served.check_refused(callers("all"), _with_token("Verify", used_up), "FAILED_PRECONDITION", "TOKEN_USED_UP")
    served.check_refused(callers("app"), reveal_request(used_up), "NOT_FOUND", "TOKEN_NOT_FOUND", audited="POLICY_DENIED")


def test_a_limited_reveal_is_not_given_twice_for_one_request(served: Served, caller: Caller) -> None:
    limited = str(caller.call(tokenize("phone", max_reveals=5)).results[0].token)
    request = reveal_request(limited)
    caller.call(request)
    served.check_refused(caller, request, "FAILED_PRECONDITION", "REVEAL_ALREADY_DELIVERED")


@pytest.mark.parametrize("method", ["Tokenize", "Update", "Delete"])
def test_a_request_id_is_good_for_one_request(served: Served, caller: Caller, token: str, method: str) -> None:
    first = tokenize("phone")
    caller.call(first)
    second = good(method)
    second.context.request_id = first.context.request_id
    refusal = served.check_refused(caller, second, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert "UUID" in refusal.message


def test_an_update_of_another_revision_is_refused(served: Served, caller: Caller, token: str) -> None:
    request = _with_token("Update", token)
    request.items[0].expected_revision = 7
    refusal = served.check_refused(caller, request, "FAILED_PRECONDITION", "REVISION_MISMATCH")
    assert "describe" in refusal.message


def test_a_page_token_of_another_query_or_none_at_all_is_refused(served: Served, caller: Caller, token: str) -> None:
    caller.call(tokenize("phone"))
    request = v1.SearchRequest(context=context(), queries=[v1.SearchQuery(subject_id=SUBJECT)], page_size=1)
    page = caller.call(request).results[0].next_page_token
    other = v1.SearchRequest(context=context(), queries=[v1.SearchQuery(data_class="phone", value=value("phone"))], page_size=1)
    for request.page_token in ("@@@", page[:-4], page[:-1] + ("A" if page[-1] != "A" else "B"), "é", "\0"):
        served.check_refused(caller, request, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
    other.page_token = page
    served.check_refused(caller, other, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


def test_a_form_that_the_class_lacks_is_refused_and_told_which_it_has(served: Served, caller: Caller, token: str) -> None:
    request = reveal_request(token, kind=common_pb2.FORM_KIND_PARTIAL)
    request.items[0].form.partial_name = "favourite_digit"
    refusal = served.check_refused(caller, request, "INVALID_ARGUMENT", "UNKNOWN_FORM")
    assert "last4" in refusal.message


FORBIDDEN = {
    "a plain value for a reader of masks": ("masked", lambda token: reveal_request(token)),
    "a mask for a tokenizer": ("app", lambda token: reveal_request(token, kind=MASKED)),
    "a plain value for an administrator": ("admin", lambda token: reveal_request(token)),
    "a comparison for a tokenizer": ("app", lambda token: _with_token("Verify", token)),
    "a search for a tokenizer": ("app", lambda _: good("Search")),
    "storing for a reader": ("plain", lambda _: good("Tokenize")),
    "replacing for a reader": ("plain", lambda token: _with_token("Update", token)),
    "removal for a tokenizer": ("app", lambda token: _with_token("Delete", token)),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_no_role_allows_is_denied(served: Served, callers: Callable[[str], Caller], token: str, what: str) -> None:
    who, request = FORBIDDEN[what]
    served.check_refused(callers(who), request(token), "PERMISSION_DENIED", "POLICY_DENIED")


@pytest.mark.parametrize("method", ["Reveal", "Verify"])
def test_a_value_is_used_only_for_what_it_was_collected_for(served: Served, caller: Caller, token: str, method: str) -> None:
    request = _with_token(method, token)
    request.context.purpose = "marketing"
    served.check_refused(caller, request, "PERMISSION_DENIED", "PURPOSE_NOT_COLLECTED")


def test_with_per_item_each_bad_token_has_its_own_status(
    served: Served, caller: Caller, token: str, expired: str, used_up: str
) -> None:
    request = reveal_request(token, UNKNOWN_TOKEN, expired, used_up, kind=MASKED)
    request.atomicity = common_pb2.ATOMICITY_PER_ITEM
    response = caller.call(request)
    reasons = [read(result.error).reason for result in response.results]
    assert reasons == ["", "TOKEN_NOT_FOUND", "TOKEN_EXPIRED", "TOKEN_USED_UP"]
    assert not traces(response.SerializeToString())
