"""Whoever has more than one transaction can delete in time is erased in parts; the receipt counts all, whatever came between."""

from typing import Any

import pytest
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_interrupted import interrupted
from tests.erasure.working import Working, cut_off_at_the_third, erase, statement_of
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.server import erasing as eraser
from vault.store import erasing
from vault.store import tables as t

ITEMS = 9


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part has two rows of a table."""
    monkeypatch.setattr(erasing, "PART_ROWS", 2)


def rich(at_work: Working) -> tuple[str, bytes, list[str]]:
    """Somebody with many items: name, uid, tokens."""
    name = new_subject()
    tokens = stored(at_work, name)
    request = tokenize(*((name, "email", new_email()) for _ in range(ITEMS - len(tokens))))
    tokens += [result.token for result in at_work.ask(request, "all").results]
    return name, uid_of(at_work, tokens[0]), tokens


def counts(receipt: Any) -> tuple[dict[str, int], int]:
    """What a receipt says of items and tokens."""
    said = statement_of(receipt)
    return {each.data_class: each.count for each in said.items}, said.tokens


def test_everything_goes_and_is_counted_and_nothing_of_anybody_else(at_work: Working) -> None:
    name, uid, _ = rich(at_work)
    other = stored(at_work, new_subject())
    receipt = at_work.erase(name)
    assert counts(receipt) == ({"email": ITEMS - 1, "phone": 1}, ITEMS)
    assert at_work.left(uid) == {}
    assert len(at_work.ask(reveal(*other), "all").results) == 3


def test_no_transaction_of_it_deletes_more_than_a_part(at_work: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    name, uid, _ = rich(at_work)
    before, left, real = at_work.left(uid), list[dict[str, int]](), erasing.erase_part

    def part(*of: Any) -> bool:
        going = real(*of)
        left.append(at_work.left(uid))
        return going

    monkeypatch.setattr(eraser, "erase_part", part)
    at_work.erase(name)
    assert [each.get("item", 0) for each in left] == [7, 5, 3, 1, 0, 0]
    assert [each.get("token", 0) for each in left] == [7, 5, 3, 1, 0, 0]
    assert all(each["subject_key"] == before["subject_key"] for each in left)


def test_an_erasure_that_is_cut_off_between_two_parts_is_finished_and_counts_what_went_before(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, uid, tokens = rich(at_work)
    request = erase(name)
    with cut_off_at_the_third("erase_part", monkeypatch):
        at_work.ask(request)
    assert at_work.left(uid)["item"] == ITEMS - 4
    assert {at_work.refused(reveal(token), "all").reason_name for token in tokens} == {"SUBJECT_RESTRICTED", "TOKEN_NOT_FOUND"}
    receipt = at_work.ask(request).receipt
    assert counts(receipt) == ({"email": ITEMS - 1, "phone": 1}, ITEMS)
    assert at_work.left(uid) == {}


def test_nothing_goes_before_the_kms_has_its_note(at_work: Working) -> None:
    name, uid, _ = rich(at_work)
    before = at_work.left(uid)
    request = interrupted(at_work, name)
    assert at_work.left(uid) == before
    assert at_work.ask(request).receipt.subject_id == name
    assert at_work.inside.rows(t.item, subject_uid=uid) == []
