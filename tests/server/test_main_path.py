"""The main path over real gRPC: values in, tokens out, and back for whoever may."""

from tests.harness import context, reveal_request
from tests.server.canaries import VALUES
from tests.server.conftest import Served
from tests.server.refusal import refused
from tests.server.requests import good, tokenize

from vault.v1 import common_pb2
from vault.v1 import vault_service_pb2 as v1


def test_a_value_of_every_class_comes_back_through_its_token_and_only_in_the_form_that_the_role_allows(served: Served) -> None:
    request = good("Tokenize")
    tokens = [result.token for result in served.server.caller("app").call(request).results]
    plain = served.server.caller("plain").call(reveal_request(*tokens)).results
    assert [(result.data_class, result.value) for result in plain] == [(item.data_class, item.value) for item in request.items]
    masked = served.server.caller("masked").call(reveal_request(*tokens, kind=common_pb2.FORM_KIND_MASKED)).results
    assert not {result.value.text for result in masked} & set(VALUES.values())
    assert refused(lambda: served.server.caller("masked").call(reveal_request(*tokens))).reason == "POLICY_DENIED"


def test_a_nul_in_free_text_or_a_subject_id_is_data_like_any_other(served: Served) -> None:
    request = tokenize("free_text", subject_id="a\0b", value=common_pb2.Value(text="\0 between \0 and \0"))
    caller = served.server.caller("all")
    token = caller.call(request).results[0].token
    assert caller.call(reveal_request(token)).results[0].value == request.items[0].value
    described = caller.call(v1.DescribeRequest(context=context(), tokens=[token])).results[0].description
    assert described.subject_id == "a\0b"
    found = v1.SearchRequest(context=context(), queries=[v1.SearchQuery(subject_id=name) for name in ("a\0b", "a")])
    assert [len(result.items) for result in caller.call(found).results] == [1, 0]
