"""The main path over real gRPC: values in, tokens out, and back for whoever may."""

import grpc
import pytest
from tests.harness import Server, Vault, reveal_request, tokenize_request


def test_a_value_comes_back_through_its_token_and_only_in_the_form_that_the_role_allows(vault: Vault) -> None:
    with Server(vault) as server:
        answer = server.caller("app").call(tokenize_request(("S1", "phone", "+447700900123")))
        token = answer.results[0].token
        assert server.caller("plain").call(reveal_request(token)).results[0].value.text == "+447700900123"
        with pytest.raises(grpc.RpcError) as refusal:
            server.caller("masked").call(reveal_request(token))
        assert refusal.value.code() == grpc.StatusCode.PERMISSION_DENIED
        assert server.stop() == 0
