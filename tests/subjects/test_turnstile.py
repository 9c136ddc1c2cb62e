"""The tenant's row on PostgreSQL: whoever changes what it says gets through, however many write at the same time."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from tests.harness import NewVault
from tests.rotation.works import begin_rotation, phases
from tests.subjects.requests import link, register
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.access.issuing import principal_uri
from vault.principals import suspend
from vault.server.node import Node
from vault.store import runner
from vault.store.rotation import turnstile
from vault.store.rotation.turnstile import pinning

WRITERS = 3
PATIENCE_S = 60.0
ENDLESS = "somebody-with-ever-more-names"
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
)


@pytest.fixture(scope="module")
def nodes(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Inside]]:
    """Some nodes on one PostgreSQL, each with the tenant's keys in memory."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    made = [Inside(vault, Node(vault.config)) for _ in range(WRITERS + 1)]
    for one in made:
        one.keys()
    yield made
    for one in made:
        one.node.close()


@pytest.fixture(autouse=True)
def much_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction may take as long as the machine needs."""
    for module in (runner, turnstile):
        monkeypatch.setattr(module, "MAX_TRANSACTION_S", PATIENCE_S)


@contextmanager
def held_back(node: Inside) -> Iterator[Callable[[], None]]:
    """A call that has written and not committed; the block gets what lets it go on."""
    reached, may_go = threading.Event(), threading.Event()

    def hold(_connection: Any) -> None:
        reached.set()
        assert may_go.wait(PATIENCE_S)

    sa.event.listen(node.engine, "commit", hold)
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(node.ask, tokenize((new_subject(), "email", new_email())))
        assert reached.wait(PATIENCE_S)
        try:
            yield may_go.set
        finally:
            may_go.set()
            sa.event.remove(node.engine, "commit", hold)
        stored.result(PATIENCE_S)


def wait_until_waiting(node: Inside, count: int, unless: Future[Any]) -> None:
    """Wait until so many wait for a lock; refuse if somebody is done who should wait."""
    until = time.monotonic() + PATIENCE_S
    with node.node.log_engine.connect() as connection:
        while True:
            waiting = connection.scalar(_WAITING)
            connection.rollback()
            assert not unless.done(), "it went past who had come before"
            if waiting >= count:
                return
            assert time.monotonic() < until
            time.sleep(0.02)  # the database tells nobody who waits for a lock: it is asked


def write(node: Inside) -> None:
    """Store something."""
    node.ask(tokenize((new_subject(), "email", new_email())))


def step(node: Inside) -> None:
    """A step of a rotation."""
    with pinning(node.engine, node.keys()) as (_, tenant):
        assert tenant.uid == node.tenant().uid


def link_a_name(node: Inside) -> None:
    """Let a new subject have another name."""
    node.ask(link(ENDLESS, new_subject()), "admin")


def suspend_somebody(node: Inside) -> None:
    """Stop a principal."""
    (answer,) = node.answers([suspend(node.tenant().uid, principal_uri("acme", "masked"))])
    assert answer == b""


@pytest.mark.parametrize("change", [link_a_name, suspend_somebody])
@pytest.mark.parametrize("late", [write, step])
def test_who_writes_later_waits_for_whoever_waits_to_change_the_tenant(nodes: list[Inside], late: Any, change: Any) -> None:
    """The first writer is in the way of the owner alone, so that whoever else waits does so behind the owner."""
    first, owner, other, _ = nodes
    first.ask(register(ENDLESS))
    with ThreadPoolExecutor(2) as pool, held_back(first) as let_go:
        owning = pool.submit(change, owner)
        wait_until_waiting(first, 1, owning)
        writing = pool.submit(late, other)
        wait_until_waiting(first, 2, writing)
        let_go()
        owning.result(PATIENCE_S)
        writing.result(PATIENCE_S)


def test_many_who_never_stop_writing_hold_up_neither_an_owner_nor_a_rotation(nodes: list[Inside]) -> None:
    """Writers stop only once both are through."""
    mine, *others = nodes
    ended, written = threading.Event(), itertools.count()

    def keep_writing(node: Inside) -> None:
        while not ended.is_set():
            node.answers([node.call(tokenize((new_subject(), "email", new_email())))])
            next(written)

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(keep_writing, node) for node in others]
        try:
            name = new_subject()
            mine.ask(register(name))
            mine.ask(link(name, new_subject()), "admin")
            begin_rotation(mine)
            assert list(phases(mine, batch=50))
        finally:
            ended.set()
        for writer in writers:
            writer.result(PATIENCE_S)
    assert next(written)
