"""Whoever was in many requests has them blanked in parts before a re-keying begins, and what is asked meanwhile is answered."""

from typing import Any

import pytest
from tests.erasure.blanked import whole
from tests.rotation.works import ask_rekey, begin_rotation, phases, rekeyed_by_another, rekeying
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.store import tables as t

REQUESTS = 10

pytestmark = pytest.mark.usefixtures("parts_of_three_requests")


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


def test_they_are_blanked_a_part_a_transaction_and_the_new_key_comes_with_the_last_few(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = ask_rekey(open_vault, busy.name)
    seen = [(busy.whole(), busy.version(), work.held.moved) for work in rekeying(open_vault)]
    assert seen == [(7, 1, 3), (4, 1, 6), (1, 1, 9), (0, 2, 9 + REQUESTS + 1)]
    assert rekeyed_by_another(open_vault, name).done["subjects_rekeyed"] == 1
    assert {open_vault.refused(request) for request in busy.requests} == {"REQUEST_ID_REUSED"}
    assert len(open_vault.ask(reveal(*busy.tokens)).results) == REQUESTS


def test_what_is_asked_meanwhile_is_done_and_blanked_with_the_rest(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = ask_rekey(open_vault, busy.name)
    for _ in rekeying(open_vault):
        if busy.version() == 1:
            busy.store()
    assert len(busy.requests) > REQUESTS
    assert busy.whole() == 0
    assert rekeyed_by_another(open_vault, name).done["subjects_rekeyed"] == 1
    assert {open_vault.refused(request) for request in busy.requests} == {"REQUEST_ID_REUSED"}
    assert len(open_vault.ask(reveal(*busy.tokens)).results) == REQUESTS


def test_one_that_is_cut_off_between_two_parts_is_finished_by_another_worker(open_vault: Inside) -> None:
    busy = Busy(open_vault)
    name = ask_rekey(open_vault, busy.name)
    for _ in rekeying(open_vault):
        if busy.whole() < REQUESTS // 2:
            break
    assert busy.version() == 1
    assert rekeyed_by_another(open_vault, name).done["subjects_rekeyed"] == 1
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
