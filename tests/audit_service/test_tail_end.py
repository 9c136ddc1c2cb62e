"""The event of a tail's end is written whatever has happened, and claims nothing that its boot may not."""

import asyncio
import time
from concurrent.futures import Future
from typing import Any

import pytest
from tests.audit_service.desk import Desk
from tests.harness import context

from vault.auditing.tail import Range, TailEnded
from vault.errors import VaultError
from vault.server.streams import closing
from vault.server.streams.closing import Closings
from vault.store.runner import Answer
from vault.v1 import audit_pb2, common_pb2


def ended(desk: Desk, tenant: str = "acme") -> TailEnded:
    return TailEnded(desk.inside.caller("auditor", tenant), context("audit"), Range(5, 9, 2), "CALLER_GONE")


@pytest.mark.parametrize("with_keys", [True, False])
def test_without_keys_nothing_is_said_to_be_allowed(desk: Desk, with_keys: bool) -> None:
    tenant = desk.new_tenant()
    desk.inside.keys(tenant)
    if not with_keys:
        desk.inside.node.keys.drop(desk.tenant(tenant).uid)
    assert desk.inside.answers([ended(desk, tenant)]) == [b""]
    event = desk.last_event(tenant)
    assert (event.action, event.principal_uid != b"") == ("TailEnded", True)
    assert event.decision == (audit_pb2.DECISION_ALLOWED if with_keys else audit_pb2.DECISION_FAILED)
    assert dict(event.details) == {"ended": "CALLER_GONE", "start_index": "5", "next_index": "9", "sent": "2"}


class _Lane:
    """Answers what it is told to, one after the other."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def submit(self, act: Any, _weight: int) -> "Future[Answer]":
        self.asked.append(act)
        answer = self.answers.pop(0)
        if answer is None:
            raise VaultError(common_pb2.ERROR_REASON_OVERLOADED, "no place")
        future: Future[Answer] = Future()
        future.set_result(answer)
        return future


GONE = VaultError(common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, "gone")


@pytest.mark.parametrize(
    ("answers", "tries"), [((b"",), 1), ((None, b""), 2), ((GONE, None, b""), 3), ((GONE, GONE, GONE, GONE), 4), ((None,) * 4, 4)]
)
def test_it_is_tried_again_until_it_is_written_or_hope_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answers: tuple[Answer | None, ...], tries: int
) -> None:
    monkeypatch.setattr(closing, "_AGAIN_S", (0.0, 0.0, 0.0))
    lane, act = _Lane(*answers), ended(desk)

    async def run() -> None:
        closings = Closings(lane.submit)
        closings.leave(act)
        assert len(lane.asked) == 1  # at once, lest the loop ends first
        while closings.are_due:
            await asyncio.sleep(0)

    asyncio.run(run())
    assert lane.asked == [act] * tries
    assert act.deadline > time.monotonic()
