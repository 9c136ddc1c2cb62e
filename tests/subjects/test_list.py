"""All subjects, page by page: each once, in order, of this tenant only; and page tokens that are good for nothing else."""

import base64

import pytest
from tests.harness import context
from tests.subjects.requests import every_subject, register, restrict
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_subject

from vault.store import tables as t
from vault.v1 import subject_service_pb2 as v1


@pytest.fixture(scope="module")
def names(open_vault: Inside) -> dict[bytes, str]:
    """Subjects of the tenant, by uid; every other one has a second name."""
    made = {}
    for number in range(25):
        name = new_subject()
        made[open_vault.ask(register(name, *[new_subject()] * (number % 2)), "app").subject_uid] = name
        open_vault.ask(register(name), "app", "globex")
    return made


@pytest.mark.parametrize("page_size", [1, 7, 24, 25, 26, 0, 1000])
def test_every_subject_is_listed_once_in_the_order_of_uids(open_vault: Inside, names: dict[bytes, str], page_size: int) -> None:
    listed = list(every_subject(open_vault, page_size, who="privacy"))
    assert [(each.subject_uid, each.subject_id) for each in listed] == sorted(names.items())


def test_only_uid_name_and_state_are_told(open_vault: Inside, names: dict[bytes, str]) -> None:
    uid, name = min(names.items())
    open_vault.ask(restrict(name), "admin")
    first = next(iter(every_subject(open_vault, 1, who="admin")))
    assert first == v1.Subject(subject_uid=uid, subject_id=name, state=v1.SUBJECT_STATE_RESTRICTED)


def test_the_event_names_those_that_were_told(open_vault: Inside, names: dict[bytes, str]) -> None:
    with open_vault.events() as events:
        open_vault.ask(v1.ListSubjectsRequest(context=context(), page_size=3), "privacy")
    assert [touched.subject_uids for event in events for touched in event.touched] == [b"".join(sorted(names)[:3])]


def test_who_may_not_list_learns_nothing(open_vault: Inside, names: dict[bytes, str]) -> None:
    assert len(names) == 25
    for who in ("app", "masked", "plain", "auditor", "security"):
        assert open_vault.refused(v1.ListSubjectsRequest(context=context()), who) == "POLICY_DENIED"


def test_a_page_token_of_another_tenant_or_call_or_a_damaged_one_is_refused(open_vault: Inside, names: dict[bytes, str]) -> None:
    assert names
    request = v1.ListSubjectsRequest(context=context(), page_size=2)
    token = open_vault.ask(request, "admin").next_page_token
    assert len(token) == 44
    raw = base64.urlsafe_b64decode(token)
    damaged = [
        base64.urlsafe_b64encode(text).decode() for text in (raw[:-1], raw + b"\0", b"\2" + raw[1:], raw[:1] + bytes(32), b"")
    ]
    for text in [token[:-1], token + "=", "!", *filter(None, damaged)]:
        assert open_vault.refused(v1.ListSubjectsRequest(context=context(), page_token=text), "admin") == "PAGE_TOKEN_INVALID"
    foreign = v1.ListSubjectsRequest(context=context(), page_token=token)
    assert open_vault.refused(foreign, "admin", "globex") == "PAGE_TOKEN_INVALID"
    assert open_vault.ask(v1.ListSubjectsRequest(context=context(), page_size=5, page_token=token), "privacy").subjects


def test_one_altered_row_stops_its_page_and_no_other(open_vault: Inside, names: dict[bytes, str]) -> None:
    where = {"uid": max(names)}
    old = open_vault.row(t.subject, **where)
    open_vault.edit(t.subject, where, state="RESTRICTED")
    page = open_vault.ask(v1.ListSubjectsRequest(context=context(), page_size=24), "admin")
    last = v1.ListSubjectsRequest(context=context(), page_token=page.next_page_token)
    assert open_vault.refused(last, "admin") == "INTEGRITY"
    open_vault.edit(t.subject, where, **old._asdict())
    assert len(open_vault.ask(last, "admin").subjects) == 1
