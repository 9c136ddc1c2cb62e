"""A page token is good for its own question to its own log, and for nothing else."""

import base64
import contextlib
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit_service.desk import Desk
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import UIDS
from tests.harness import context

from vault.auditing.page import NEWEST_FIRST, OLDEST_FIRST, PagePlace, Pages
from vault.errors import VaultError
from vault.store.log.queries import Spot
from vault.v1.audit_service_pb2 import EventFilter, QueryRequest, SubjectTimelineRequest

NUMBERS = st.integers(0, 2**63 - 1)
TENANT = bytes(range(16))


@given(size=st.integers(1, 2**63 - 1), time_us=NUMBERS, data=st.data())
def test_what_is_written_is_read_again(size: int, time_us: int, data) -> None:
    place = PagePlace(size, Spot(time_us, data.draw(st.integers(0, size - 1))))
    pages = Pages(TENANT, EventFilter(action="Reveal"), NEWEST_FIRST)
    assert pages.place(pages.token(place)) == place
    assert pages.place("") is None


@given(position=st.integers(0, 55), replacement=st.characters(min_codepoint=33, max_codepoint=126))
def test_no_character_of_it_can_be_changed_but_to_name_another_place(position: int, replacement: str) -> None:
    pages = Pages(TENANT, EventFilter(action="Reveal"), NEWEST_FIRST)
    token = pages.token(PagePlace(1000, Spot(1_800_000_000_000_000, 7)))
    changed = token[:position] + replacement + token[position + 1 :]
    with contextlib.suppress(VaultError):
        place = pages.place(changed)
        assert place
        assert pages.token(place) == changed


@pytest.mark.parametrize("token", ["x", "A" * 56, "é" * 56, "AQ", "=" * 56, "A" * 55 + "\n"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(VaultError, match="page_token"):
        Pages(TENANT, EventFilter(), NEWEST_FIRST).place(token)


def test_it_is_bound_to_tenant_filter_and_direction() -> None:
    one = (TENANT, EventFilter(subject_uid=UIDS[0]), OLDEST_FIRST)
    token = Pages(*one).token(PagePlace(10, Spot(5, 3)))
    others = [
        (bytes(16), *one[1:]),
        (TENANT, EventFilter(subject_uid=UIDS[1]), OLDEST_FIRST),
        (TENANT, EventFilter(token_uid=UIDS[0]), OLDEST_FIRST),
        (*one[:2], NEWEST_FIRST),
    ]
    for other in others:
        with pytest.raises(VaultError, match="page_token"):
            Pages(*other).place(token)


def test_the_tokens_of_other_questions_are_refused(desk: Desk) -> None:
    tenant, other = desk.new_tenant(), desk.new_tenant()
    for name in (tenant, other):
        fill(desk, name, 30, seed=21)

    def ask(wanted: EventFilter, token: str = "", tenant: str = tenant) -> QueryRequest:
        return QueryRequest(context=context("audit"), filter=wanted, page_size=2, page_token=token)

    token = desk.ask(ask(EventFilter(node="node-1")), tenant=tenant).next_page_token
    assert desk.ask(ask(EventFilter(node="node-1"), token), tenant=tenant).entries
    for wanted, where in ((EventFilter(node="node-2"), tenant), (EventFilter(), tenant), (EventFilter(node="node-1"), other)):
        assert desk.refused(ask(wanted, token), tenant=where).reason_name == "PAGE_TOKEN_INVALID"
    timeline = SubjectTimelineRequest(context=context("audit"), subject_uid=UIDS[0], page_size=1)
    of_timeline = desk.ask(timeline, tenant=tenant).next_page_token
    assert desk.refused(ask(EventFilter(subject_uid=UIDS[0]), of_timeline), tenant=tenant).reason_name == "PAGE_TOKEN_INVALID"
    assert desk.last_event(tenant).reason == 10


def test_nobody_has_a_token_from_a_logs_future(desk: Desk) -> None:
    tenant = desk.new_tenant()
    pages = Pages(desk.tenant(tenant).uid, EventFilter(), NEWEST_FIRST)
    token = pages.token(PagePlace(10**9, Spot(2**62, 5)))
    request = QueryRequest(context=context("audit"), page_token=token)
    assert desk.refused(request, tenant=tenant).reason_name == "PAGE_TOKEN_INVALID"


def test_a_token_is_as_the_document_says() -> None:
    document = (Path(__file__).parents[2] / "docs" / "formats-log.md").read_text("utf-8")
    written = re.search(r"^token +=(.*)$", document, re.MULTILINE)
    assert written
    wanted = bytes.fromhex("220652657665616c")
    packed = [b"pdvault/v1/audit-page", b"\x11" * 16, wanted, b"newest first"]
    bound = hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in packed)).digest()[:16]
    raw = b"\x01" + bound + b"".join(number.to_bytes(8, "big") for number in (1000, 1_800_000_000_000_000, 7))
    assert base64.urlsafe_b64encode(raw).decode() == written[1].strip()
    pages = Pages(b"\x11" * 16, EventFilter.FromString(wanted), NEWEST_FIRST)
    assert pages.place(written[1].strip()) == PagePlace(1000, Spot(1_800_000_000_000_000, 7))
