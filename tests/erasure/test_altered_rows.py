"""Whoever edits the database while somebody is erased: nothing is said to be done that isn't, and nothing of it is forgotten."""

from typing import Any

import pytest
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_interrupted import interrupted, kms_down
from tests.erasure.working import Working, erase, statement_of
from tests.harness import context
from tests.use_cases.requests import new_subject, reveal

from vault.audit.events import request_id_bytes
from vault.store import tables as t
from vault.v1.subject_service_pb2 import BulkEraseRequest, GetErasureReceiptRequest, VerifyErasureRequest

DONE_LIES: dict[str, Any] = {
    "state": "BEGUN",
    "statement": b"\x08\x01",
    "epoch": 9,
    "index_key_version": 9,
    "begin_us": 1,
    "end_us": 1,
    "horizon_us": 1,
    "operation_uid": bytes(16),
}


@pytest.mark.parametrize("column", DONE_LIES)
def test_an_edited_column_of_an_erasure_that_is_done_is_noticed_by_all_that_rest_on_it(at_work: Working, column: str) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    before = at_work.inside.row(t.erasure, uid=uid)
    at_work.inside.edit(t.erasure, {"uid": uid}, **{column: DONE_LIES[column]})
    at_work.resume()
    for request in (GetErasureReceiptRequest, VerifyErasureRequest):
        assert at_work.refused(request(context=context(), erasure_uid=uid)).reason_name == "INTEGRITY"
    edited = at_work.inside.row(t.erasure, uid=uid)
    assert edited == before._replace(**{column: DONE_LIES[column]})
    at_work.inside.edit(t.erasure, {"uid": uid}, **before._asdict())
    assert at_work.verify(uid).clean


def test_nobody_gets_a_receipt_of_an_erasure_that_only_a_column_says_is_done(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id)
    row = at_work.inside.row(t.erasure, subject_uid=uid)
    at_work.inside.edit(t.erasure, {"uid": row.uid}, state="DONE", end_us=row.begin_us + 1)
    at_work.resume()
    assert at_work.refused(request).reason_name == "INTEGRITY"
    assert at_work.refused(GetErasureReceiptRequest(context=context(), erasure_uid=row.uid)).reason_name == "INTEGRITY"
    assert at_work.left(uid)
    at_work.inside.edit(t.erasure, {"uid": row.uid}, state="BEGUN", end_us=0)
    assert at_work.ask(request).receipt.subject_id == subject_id
    assert not at_work.left(uid)


def test_an_erasure_put_back_to_its_beginning_still_names_every_key_and_item_that_went(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id)
    begun = at_work.inside.row(t.erasure, subject_uid=uid)
    first = statement_of(at_work.ask(request).receipt)
    at_work.inside.edit(t.erasure, {"uid": begun.uid}, **begun._asdict())
    at_work.resume()
    again = statement_of(at_work.receipt(begun.uid))
    assert list(again.keys) == list(first.keys)
    assert (list(again.items), again.tokens) == (list(first.items), first.tokens)
    assert first.tokens == 3


def test_a_key_that_is_hidden_while_the_erasure_is_done_is_named_all_the_same(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id)
    key = at_work.inside.row(t.subject_key, subject_uid=uid)
    at_work.inside.remove(t.subject_key, subject_uid=uid)
    assert [each.key_id for each in statement_of(at_work.ask(request).receipt).keys] == [key.key_id]


def test_a_column_does_not_reach_a_horizon(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    at_work.inside.reseal(t.erasure, {"uid": uid}, horizon_us=1)
    at_work.integrate()
    assert not at_work.verify(uid).horizon_reached
    assert not at_work.receipt(uid).HasField("horizon")


def test_many_are_said_to_be_erased_once_each_is_whatever_the_columns_say(at_work: Working) -> None:
    names = [new_subject(), new_subject()]
    first, second = (uid_of(at_work, stored(at_work, name)[0]) for name in names)
    with kms_down(at_work):
        operation = at_work.ask(BulkEraseRequest(context=context(), subject_ids=names)).operation
    where = {"uid": bytes.fromhex(operation.name.partition("/")[2])}
    at_work.inside.edit(t.operation, where, total=0)
    at_work.inside.edit(t.erasure, {"subject_uid": second}, state="DONE")
    at_work.resume()
    assert at_work.left(second)
    assert not at_work.left(first)
    assert at_work.inside.row(t.operation, **where).state == "RUNNING"
    at_work.inside.edit(t.erasure, {"subject_uid": second}, state="BEGUN")
    at_work.resume()
    assert at_work.inside.row(t.operation, **where).state == "DONE"
    assert not at_work.left(second)


def test_nobody_who_came_back_is_said_to_be_erased_because_an_older_erasure_was_given_the_request(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    first = statement_of(at_work.erase(subject_id)).erasure_uid
    (token, *_) = stored(at_work, subject_id)
    request = erase(subject_id)
    at_work.inside.edit(t.erasure, {"uid": first}, request_id=request_id_bytes(request.context))
    assert at_work.refused(request).reason_name == "INTEGRITY"
    assert at_work.ask(reveal(token), "all").results[0].value.text
    assert statement_of(at_work.erase(subject_id)).erasure_uid != first
