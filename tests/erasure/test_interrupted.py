"""Erasures that something gets in the way of: they are refused, finished later by any node, and never half there."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.working import PATIENCE_S, Working, erase, statement_of, working
from tests.harness import Vault, context
from tests.keys.requests import seal, unsealed
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, update

from vault.errors import VaultError
from vault.kms.key_manager import KmsUnavailableError
from vault.store import erasures
from vault.store import tables as t
from vault.subjects.finish_erasure import FinishErasure
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import GetErasureReceiptRequest


@contextmanager
def kms_down(at_work: Working) -> Iterator[None]:
    """The KMS takes no notes meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "note_destroyed", _unavailable)
        yield


def _unavailable(*_: Any) -> None:
    raise KmsUnavailableError("the KMS does not answer", retry_after_s=1.0)


def interrupted(at_work: Working, subject_id: str) -> Any:
    """The request of an erasure that has begun and is not done."""
    request = erase(subject_id)
    with kms_down(at_work):
        refusal = at_work.refused(request)
    assert refusal.reason_name == "KMS_UNAVAILABLE"
    assert refusal.retry_after_s == 1.0
    assert "request_id" in refusal.message
    return request


def test_while_the_kms_is_away_nothing_is_destroyed_and_nothing_is_used(at_work: Working) -> None:
    subject_id = new_subject()
    tokens = stored(at_work, subject_id)
    uid = uid_of(at_work, tokens[0])
    rows = at_work.left(uid)
    interrupted(at_work, subject_id)
    assert at_work.left(uid) == rows
    for use in (
        reveal(tokens[0]),
        update((tokens[0], new_email())),
        tokenize((subject_id, "email", new_email())),
    ):
        assert at_work.refused(use, "all").reason_name == "SUBJECT_RESTRICTED"
    assert at_work.refused(erase(subject_id)).reason_name == "WRONG_STATE"
    with kms_down(at_work):
        at_work.resume()
    assert at_work.left(uid) == rows


def test_what_was_begun_is_finished_and_the_same_request_gets_the_receipt(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id)
    row = at_work.inside.row(t.erasure, subject_uid=uid)
    assert row.state == "BEGUN"
    refusal = at_work.refused(GetErasureReceiptRequest(context=context(), erasure_uid=row.uid))
    assert refusal.reason_name == "WRONG_STATE"
    at_work.resume()
    assert at_work.left(uid) == {}
    receipt = at_work.ask(request).receipt
    assert (receipt.subject_id, receipt.statement) == (subject_id, at_work.receipt(row.uid).statement)
    assert statement_of(receipt).clean_time.ToMicroseconds() > 0


