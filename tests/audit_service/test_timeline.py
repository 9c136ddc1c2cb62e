"""SubjectTimeline tells one subject's whole story, oldest first, and who read it is in it from then on."""

import pytest
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.audit_service.synthetic import UIDS, mentions
from tests.harness import context
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.v1 import audit_pb2
from vault.v1.audit_service_pb2 import EventFilter, QueryRequest, SubjectTimelineRequest


def timeline(**fields) -> SubjectTimelineRequest:
    return SubjectTimelineRequest(context=context("audit"), **fields)


@pytest.mark.parametrize("page_size", [7, 1000])
def test_it_is_all_that_mentions_the_subject_oldest_first(desk: Desk, page_size: int) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 120, seed=page_size)
    size, found, token = 0, [], ""
    while not size or token:
        page = desk.ask(timeline(subject_uid=UIDS[1], page_size=page_size, page_token=token), tenant=tenant)
        assert page.subject_uid == UIDS[1]
        assert page.size == (size or page.size)
        size, token = page.size, page.next_page_token
        found += [(entry.index, entry.leaf) for entry in page.entries]
        fill(desk, tenant, 10, seed=len(found))
    rows = [(audit_pb2.AuditEvent.FromString(row.leaf), row) for row in desk.entries(tenant)[:size]]
    fitting = sorted((event.time_us, row.leaf_index, row.leaf) for event, row in rows if mentions(event, UIDS[1]))
    assert found == [(index, leaf) for _, index, leaf in fitting]


def test_a_real_subject_is_found_by_the_callers_own_name_for_it(desk: Desk) -> None:
    tenant, subject = desk.new_tenant(), new_subject()
    (token,) = tokens_of(desk.inside.ask(tokenize((subject, "email", new_email())), tenant=tenant))
    desk.inside.ask(reveal(token), tenant=tenant)
    desk.inside.ask(delete(token), tenant=tenant)
    desk.integrate()
    page = desk.ask(timeline(subject_id=subject), tenant=tenant)
    assert [event_of(entry).action for entry in page.entries] == ["Tokenize", "Reveal", "Delete"]
    desk.integrate()
    again = desk.ask(timeline(subject_uid=page.subject_uid), tenant=tenant)
    assert [event_of(entry).action for entry in again.entries] == ["Tokenize", "Reveal", "Delete", "SubjectTimeline"]


def test_every_way_to_ask_for_a_subject_is_part_of_its_story(desk: Desk) -> None:
    tenant, subject = desk.new_tenant(), new_subject()
    (token,) = tokens_of(desk.inside.ask(tokenize((subject, "email", new_email())), tenant=tenant))
    desk.integrate()
    uid = desk.ask(timeline(subject_id=subject), tenant=tenant).subject_uid
    for wanted in (EventFilter(subject_id=subject), EventFilter(subject_uid=uid), EventFilter(token=token)):
        desk.ask(QueryRequest(context=context("audit"), filter=wanted), tenant=tenant)
    desk.integrate()
    events = [event_of(entry) for entry in desk.ask(timeline(subject_uid=uid), tenant=tenant).entries]
    assert [event.action for event in events] == ["Tokenize", "SubjectTimeline", "Query", "Query", "Query"]
    assert all(subject.encode() not in entry.leaf and token.encode() not in entry.leaf for entry in desk.entries(tenant))
