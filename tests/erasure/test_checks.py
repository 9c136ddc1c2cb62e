"""VerifyErasure: one note is read for it, and however long the KMS takes for that, erasures go on."""

import threading
from typing import Any

import pytest
from tests.erasure.test_erase import stored
from tests.erasure.working import Working, statement_of
from tests.harness import context
from tests.use_cases.requests import new_subject

from vault.v1.subject_service_pb2 import VerifyErasureRequest


def test_only_the_erasures_own_note_is_read(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    asked: list[Any] = []
    one = at_work.node.key_manager.destroyed_by

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return one(*arguments)

    def every(_tenant_uid: bytes) -> Any:
        raise AssertionError("all notes were read")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "destroyed", every)
        patch.setattr(at_work.node.key_manager, "destroyed_by", counted)
        assert at_work.verify(uid).anchored
    assert asked == [(at_work.inside.tenant().uid, uid)]


def test_what_the_kms_has_forgotten_is_not_anchored(at_work: Working) -> None:
    subject_id = new_subject()
    stored(at_work, subject_id)
    uid = statement_of(at_work.erase(subject_id)).erasure_uid
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "destroyed_by", lambda *_: None)
        assert not at_work.verify(uid).anchored


def test_questions_that_wait_for_the_kms_hold_up_no_erasure(at_work: Working) -> None:
    names = [new_subject(), new_subject()]
    for name in names:
        stored(at_work, name)
    uid = statement_of(at_work.erase(names[0])).erasure_uid
    may_go_on, waiting = threading.Event(), threading.Semaphore(0)

    def slow(*_: Any) -> str:
        waiting.release()
        assert may_go_on.wait(60)
        return "a note"

    request = VerifyErasureRequest(context=context(), erasure_uid=uid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "destroyed_by", slow)
        try:
            seconds = 0.1
            while not waiting.acquire(blocking=False):  # until it comes so far within its time
                seconds *= 2
                assert at_work.refused(request, seconds=seconds).reason_name == "DEADLINE_EXCEEDED"
            for _ in range(5):
                assert at_work.refused(request, seconds=0.1).reason_name == "DEADLINE_EXCEEDED"
            assert at_work.erase(names[1]).subject_id == names[1]
        finally:
            may_go_on.set()
