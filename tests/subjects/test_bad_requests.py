"""Whatever comes in, every call about subjects is refused for a stable reason, and leaves its event."""

import time
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.subjects.requests import link, place_hold, register, release_hold, restrict, show, unlink, unrestrict
from tests.use_cases.inside import Inside

from vault.access.policy import PolicyEngine
from vault.audit.events import Caller
from vault.classes.taxonomy import BUILT_IN
from vault.errors import VaultError
from vault.server.intake import Intake
from vault.server.methods import SERVICES, Method
from vault.v1 import subject_service_pb2 as v1

METHODS = {method.name: method for method in SERVICES["vault.v1.SubjectService"]}
GOOD: list[Message] = [
    register("a", "b"),
    show("a"),
    v1.ListSubjectsRequest(context=show("a").context),
    link("a", "b"),
    unlink("b"),
    restrict("a"),
    unrestrict("a"),
    place_hold("a"),
    release_hold("a", bytes(16)),
]


def method_of(request: Message) -> Method:
    """The method that takes such a request."""
    return METHODS[request.DESCRIPTOR.name.removesuffix("Request")]


def told(vault: Inside, method: Method, raw: bytes, caller: Caller, seconds: float | None = 10.0) -> str:
    """OK, or the reason for which bytes are refused."""
    intake = Intake(BUILT_IN, PolicyEngine.built_in(on_error=lambda _text: None))
    call, _ = intake.call(caller, method, raw, seconds, time.monotonic())
    (answer,) = vault.answers([call])
    return answer.reason_name if isinstance(answer, VaultError) else "OK"


@pytest.mark.parametrize("request_", GOOD, ids=lambda one: one.DESCRIPTOR.name)
def test_a_request_without_context_purpose_or_uuid_is_refused(open_vault: Inside, request_: Any) -> None:
    for change in (lambda r: r.ClearField("context"), lambda r: r.context.ClearField("purpose"), _without_uuid):
        broken = type(request_)()
        broken.CopyFrom(request_)
        change(broken)
        with open_vault.events() as events:
            assert told(open_vault, method_of(request_), broken.SerializeToString(), open_vault.caller("admin")) == "INVALID_FIELD"
        assert [event.action for event in events] == [method_of(request_).name]


@pytest.mark.parametrize("request_", GOOD, ids=lambda one: one.DESCRIPTOR.name)
def test_a_call_needs_a_deadline_of_at_most_a_minute(open_vault: Inside, request_: Any) -> None:
    raw, method, caller = request_.SerializeToString(), method_of(request_), open_vault.caller("admin")
    assert told(open_vault, method, raw, caller, None) == "DEADLINE_REQUIRED"
    assert told(open_vault, method, raw, caller, 90.0) == "DEADLINE_TOO_LONG"


def test_too_many_names_or_the_same_one_twice_are_refused(open_vault: Inside) -> None:
    for names in (["x"] * 2, [f"x{number}" for number in range(17)]):
        assert open_vault.refused(register("a", *names), "app") == "INVALID_FIELD"


def test_a_page_of_more_than_a_thousand_and_a_hold_without_its_uid_are_refused(open_vault: Inside) -> None:
    page = v1.ListSubjectsRequest(context=show("a").context, page_size=1001)
    assert open_vault.refused(page, "admin") == "INVALID_FIELD"
    for uid in (b"", bytes(15), bytes(17)):
        assert open_vault.refused(release_hold("a", uid), "privacy") == "INVALID_FIELD"


@settings(max_examples=40)
@given(method=st.sampled_from(sorted(METHODS)), raw=st.binary(max_size=200), good=st.sampled_from(GOOD), cut=st.integers(1, 60))
def test_no_bytes_bring_about_what_nobody_foresaw(open_vault: Inside, method: str, raw: bytes, good: Message, cut: int) -> None:
    mangled = good.SerializeToString()[:-cut] + raw
    for content in (raw, mangled):
        assert told(open_vault, METHODS[method], content, open_vault.caller("privacy")) not in ("INTERNAL", "CONFLICT")


def _without_uuid(request: Any) -> None:
    request.context.request_id = "no-uuid"
