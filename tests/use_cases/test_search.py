"""Search: by exact value or by subject, page by page."""

import base64
from collections.abc import Iterator

import pytest
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    LENIENT,
    PER_ITEM,
    delete,
    new_email,
    new_subject,
    reasons,
    search,
    tokenize,
    tokens_of,
    update,
)

from vault.errors import VaultError
from vault.store import tables as t
from vault.v1 import vault_service_pb2

Query = tuple[str, str | None, str | None]


def pages(vault: Inside, query: Query, size: int, who: str = "all") -> Iterator[list[str]]:
    """The tokens of each page of a search."""
    page_token = ""
    while True:
        (result,) = vault.ask(search(query, page_size=size, page_token=page_token), who).results
        yield [item.token for item in result.items]
        page_token = result.next_page_token
        if not page_token:
            return


def found(vault: Inside, query: Query, who: str = "all", purpose: str = "payout") -> set[str]:
    """The tokens on the first page."""
    (result,) = vault.ask(search(query, purpose=purpose), who).results
    return {item.token for item in result.items}


def test_a_value_is_found_in_any_spelling_with_its_description(open_vault: Inside) -> None:
    email, subjects = new_email(), [new_subject(), new_subject()]
    request = tokenize(*((subject, "email", email) for subject in subjects), (new_subject(), "email", new_email()))
    tokens = tokens_of(open_vault.ask(request))
    (result,) = open_vault.ask(search(("email", f" {email.upper()} ", None)), "masked").results
    assert {(item.token, item.subject_id) for item in result.items} == set(zip(tokens[:2], subjects, strict=True))
    assert {(item.data_class, item.revision, *item.purposes) for item in result.items} == {("email", 1, "payout")}
    assert result.next_page_token == ""


def test_the_same_digits_in_another_class_are_not_found(open_vault: Inside) -> None:
    digits = "5555555555554444"
    card, account = tokens_of(
        open_vault.ask(tokenize((new_subject(), "payment_card", digits), (new_subject(), "bank_account", digits)))
    )
    assert card in found(open_vault, ("payment_card", digits, None))
    assert account not in found(open_vault, ("payment_card", digits, None))


def test_a_subject_s_items_are_found_all_or_those_of_one_class(open_vault: Inside) -> None:
    subject = new_subject()
    email, phone, note = tokens_of(
        open_vault.ask(
            tokenize((subject, "email", new_email()), (subject, "phone", "+447700900123"), (subject, "free_text", "a note"))
        )
    )
    assert found(open_vault, ("", None, subject)) == {email, phone, note}
    assert found(open_vault, ("phone", None, subject)) == {phone}
    assert found(open_vault, ("bank_account", None, subject)) == set()
    assert found(open_vault, ("", None, new_subject())) == set()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("by_subject", [True, False])
def test_pages_hold_every_item_once_and_are_the_same_each_time(open_vault: Inside, count: int, by_subject: bool) -> None:
    subject, email = new_subject(), new_email()
    stored = tokens_of(open_vault.ask(tokenize(*[(subject, "email", email)] * count))) if count else []
    query: Query = ("", None, subject) if by_subject else ("email", email, None)
    walk = list(pages(open_vault, query, 3))
    assert sorted(token for page in walk for token in page) == sorted(stored)
    assert [len(page) for page in walk] == [3] * ((count - 1) // 3) + [count - (count - 1) // 3 * 3 if count else 0]
    assert walk == list(pages(open_vault, query, 3))


def test_items_that_come_and_go_between_pages_neither_hide_nor_repeat_others(open_vault: Inside) -> None:
    subject = new_subject()
    stored = tokens_of(open_vault.ask(tokenize(*((subject, "email", new_email()) for _ in range(6)))))
    walk = pages(open_vault, ("", None, subject), 2)
    first = next(walk)
    open_vault.ask(delete(first[0]))
    open_vault.ask(tokenize((subject, "email", new_email())))
    rest = [token for page in walk for token in page]
    assert set(stored) <= {*first, *rest}
    assert len(rest) == len(set(rest))
    assert not {*first} & {*rest}


def test_the_page_s_size_may_change_on_the_way(open_vault: Inside) -> None:
    subject = new_subject()
    stored = tokens_of(open_vault.ask(tokenize(*((subject, "email", new_email()) for _ in range(5)))))
    (first,) = open_vault.ask(search(("", None, subject), page_size=2)).results
    (rest,) = open_vault.ask(search(("", None, subject), page_token=first.next_page_token)).results
    assert sorted(item.token for item in (*first.items, *rest.items)) == sorted(stored)


def test_a_page_token_is_good_for_its_own_query_only(open_vault: Inside) -> None:
    subject, other, email = new_subject(), new_subject(), new_email()
    open_vault.ask(tokenize(*[(subject, "email", email), (other, "email", email)] * 2))
    (result,) = open_vault.ask(search(("", None, subject), page_size=1)).results
    good = result.next_page_token
    assert open_vault.ask(search(("", None, subject), page_token=good))
    for query in (("", None, other), ("email", None, subject), ("email", email, None)):
        assert open_vault.refused(search(query, page_token=good)) == "PAGE_TOKEN_INVALID"
    assert open_vault.refused(search(("", None, subject), page_token=good), tenant="globex") == "PAGE_TOKEN_INVALID"


def test_every_other_way_to_write_a_page_token_is_refused(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize(*[(subject, "email", new_email())] * 2))
    (result,) = open_vault.ask(search(("", None, subject), page_size=1)).results
    good = result.next_page_token
    raw = base64.urlsafe_b64decode(good)
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(0, len(raw), 6)]
    bad = [base64.urlsafe_b64encode(one).decode() for one in (*flipped, raw[:-1], raw + b"\0", raw[1:], raw[:32])]
    bad += [good[:-1], good + "=", good + "A", good[:8] + "\n" + good[8:], " " + good, "字" * 22, "!" * 88]
    for page_token in bad:
        assert open_vault.refused(search(("", None, subject), page_token=page_token)) == "PAGE_TOKEN_INVALID", page_token


