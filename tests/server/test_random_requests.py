"""Bytes that nobody planned: whatever arrives, the answer is one of the defined ones."""

from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.harness import Caller
from tests.server.conftest import Served
from tests.server.refusal import read, refusal_of, refused
from tests.server.requests import METHODS, good

from vault.v1 import vault_service_pb2 as v1

QUICK = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
DEFINED = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION"}


@pytest.fixture(scope="module")
def caller(served: Served) -> Caller:
    return served.server.caller("all")


@QUICK
@given(method=st.sampled_from(METHODS), raw=st.binary(max_size=200))
def test_random_bytes_are_refused_as_an_invalid_argument(caller: Caller, method: str, raw: bytes) -> None:
    refusal = refused(lambda: caller.raw(method, raw))
    assert (refusal.code, refusal.domain) == ("INVALID_ARGUMENT", "vault.v1")
    assert refusal.reason in ("MALFORMED_REQUEST", "INVALID_FIELD")


@QUICK
@given(data=st.data(), method=st.sampled_from(METHODS))
def test_a_request_with_some_bytes_changed_is_answered_or_refused_for_a_reason(caller: Caller, data: Any, method: str) -> None:
    raw = bytearray(good(method).SerializeToString())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    try:
        answer = caller.raw(method, bytes(raw))
    except grpc.RpcError as error:
        refusal = refusal_of(error)
        assert refusal.code in DEFINED
        assert refusal.reason not in ("", "INTERNAL")
    else:
        results = getattr(getattr(v1, f"{method}Response").FromString(answer), "results", ())
        assert all(read(result.error).reason != "INTERNAL" for result in results)
