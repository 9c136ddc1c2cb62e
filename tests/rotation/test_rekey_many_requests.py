"""Whoever was in many requests has them blanked in parts before a re-keying begins, and what is asked meanwhile is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.erasure.test_many_requests import whole
from tests.harness import context
from tests.rotation.works import attested, begin_rotation, desk, phases, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.store import blanking
from vault.store import tables as t
from vault.store.rotation.progress import take
from vault.v1 import key_service_pb2 as v1

REQUESTS = 10


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part has three requests, and two are few."""
    monkeypatch.setattr(blanking, "PART_ROWS", 3)
    monkeypatch.setattr(blanking, "FEW", 2)


class Busy:
    """Somebody whom many requests were about."""

    def __init__(self, inside: Inside) -> None:
        self.inside, self.name = inside, new_subject()
        self.requests = list[Any]()
        self.tokens = [self.store() for _ in range(REQUESTS)]
        self.uid = inside.row(t.token, text=self.tokens[0]).subject_uid

    def store(self) -> str:
        """One more request; its token."""
        self.requests.append(tokenize((self.name, "email", new_email())))
        (token,) = tokens_of(self.inside.ask(self.requests[-1]))
        return token

    def whole(self) -> int:
        """How many requests have digests that can be tried."""
        return whole(self.inside.engine, self.uid)

    def version(self) -> int:
        """The version of the newest store key."""
        return int(self.inside.row(t.subject, uid=self.uid).store_key_version)


def _steps(inside: Inside) -> Iterator[Rekey]:
    """Run the re-keying that was asked for, step by step."""
    with desk(inside) as one:
        row = inside.row(t.operation, live_kind="Rekey")
        assert take(inside.engine, row, one.name)
        work = Rekey(HeldOperation(one, row), batch=500)
        while work.step():
            yield work


def _ask(busy: Busy) -> str:
    request = v1.RekeyRequest(context=context("incident"), subject_id=busy.name)
    return str(busy.inside.ask(request, "security").operation.name)


def _end(inside: Inside, name: str) -> None:
    """Let a worker bring it to its end, or find that it is there."""
    inside.edit(t.operation, {"live_kind": "Rekey"}, until_us=0)
    with worker(inside, "key-worker:another") as working:
        working.look()
    assert attested(inside, name).done["subjects_rekeyed"] == 1


def test_they_are_blanked_a_part_a_transaction_and_the_new_key_comes_with_the_last_few(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = _ask(busy)
    seen = [(busy.whole(), busy.version(), work.held.moved) for work in _steps(open_vault)]
    assert seen == [(7, 1, 3), (4, 1, 6), (1, 1, 9), (0, 2, 9 + REQUESTS + 1)]
    _end(open_vault, name)
    assert {open_vault.refused(request) for request in busy.requests} == {"REQUEST_ID_REUSED"}
    assert len(open_vault.ask(reveal(*busy.tokens)).results) == REQUESTS


def test_what_is_asked_meanwhile_is_done_and_blanked_with_the_rest(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = _ask(busy)
    for _ in _steps(open_vault):
        if busy.version() == 1:
            busy.store()
    assert len(busy.requests) > REQUESTS
    assert busy.whole() == 0
    _end(open_vault, name)
    assert {open_vault.refused(request) for request in busy.requests} == {"REQUEST_ID_REUSED"}
    assert len(open_vault.ask(reveal(*busy.tokens)).results) == REQUESTS


def test_one_that_is_cut_off_between_two_parts_is_finished_by_another_worker(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = _ask(busy)
    for _ in _steps(open_vault):
        if busy.whole() < REQUESTS // 2:
            break
    assert busy.version() == 1
    _end(open_vault, name)
    assert (busy.whole(), busy.version()) == (0, 2)


def test_a_rotation_finds_them_blank_of_whoever_is_due_and_whole_of_whoever_is_not(open_vault: Inside) -> None:
    due, kept = Busy(open_vault), Busy(open_vault)
    open_vault.ask(delete(due.tokens.pop()))
    begin_rotation(open_vault)
    at = [phase for phase in phases(open_vault) if phase == "REKEY"]
    assert len(at) > REQUESTS // 3
    assert (due.whole(), due.version()) == (0, 2)
    assert (kept.whole(), kept.version()) == (REQUESTS, 1)
    assert open_vault.ask(kept.requests[0]).results[0].token == kept.tokens[0]