def test_queries_of_one_call_are_answered_apart_and_each_goes_on_by_its_own_page_token(open_vault: Inside) -> None:
    subjects = [new_subject() for _ in range(3)]
    stored = {subject: set(tokens_of(open_vault.ask(tokenize(*[(subject, "email", new_email())] * 2)))) for subject in subjects}
    response = open_vault.ask(search(*(("", None, subject) for subject in subjects), page_size=1))
    for subject, result in zip(subjects, response.results, strict=True):
        (rest,) = open_vault.ask(search(("", None, subject), page_token=result.next_page_token)).results
        assert {item.token for item in (*result.items, *rest.items)} == stored[subject]


def test_a_bad_query_fails_all_unless_queries_stand_alone(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize((subject, "email", new_email())))
    queries: list[Query] = [("shoe_size", "42", None), ("", None, subject), ("email", "no address", None), ("free_text", "x", None)]
    assert open_vault.refused(search(*queries)) == "UNKNOWN_DATA_CLASS"
    response = open_vault.ask(search(*queries, atomicity=PER_ITEM))
    assert reasons(response.results) == ["UNKNOWN_DATA_CLASS", "", "INVALID_VALUE", "NO_FINGERPRINT"]
    assert len(response.results[1].items) == 1


def test_the_same_query_twice_in_a_call_is_answered_twice(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize((subject, "email", new_email())))
    first, second = open_vault.ask(search(("", None, subject), ("", None, subject))).results
    assert first == second
    assert len(first.items) == 1


def test_items_of_other_purposes_and_restricted_subjects_are_left_out_as_if_not_there(open_vault: Inside) -> None:
    subject, email = new_subject(), new_email()
    mine, theirs = (
        tokens_of(open_vault.ask(tokenize((subject, "email", email), purposes=purposes)))[0]
        for purposes in (["payout", "billing"], ["marketing"])
    )
    for query in (("", None, subject), ("email", email, None)):
        assert found(open_vault, query) == {mine}
        assert found(open_vault, query, purpose="marketing") == {theirs}
        assert found(open_vault, query, purpose="delivery") == set()
    where = {"uid": open_vault.row(t.token, text=mine).subject_uid}
    open_vault.reseal(t.subject, where, state="RESTRICTED")
    assert found(open_vault, ("email", email, None)) == set()


def test_pages_tell_nothing_of_items_that_are_left_out(open_vault: Inside) -> None:
    subject = new_subject()
    for purposes in (["marketing"], ["pay"], ["payout_x", "x.payout"]):
        open_vault.ask(tokenize(*[(subject, "email", new_email())] * 4, purposes=purposes))
    mine = tokens_of(open_vault.ask(tokenize(*[(subject, "email", new_email())] * 2)))
    both = tokens_of(open_vault.ask(tokenize((subject, "email", new_email()), purposes=["billing", "payout"])))
    walk = list(pages(open_vault, ("", None, subject), 2))
    assert [len(page) for page in walk] == [2, 1]
    assert {token for page in walk for token in page} == {*mine, *both}


def test_a_page_token_shows_nobody_where_the_page_ended(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize(*[(subject, "email", new_email())] * 2))
    results = [open_vault.ask(search(("", None, subject), page_size=1)).results[0] for _ in range(2)]
    assert results[0].next_page_token != results[1].next_page_token
    row = open_vault.row(t.token, text=results[0].items[0].token)
    for result in results:
        shown = base64.urlsafe_b64decode(result.next_page_token)
        assert row.uid not in shown
        assert row.item_uid not in shown


def test_search_is_for_readers(open_vault: Inside) -> None:
    for who in ("app", "admin"):
        assert open_vault.refused(search(("", None, new_subject())), who) == "POLICY_DENIED"
    for who in ("masked", "plain"):
        assert found(open_vault, ("", None, new_subject()), who) == set()


def test_an_updated_item_is_found_by_its_new_value_only_and_an_ill_formed_one_by_none(open_vault: Inside) -> None:
    before, after = new_email(), new_email()
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", before))))
    open_vault.ask(update((token, after)))
    assert found(open_vault, ("email", before, None)) == set()
    assert found(open_vault, ("email", after, None)) == {token}
    open_vault.ask(update((token, "no address"), validation=LENIENT))
    assert found(open_vault, ("email", after, None)) == set()


def test_all_queries_together_answer_at_most_a_thousand_items(open_vault: Inside) -> None:
    subject = new_subject()
    queries: list[Query] = [("", None, subject)] * 100
    with pytest.raises(VaultError) as refusal:
        open_vault.ask(search(*queries, page_size=11))
    assert (refusal.value.reason_name, refusal.value.violations[0].field) == ("INVALID_FIELD", "page_size")
    assert open_vault.ask(search(*queries, page_size=10))
    tokens = tokens_of(open_vault.ask(tokenize(*[(subject, "email", new_email())] * 12)))
    assert [len(result.items) for result in open_vault.ask(search(*queries)).results] == [10] * 100
    assert [len(result.items) for result in open_vault.ask(search(*queries[:8])).results] == [len(tokens)] * 8


def test_without_a_page_size_a_page_has_a_hundred_items(open_vault: Inside) -> None:
    subject = new_subject()
    open_vault.ask(tokenize(*[(subject, "email", new_email())] * 101))
    response: vault_service_pb2.SearchResponse = open_vault.ask(search(("", None, subject)))
    assert len(response.results[0].items) == 100
    assert response.results[0].next_page_token
