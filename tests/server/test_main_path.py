"""The main path over real gRPC: values in, tokens out, and back for whoever may."""

from tests.harness import reveal_request
from tests.server.canaries import VALUES
from tests.server.conftest import Served
from tests.server.refusal import refused
from tests.server.requests import good

from vault.v1 import common_pb2


def test_a_value_of_every_class_comes_back_through_its_token_and_only_in_the_form_that_the_role_allows(served: Served) -> None:
    request = good("Tokenize")
    tokens = [result.token for result in served.server.caller("app").call(request).results]
    plain = served.server.caller("plain").call(reveal_request(*tokens)).results
    assert [(result.data_class, result.value) for result in plain] == [(item.data_class, item.value) for item in request.items]
    masked = served.server.caller("masked").call(reveal_request(*tokens, kind=common_pb2.FORM_KIND_MASKED)).results
    assert not {result.value.text for result in masked} & set(VALUES.values())
    assert refused(lambda: served.server.caller("masked").call(reveal_request(*tokens))).reason == "POLICY_DENIED"
