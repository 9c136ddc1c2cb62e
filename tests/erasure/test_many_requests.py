"""Whoever was in many requests has them blanked in parts: no transaction has more to do than one can, and none stays whole."""

from typing import Any

import pytest
import sqlalchemy as sa
from tests.erasure.blanked import whole
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.working import Working, cut_off_at_the_third, erase
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.server import erasing as eraser
from vault.store import blanking
from vault.store import tables as t

REQUESTS = 9
"""Of one subject, besides the one that made it."""


pytestmark = pytest.mark.usefixtures("parts_of_three_requests")


def busy(at_work: Working) -> tuple[str, bytes, list[Any]]:
    """Somebody whom many requests were about: name, uid, these requests."""
    name = new_subject()
    uid = uid_of(at_work, stored(at_work, name)[0])
    requests = [tokenize((name, "email", new_email())) for _ in range(REQUESTS)]
    for request in requests:
        at_work.ask(request, "all")
    return name, uid, requests


def test_an_erasure_blanks_them_a_part_a_transaction_until_few_are_left_and_refuses_their_retries(
    at_work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, uid, requests = busy(at_work)
    left, real = [whole(at_work.node.engine, uid)], blanking.blank_next

    def part(*of: Any) -> int:
        going = real(*of)
        left.append(whole(at_work.node.engine, uid))
        return going

    monkeypatch.setattr(eraser, "blank_next", part)
    at_work.erase(name)
    assert left == [10, 7, 4, 1, 1]
    assert whole(at_work.node.engine, uid) == 0
    assert at_work.left(uid) == {}
    assert {at_work.refused(request, "all").reason_name for request in requests} == {"REQUEST_ID_REUSED"}


def test_one_that_is_cut_off_between_two_parts_is_finished(at_work: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    name, uid, requests = busy(at_work)
    request = erase(name)
    with cut_off_at_the_third("blank_next", monkeypatch):
        at_work.ask(request)
    assert whole(at_work.node.engine, uid) == REQUESTS + 1 - 6
    at_work.ask(request)
    assert at_work.left(uid) == {}
    assert {at_work.refused(one, "all").reason_name for one in requests} == {"REQUEST_ID_REUSED"}


def test_nothing_of_it_is_blanked_in_parts_whom_few_were_about(at_work: Working) -> None:
    name = new_subject()
    uid = uid_of(at_work, stored(at_work, name)[0])
    assert not blanking.blank_next(at_work.node.engine, at_work.inside.tenant().uid, [uid])
    assert whole(at_work.node.engine, uid) == 1


def test_a_request_is_blanked_for_everybody_whom_it_was_about_and_others_stay_whole(at_work: Working) -> None:
    name, uid, _ = busy(at_work)
    other = new_subject()
    own, shared = tokenize((other, "email", new_email())), tokenize((name, "email", new_email()), (other, "email", new_email()))
    answer = at_work.ask(own, "all")
    other_uid = uid_of(at_work, at_work.ask(shared, "all").results[1].token)
    assert whole(at_work.node.engine, other_uid) == 2
    while blanking.blank_next(at_work.node.engine, at_work.inside.tenant().uid, [uid]):
        pass
    at_work.erase(name)
    assert at_work.refused(shared, "all").reason_name == "REQUEST_ID_REUSED"
    assert at_work.ask(own, "all") == answer
    assert at_work.ask(reveal(answer.results[0].token), "all").results[0].value.text


def test_one_that_comes_while_others_are_blanked_is_found_later(at_work: Working) -> None:
    """It is there only once those of the part were blanked, and among their ids: its link to the subject must outlast theirs."""
    _, uid, _ = busy(at_work)
    link = min(at_work.inside.rows(t.idempotency_subject, subject_uid=uid), key=lambda row: row.request_id)
    request = at_work.inside.row(t.idempotency, request_id=link.request_id)
    late = (int.from_bytes(link.request_id) + 1).to_bytes(16)

    def come(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE idempotency "):
            connection.execute(t.idempotency.insert(), request._replace(request_id=late)._asdict())
            connection.execute(t.idempotency_subject.insert(), link._replace(request_id=late)._asdict())

    sa.event.listen(at_work.node.engine, "after_cursor_execute", come)
    try:
        assert blanking.blank_next(at_work.node.engine, link.tenant_uid, [uid])
    finally:
        sa.event.remove(at_work.node.engine, "after_cursor_execute", come)
    found = {row.request_id for row in at_work.inside.rows(t.idempotency_subject, subject_uid=uid)}
    assert late in found
    assert link.request_id not in found
    assert whole(at_work.node.engine, uid) == REQUESTS + 1 - 3 + 1
