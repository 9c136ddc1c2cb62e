"""Calls are tried again after UNAVAILABLE only, with the same request_id, and never past their deadline."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdvault_client import NewValue, RetryPolicy, RevealAlreadyDeliveredError, UnavailableError, VaultError
from pdvault_client.retry import Clock, retrying
from vault.errors import VaultError as ServerError
from vault.v1 import common_pb2, vault_service_pb2

ISSUED = vault_service_pb2.TokenizeResponse(results=[{"token": "eml_A"}])
ITEM = NewValue("customer-17", "email", "li@example.org")
DOWN = ServerError(common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, "the database does not answer")
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
OTHER_CODES = [code for code in grpc.StatusCode if code not in {grpc.StatusCode.OK} | RETRIED]


@pytest.mark.parametrize("failure", [DOWN, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_unavailable_is_tried_again_with_the_same_request(client, scripted, failure):
    scripted.script("Tokenize", failure, failure, ISSUED)
    assert client.tokenize([ITEM])[0].token == "eml_A"
    first, second, third = scripted.requests()
    assert first == second == third
    assert first.context.request_id


def test_attempts_are_bounded_and_the_last_error_is_raised(connect, scripted):
    scripted.script("Tokenize", grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, DOWN, ISSUED)
    with pytest.raises(UnavailableError, match="DATABASE_UNAVAILABLE"):
        connect(retry=RetryPolicy(attempts=3, base_s=0.0)).tokenize([ITEM])
    assert len(scripted.received) == 3


@pytest.mark.parametrize("code", OTHER_CODES)
def test_no_other_status_is_tried_again(client, scripted, code):
    scripted.script("Tokenize", code, ISSUED)
    with pytest.raises(VaultError) as caught:
        client.tokenize([ITEM])
    assert caught.value.code is code
    assert len(scripted.received) == 1


def test_a_call_whose_client_was_closed_meanwhile_is_not_tried_again(client, scripted):
    scripted.script("Tokenize", lambda _request: client.close() or (scripted.received[-1].ended.wait(60) and ISSUED))
    with pytest.raises(VaultError) as caught:
        client.tokenize([ITEM])
    assert caught.value.code is grpc.StatusCode.CANCELLED
    assert len(scripted.received) == 1


def test_overload_is_not_tried_again_although_it_says_when(client, scripted):
    scripted.script("Tokenize", ServerError(common_pb2.ERROR_REASON_OVERLOADED, "busy", retry_after_s=0.0), ISSUED)
    with pytest.raises(VaultError, match="OVERLOADED"):
        client.tokenize([ITEM])
    assert len(scripted.received) == 1


def test_a_reveal_whose_answer_got_lost_is_told_apart(client, scripted):
    delivered = ServerError(common_pb2.ERROR_REASON_REVEAL_ALREADY_DELIVERED, "it is not given twice")
    scripted.script("Reveal", grpc.StatusCode.UNAVAILABLE, delivered)
    with pytest.raises(RevealAlreadyDeliveredError):
        client.reveal_one("eml_A")
    assert len({request.context.request_id for request in scripted.requests()}) == 1


def test_a_wait_that_the_server_asks_for_beyond_the_deadline_ends_the_call_at_once(client, scripted):
    down = ServerError(common_pb2.ERROR_REASON_KMS_UNAVAILABLE, "the KMS does not answer", retry_after_s=30)
    scripted.script("Tokenize", down, ISSUED)
    with pytest.raises(UnavailableError) as caught:
        client.tokenize([ITEM], timeout_s=20)
    assert caught.value.retry_after_s == 30
    assert len(scripted.received) == 1


def test_a_deadline_reaches_the_server(connect, scripted):
    scripted.script("Tokenize", ISSUED)
    client = connect(timeout_s=20)
    client.tokenize([ITEM])
    client.tokenize([ITEM], timeout_s=60)
    first, second = (received.remaining_s for received in scripted.received)
    assert first < 21 < second <= 60


@pytest.mark.parametrize("timeout_s", [0, -1, 60.001, float("inf"), float("nan")])
def test_a_deadline_that_the_server_would_refuse_is_refused_before(connect, scripted, timeout_s):
    with pytest.raises(ValueError, match="at most 60"):
        connect(timeout_s=timeout_s)
    with pytest.raises(ValueError, match="at most 60"):
        connect().tokenize([ITEM], timeout_s=timeout_s)
    assert scripted.received == []


@pytest.mark.parametrize("arguments", [{"attempts": 0}, {"base_s": -1}, {"cap_s": -1}])
def test_a_policy_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match="at least"):
        RetryPolicy(**arguments)


class World:
    """A clock that only sleeping and attempts move."""

    def __init__(self, luck):
        self.time = 0.0
        self.slept = []
        self.given = []
        self.clock = Clock(now=lambda: self.time, sleep=self.sleep, uniform=lambda low, high: low + luck * (high - low))

    def sleep(self, seconds):
        """Let time pass."""
        self.slept.append(seconds)
        self.time += seconds

    def failing(self, cost_s, retry_after_s=None):
        """An attempt that takes time and fails."""

        def attempt(remaining_s):
            self.given.append(remaining_s)
            self.time += min(cost_s, remaining_s)
            raise UnavailableError("down", retry_after_s=retry_after_s)

        return attempt


def test_waits_are_random_below_bounds_that_double_up_to_the_cap():
    world = World(luck=1.0)
    with pytest.raises(UnavailableError):
        retrying(world.failing(0.0), 60, RetryPolicy(attempts=6, base_s=0.5, cap_s=3.0), world.clock)
    assert world.slept == [0.5, 1.0, 2.0, 3.0, 3.0]
    lucky = World(luck=0.0)
    with pytest.raises(UnavailableError):
        retrying(lucky.failing(0.0), 60, RetryPolicy(attempts=6, base_s=0.5, cap_s=3.0), lucky.clock)
    assert lucky.slept == [0.0] * 5


def test_what_the_server_asks_for_is_waited_at_least():
    world = World(luck=0.5)
    with pytest.raises(UnavailableError):
        retrying(world.failing(0.0, retry_after_s=4.0), 60, RetryPolicy(attempts=3, base_s=1.0), world.clock)
    assert world.slept == [4.5, 5.0]


@given(
    timeout_s=st.floats(0.01, 60),
    cost_s=st.floats(0, 20),
    retry_after_s=st.none() | st.floats(0, 100),
    luck=st.floats(0, 1),
    attempts=st.integers(1, 50),
)
def test_no_attempt_begins_after_the_deadline_nor_may_end_after_it(timeout_s, cost_s, retry_after_s, luck, attempts):
    world = World(luck)
    with pytest.raises(UnavailableError):
        retrying(world.failing(cost_s, retry_after_s), timeout_s, RetryPolicy(attempts=attempts), world.clock)
    assert 1 <= len(world.given) <= attempts
    assert all(0 < remaining_s <= timeout_s for remaining_s in world.given)
    assert sum(world.slept) < timeout_s