def test_the_same_request_finishes_what_it_began(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    receipt = at_work.ask(interrupted(at_work, subject_id)).receipt
    assert at_work.left(uid) == {}
    assert at_work.verify(statement_of(receipt).erasure_uid).anchored


def test_what_was_deleted_in_between_is_not_counted(at_work: Working) -> None:
    subject_id = new_subject()
    tokens = stored(at_work, subject_id)
    request = interrupted(at_work, subject_id)
    at_work.ask(delete(tokens[0]), "admin")
    said = statement_of(at_work.ask(request).receipt)
    assert {each.data_class: each.count for each in said.items} == {"email": 1, "phone": 1}


def test_a_deadline_that_passes_meanwhile_is_told_and_the_erasure_is_finished(at_work: Working) -> None:
    subject_id, may_go_on = new_subject(), threading.Event()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    note = at_work.node.key_manager.note_destroyed

    def slow(*arguments: Any) -> None:
        assert may_go_on.wait(60)
        note(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "note_destroyed", slow)
        request = erase(subject_id)
        refusal = at_work.refused(request, seconds=0.5)
        may_go_on.set()
        assert refusal.reason_name == "DEADLINE_EXCEEDED"
        assert at_work.ask(request).receipt.subject_id == subject_id
    assert at_work.left(uid) == {}


def test_what_was_anchored_and_not_done_is_anchored_once(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    notes: list[Any] = []
    note = at_work.node.key_manager.note_destroyed

    def noted(*arguments: Any) -> None:
        note(*arguments)
        notes.append(arguments)
        raise KmsUnavailableError("the answer got lost")

    request = erase(subject_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "note_destroyed", noted)
        at_work.refused(request)
        at_work.resume()
    at_work.ask(request)
    assert len(notes) == 2
    assert notes[0] == notes[1]


def test_an_erasure_that_another_node_has_finished_is_left_alone(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id)
    before = at_work.inside.row(t.erasure, subject_uid=uid)
    first = at_work.ask(request)
    with at_work.inside.events() as events:
        at_work.run(at_work.eraser._finish(before))  # as a node that has read the row before
    assert [event.reason for event in events] == [common_pb2.ERROR_REASON_CONFLICT]
    assert at_work.ask(request) == first


def test_rows_that_are_left_are_an_alarm(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    counted = at_work.metrics.erasures_unclean._value.get()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasures, "rows_left", lambda *_: {"item": 2})
        refusal = at_work.refused(erase(subject_id))
    assert refusal.reason_name == "INTEGRITY"
    assert "item" in refusal.message
    assert at_work.metrics.erasures_unclean._value.get() == counted + 1


def test_another_node_finishes_what_one_that_is_gone_left_behind(vault: Vault) -> None:
    subject_id = new_subject()
    with working(vault) as gone:
        uid = uid_of(gone, stored(gone, subject_id)[0])
        request = interrupted(gone, subject_id)
    with working(vault) as other:
        other.resume()
        assert [type(call) for call in other.submitted] == [FinishErasure]
        assert other.left(uid) == {}
        assert other.ask(request).receipt.subject_id == subject_id


def test_of_a_sealed_tenant_nobody_is_erased_until_it_is_served_again(vault: Vault) -> None:
    with working(vault) as at_work:
        subject_id = new_subject()
        uid = uid_of(at_work, stored(at_work, subject_id)[0])
        before, request = at_work.left(uid), interrupted(at_work, subject_id)
        at_work.ask(seal(), "security")
        row = at_work.inside.row(t.erasure, subject_uid=uid)
        with pytest.raises(VaultError) as refusal:
            at_work.run(at_work.eraser.finish(row.tenant_uid, row.uid))
        assert refusal.value.reason_name == "TENANT_SEALED"
        late = FinishErasure(row, at_work.eraser._promises, at_work.node.key_manager.kek(row.tenant_uid))  # begun before the seal
        (answer,) = at_work.inside.answers([late])
        assert isinstance(answer, VaultError)
        assert answer.reason_name == "TENANT_SEALED"
        assert at_work.left(uid) == before
        unsealed(at_work.inside)
        statement = statement_of(at_work.ask(request).receipt)
        assert (len(statement.keys), statement.unopened_keys) == (1, 0)
        assert not at_work.left(uid)


@pytest.mark.parametrize("whose", ["globex", "acme"])
def test_more_erasures_than_a_round_takes_that_cant_be_finished_keep_nobody_from_being_erased(vault: Vault, whose: str) -> None:
    with working(vault) as at_work, pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasures, "_LIMIT", 5)
        subject_id = new_subject()
        uid = uid_of(at_work, stored(at_work, subject_id)[0])
        interrupted(at_work, subject_id)
        row = at_work.inside.row(t.erasure, subject_uid=uid)
        tenant_uid = at_work.inside.tenant(whose).uid
        with at_work.node.engine.begin() as connection:
            for _ in range(7):
                another = {name: secrets.token_bytes(16) for name in ("uid", "subject_uid", "request_id")}
                stuck = row._replace(tenant_uid=tenant_uid, begin_us=1, **another)
                connection.execute(t.erasure.insert().values(stuck._asdict()))
        until = time.monotonic() + PATIENCE_S
        while at_work.left(uid) and time.monotonic() < until:
            at_work.resume()
        assert not at_work.left(uid)
