"""Two nodes on one PostgreSQL: what is erased on one is gone for the other's next call, whatever it has in memory."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_interrupted import interrupted
from tests.erasure.working import Working, erase, working
from tests.harness import NewVault
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.errors import VaultError
from vault.store import blanking
from vault.store import tables as t

_WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = :pid")


@pytest.fixture(scope="module")
def both(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Working, Working]]:
    """Two nodes of one vault."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("both"))
    with working(vault) as one, working(vault) as other:
        yield one, other


def test_an_erasure_is_effective_on_the_other_nodes_next_call(both: tuple[Working, Working]) -> None:
    one, other = both
    subject_id = new_subject()
    tokens = stored(one, subject_id)
    assert len(other.ask(reveal(*tokens), "all").results) == 3
    one.erase(subject_id)
    assert other.refused(reveal(tokens[0]), "all").reason_name == "TOKEN_NOT_FOUND"
    assert other.refused(erase(subject_id)).reason_name == "SUBJECT_NOT_FOUND"


def test_one_that_has_only_begun_is_too(both: tuple[Working, Working]) -> None:
    one, other = both
    subject_id = new_subject()
    tokens = stored(one, subject_id)
    other.ask(reveal(tokens[0]), "all")
    request = interrupted(one, subject_id)
    assert other.refused(reveal(tokens[0]), "all").reason_name == "SUBJECT_RESTRICTED"
    assert other.refused(tokenize((subject_id, "email", new_email())), "all").reason_name == "SUBJECT_RESTRICTED"
    assert other.ask(request) == one.ask(request)


def test_both_at_once_finish_an_erasure_once(both: tuple[Working, Working]) -> None:
    one, other = both
    people = [new_subject() for _ in range(4)]
    uids = [uid_of(one, stored(one, subject_id)[0]) for subject_id in people]
    requests = [interrupted(one, subject_id) for subject_id in people]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(node.resume) for node in both]:
            done.result()
    assert [one.left(uid) for uid in uids] == [{}] * 4
    assert [one.ask(request) for request in requests] == [other.ask(request) for request in requests]
    assert {row.state for row in one.inside.rows(t.erasure)} == {"DONE"}


def test_one_request_to_both_at_once_is_one_erasure(both: tuple[Working, Working]) -> None:
    one, _ = both
    subject_id = new_subject()
    uid = uid_of(one, stored(one, subject_id)[0])
    request = erase(subject_id)

    def receipt(node: Working) -> object:
        try:
            return node.ask(request).receipt
        except VaultError as refusal:
            return refusal.reason_name

    with ThreadPoolExecutor(2) as pool:
        first, second = (done.result() for done in [pool.submit(receipt, node) for node in both])
    assert first == second == one.ask(request).receipt
    assert len(one.inside.rows(t.erasure, subject_uid=uid)) == 1


def test_who_stores_while_somebody_is_erased_leaves_nothing_behind(both: tuple[Working, Working]) -> None:
    one, other = both
    for _ in range(5):
        subject_id = new_subject()
        uid = uid_of(one, stored(one, subject_id)[0])

        def store(name: str = subject_id) -> None:
            for _ in range(4):
                try:
                    other.ask(tokenize((name, "email", new_email())), "all")
                except VaultError as refusal:
                    assert refusal.reason_name in ("SUBJECT_RESTRICTED", "CONFLICT")  # noqa: PT017

        with ThreadPoolExecutor(1) as pool:
            storing = pool.submit(store)
            one.erase(subject_id)
            storing.result()
        assert one.left(uid) == {}


def test_one_that_loses_against_the_other_in_a_deadlock_is_to_be_retried_and_then_finishes(
    both: tuple[Working, Working], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blanking, "FEW", 0)
    one, other = both
    subject_id = new_subject()
    uid = uid_of(one, stored(one, subject_id)[0])
    request, engine = erase(subject_id), other.node.engine
    with engine.connect() as rival, ThreadPoolExecutor(1) as pool:
        pid = rival.scalar(sa.text("SELECT pg_backend_pid()"))
        rival.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))  # so that it is not the one that ends
        rival.execute(sa.select(t.idempotency_subject).where(t.idempotency_subject.c.subject_uid == uid).with_for_update())

        def meet(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("UPDATE idempotency ") and not waiting:
                waiting.append(pool.submit(rival.execute, sa.select(t.idempotency).with_for_update()))
                with engine.connect() as onlooker:
                    while not onlooker.scalar(_WAITING, {"pid": pid}):
                        assert not waiting[0].done()
                        threading.Event().wait(0.01)

        waiting: list[Any] = []
        sa.event.listen(one.node.engine, "after_cursor_execute", meet)
        try:
            assert one.refused(request).reason_name == "CONFLICT"
        finally:
            sa.event.remove(one.node.engine, "after_cursor_execute", meet)
        waiting[0].result(60)
    assert one.left(uid)
    one.ask(request)
    assert one.left(uid) == {}
