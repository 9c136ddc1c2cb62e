"""A subject's names: the first one, those that come and go, and that each leads to one subject and no other."""

import pytest
from tests.subjects.requests import link, names_of, register, restrict, show, unlink
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, describe, new_email, new_subject, reveal, search, tokenize, tokens_of

from vault.store import tables as t
from vault.subjects.aliases import MAX_ALIASES

ALIAS_TAKEN, NOT_FOUND = "ALIAS_TAKEN", "SUBJECT_NOT_FOUND"


def test_a_registered_subject_is_the_one_that_values_are_then_stored_for(open_vault: Inside) -> None:
    name = new_subject()
    made = open_vault.ask(register(name), "app")
    assert (len(made.subject_uid), made.existed) == (16, False)
    open_vault.ask(tokenize((name, "email", new_email())), "app")
    subject = open_vault.ask(show(name), "admin").subject
    assert (subject.subject_uid, subject.subject_id) == (made.subject_uid, name)
    assert [(count.data_class, count.count) for count in subject.items] == [("email", 1)]


def test_registering_again_finds_the_subject_and_a_retry_answers_as_the_first_time(open_vault: Inside) -> None:
    request = register(new_subject(), new_subject())
    made = open_vault.ask(request, "app")
    assert open_vault.ask(request, "app") == made
    again = open_vault.ask(register(request.subject_id, *request.aliases), "all")
    assert (again.subject_uid, again.existed) == (made.subject_uid, True)
    changed = register(new_subject())
    changed.context.request_id = request.context.request_id
    assert open_vault.refused(changed, "app") == "REQUEST_ID_REUSED"


def test_every_name_leads_to_the_subject_for_every_call(open_vault: Inside) -> None:
    first, second, third = new_subject(), new_subject(), new_subject()
    open_vault.ask(register(first, second), "app")
    open_vault.ask(link(second, third), "admin")
    tokens = [tokens_of(open_vault.ask(tokenize((name, "email", new_email())), "app"))[0] for name in (first, second, third)]
    for name in (first, second, third):
        (result,) = open_vault.ask(search(("", None, name)), "plain").results
        assert {item.token for item in result.items} == set(tokens)
    assert {each.description.subject_id for each in open_vault.ask(describe(*tokens), "plain").results} == {first}
    subjects = [open_vault.ask(show(name), "admin").subject for name in (first, second, third)]
    assert subjects[0] == subjects[1] == subjects[2]
    assert list(subjects[0].aliases) == sorted([second, third])


def test_pages_of_a_search_by_another_name_are_those_of_the_first(open_vault: Inside) -> None:
    first, second = new_subject(), new_subject()
    open_vault.ask(register(first, second), "app")
    open_vault.ask(tokenize(*((first, "email", new_email()) for _ in range(5))), "app")
    found, page_token = [], ""
    while True:
        (result,) = open_vault.ask(search(("", None, second), page_size=2, page_token=page_token), "plain").results
        found += [item.token for item in result.items]
        page_token = result.next_page_token
        if not page_token:
            break
    assert len(set(found)) == 5


def test_linking_again_changes_nothing_and_the_first_name_needs_no_link(open_vault: Inside) -> None:
    first, second = new_subject(), new_subject()
    open_vault.ask(register(first), "app")
    for _ in range(2):
        open_vault.ask(link(first, second), "admin")
    open_vault.ask(link(second, first), "admin")
    open_vault.ask(link(first, first), "admin")
    open_vault.ask(register(first, first, second), "all")
    assert names_of(open_vault, first) == [second]


def test_a_name_that_leads_to_one_subject_is_never_given_to_another(open_vault: Inside) -> None:
    first, second, alias = new_subject(), new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    open_vault.ask(register(second), "app")
    before = open_vault.count()
    for taken in (first, alias):
        assert open_vault.refused(link(second, taken), "admin") == ALIAS_TAKEN
        assert open_vault.refused(register(second, taken), "all") == ALIAS_TAKEN
        assert open_vault.refused(register(new_subject(), taken), "app") == ALIAS_TAKEN
    assert {name: count for name, count in open_vault.count().items() if name != "audit_pending"} == {
        name: count for name, count in before.items() if name != "audit_pending"
    }


def test_an_unlinked_name_leads_nowhere_and_may_be_given_to_another(open_vault: Inside) -> None:
    first, second, alias = new_subject(), new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    open_vault.ask(register(second), "app")
    open_vault.ask(unlink(alias), "admin")
    assert open_vault.refused(show(alias), "admin") == NOT_FOUND
    assert names_of(open_vault, first) == []
    open_vault.ask(link(second, alias), "admin")
    assert open_vault.ask(show(alias), "admin").subject.subject_id == second
    (result,) = open_vault.ask(search(("", None, alias)), "plain").results
    assert not result.items


def test_the_name_that_a_subject_was_made_with_stays(open_vault: Inside) -> None:
    first, alias = new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    assert open_vault.refused(unlink(first), "admin") == "INVALID_FIELD"
    assert open_vault.refused(unlink(new_subject()), "admin") == NOT_FOUND


def test_a_name_of_another_tenant_is_unknown_here_and_free(open_vault: Inside) -> None:
    first, alias = new_subject(), new_subject()
    theirs = open_vault.ask(register(first, alias), "app", "globex")
    for request in (show(first), show(alias), link(first, new_subject()), unlink(alias), restrict(first)):
        assert open_vault.refused(request, "admin") == NOT_FOUND
    ours = open_vault.ask(register(first, alias), "app")
    assert (ours.existed, ours.subject_uid == theirs.subject_uid) == (False, False)
    assert names_of(open_vault, first, tenant="globex") == [alias]


def test_a_subject_has_at_most_so_many_names(open_vault: Inside) -> None:
    first = new_subject()
    open_vault.ask(register(first), "app")
    while len(names_of(open_vault, first)) < MAX_ALIASES:
        room = MAX_ALIASES - len(names_of(open_vault, first))
        open_vault.ask(register(first, *(new_subject() for _ in range(min(16, room)))))
    assert open_vault.refused(link(first, new_subject()), "admin") == "WRONG_STATE"
    assert open_vault.refused(register(first, new_subject())) == "WRONG_STATE"
    open_vault.ask(link(first, names_of(open_vault, first)[0]), "admin")


def test_who_may_not_link_registers_no_name_for_a_subject_that_is_there_and_is_not_told_whose_it_is(open_vault: Inside) -> None:
    first, alias, other = new_subject(), new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    open_vault.ask(register(other), "app")
    for name in (alias, other, new_subject()):
        assert open_vault.refused(register(first, name), "app") == "POLICY_DENIED"
    assert names_of(open_vault, first) == [alias]
    assert open_vault.ask(register(first), "app").existed


@pytest.mark.parametrize("who", ["app", "masked", "plain", "auditor", "security"])
def test_only_administrators_and_privacy_officers_manage_subjects(open_vault: Inside, who: str) -> None:
    first, alias = new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    for request in (show(first), link(first, new_subject()), unlink(alias), restrict(first)):
        assert open_vault.refused(request, who) == "POLICY_DENIED"
    assert names_of(open_vault, first) == [alias]


def test_whoever_may_not_ask_is_not_told_who_is_there(open_vault: Inside) -> None:
    assert open_vault.refused(show(new_subject()), "plain") == "POLICY_DENIED"


def test_the_events_name_subjects_by_uid_and_in_refusals_too(open_vault: Inside) -> None:
    first, second, alias = new_subject(), new_subject(), new_subject()
    with open_vault.events() as events:
        uid = open_vault.ask(register(first, alias), "app").subject_uid
        other = open_vault.ask(register(second), "app").subject_uid
        open_vault.ask(show(alias), "admin")
        open_vault.refused(link(second, alias), "admin")
        open_vault.ask(unlink(alias), "admin")
        open_vault.refused(show(alias), "admin")
    named = [{touched.subject_uids for touched in event.touched} for event in events]
    assert named == [{uid}, {other}, {uid}, {other + uid}, {uid}, set()]
    assert [event.action for event in events] == ["Register", "Register", "GetSubject", "Link", "Unlink", "GetSubject"]


def test_when_a_subject_is_gone_its_names_are_free(open_vault: Inside) -> None:
    first, alias = new_subject(), new_subject()
    open_vault.ask(register(first, alias), "app")
    (token,) = tokens_of(open_vault.ask(tokenize((alias, "email", new_email())), "app"))
    open_vault.ask(delete(token), "admin")
    uid = open_vault.ask(show(alias), "admin").subject.subject_uid
    for table in (t.subject_alias, t.subject_key):
        open_vault.remove(table, subject_uid=uid)
    open_vault.remove(t.subject, uid=uid)
    assert open_vault.refused(show(alias), "admin") == NOT_FOUND
    assert open_vault.ask(register(alias, first), "app").existed is False
    assert open_vault.refused(reveal(token), "plain") == "TOKEN_NOT_FOUND"
