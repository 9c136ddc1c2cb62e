"""What several callers do at once to one name or one subject: exactly one of them wins, in one group and on two nodes."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from tests.harness import NewVault, context
from tests.subjects.requests import link, place_hold, register, restrict, show, unlink, unrestrict
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, reveal, search, tokenize, tokens_of

from vault.admission import Admitted
from vault.call import Call
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.named_subjects import lookups
from vault.server.node import Node
from vault.store import tables as t
from vault.store.reads import Reads
from vault.store.runner import MoreRowsError
from vault.v1 import subject_service_pb2 as v1

ROUNDS = 8
PATIENCE_S = 60
Asked = tuple[Message, str]


@pytest.fixture(scope="module")
def nodes(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inside, Inside]]:
    """Two nodes on one PostgreSQL, each with the tenant's keys in memory."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    first, second = (Inside(vault, Node(vault.config)) for _ in range(2))
    for one in (first, second):
        one.keys()
    yield first, second
    for one in (first, second):
        one.node.close()


def erase(subject_id: str) -> v1.EraseRequest:
    """Begin an erasure."""
    return v1.EraseRequest(context=context(ground="consent_withdrawn"), subject_id=subject_id)


def told(answer: Any) -> str:
    """OK, or the reason of a refusal."""
    return answer.reason_name if isinstance(answer, VaultError) else "OK"


def together(vault: Inside, asked: Sequence[Asked]) -> list[str]:
    """What requests are told that one runner gets as one group."""
    return [told(answer) for answer in vault.answers([vault.call(*one) for one in asked])]


def race(nodes: tuple[Inside, Inside], *asked: Asked) -> list[str]:
    """What two requests are told that are sent at the same moment, one to each node."""
    barrier = threading.Barrier(len(nodes))

    def send(node: Inside, one: Asked) -> str:
        call = node.call(*one)
        barrier.wait(PATIENCE_S)
        return told(node.answers([call])[0])

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(send, nodes, asked))


def overtaken(nodes: tuple[Inside, Inside], slow: Asked, fast: Asked) -> list[str]:
    """What both are told if the second begins when the first has written and not committed, and waits for it in the database."""
    mine, other = nodes
    second: list[Future[list[Any]]] = []

    def begin_second(_connection: Any) -> None:
        if not second:
            second.append(pool.submit(other.answers, [other.call(*fast)]))
            wait_for_a_lock(mine.vault.config.database.url or "")

    with ThreadPoolExecutor(1) as pool:
        sa.event.listen(mine.engine, "commit", begin_second)
        (first,) = mine.answers([mine.call(*slow)])
        sa.event.remove(mine.engine, "commit", begin_second)
        return [told(first), told(second[0].result(PATIENCE_S)[0])]


def wait_for_a_lock(url: str) -> None:
    """Return once somebody waits for a lock in the database; if nobody does, PostgreSQL ends this with an error."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"options": f"-c statement_timeout={PATIENCE_S}s"})
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with engine.connect() as connection:
        found = f"BEGIN LOOP PERFORM pg_stat_clear_snapshot(); EXIT WHEN EXISTS ({waiting}); PERFORM pg_sleep(0.01); END LOOP; END"
        connection.execute(sa.text(f"DO $$ {found} $$"))
    engine.dispose()


def owners(vault: Inside, name: str) -> list[bytes]:
    """The subjects that a name leads to: by the rows themselves, as no call reads them."""
    places = lookups(vault.keys(), [name])
    aliases = [row.subject_uid for row in vault.rows(t.subject_alias) if row.lookup in places]
    return aliases + [row.uid for row in vault.rows(t.subject) if row.lookup in places]


def test_one_name_for_two_subjects_in_one_group_goes_to_one(open_vault: Inside) -> None:
    first, second, alias = new_subject(), new_subject(), new_subject()
    open_vault.ask(register(first))
    open_vault.ask(register(second))
    asked: list[Asked] = [(link(first, alias), "admin"), (link(second, alias), "admin")]
    assert Counter(together(open_vault, asked)) == {"OK": 1, "ALIAS_TAKEN": 1}
    assert len(owners(open_vault, alias)) == 1


@pytest.mark.parametrize("turn", [1, -1])
def test_a_name_that_is_linked_and_stored_for_in_one_group_leads_to_one_subject(open_vault: Inside, turn: int) -> None:
    first, alias = new_subject(), new_subject()
    open_vault.ask(register(first))
    asked: list[Asked] = [(link(first, alias), "admin"), (tokenize((alias, "email", new_email())), "app")]
    assert together(open_vault, asked[::turn])[::turn] == ["ALIAS_TAKEN", "OK"]
    assert len(owners(open_vault, alias)) == 1


def test_two_that_are_registered_with_each_other_s_names_in_one_group_are_one(open_vault: Inside) -> None:
    first, second = new_subject(), new_subject()
    asked: list[Asked] = [(register(first, second), "all"), (register(second, first), "all")]
    assert together(open_vault, asked) == ["OK", "OK"]
    assert owners(open_vault, first) == owners(open_vault, second)
    assert len(owners(open_vault, first)) == 1


def test_a_hold_and_an_erasure_in_one_group_exclude_each_other(open_vault: Inside) -> None:
    for asked_first in (True, False):
        name = new_subject()
        open_vault.ask(register(name))
        asked: list[Asked] = [(place_hold(name), "privacy"), (erase(name), "privacy")]
        told_then = together(open_vault, asked if asked_first else asked[::-1])
        assert told_then == (["OK", "SUBJECT_HELD"] if asked_first else ["OK", "WRONG_STATE"])


def test_what_is_stored_in_the_group_of_an_erasure_is_counted_in_it(open_vault: Inside) -> None:
    name = new_subject()
    open_vault.ask(register(name))
    calls = [open_vault.call(erase(name), "privacy"), open_vault.call(tokenize((name, "email", new_email())), "app")]
    erasure, stored = open_vault.answers(calls)
    assert isinstance(stored, bytes)
    statement = v1.ErasureStatement.FromString(v1.EraseResponse.FromString(bytes(erasure)).receipt.statement)  # type: ignore[arg-type]
    assert (statement.tokens, [each.count for each in statement.items]) == (1, [1])


class Late:
    """A use case that asks to own its tenant only after it saw its rows."""

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, _admitted: Admitted) -> Message:
        """Ask too late."""
        raise MoreRowsError(Reads(owning=True))


def test_a_call_that_asks_too_late_to_own_its_tenant_is_refused(open_vault: Inside) -> None:
    call = open_vault.call(show(new_subject()), "admin")
    assert isinstance(call, Call)
    call.use_case = Late()
    assert told(open_vault.answers([call])[0]) == "INTERNAL"


def test_of_links_of_one_name_on_two_nodes_one_wins(nodes: tuple[Inside, Inside]) -> None:
    for _ in range(ROUNDS):
        first, second, alias = new_subject(), new_subject(), new_subject()
        for name in (first, second):
            nodes[0].ask(register(name))
        assert Counter(race(nodes, (link(first, alias), "admin"), (link(second, alias), "admin"))) == {"OK": 1, "ALIAS_TAKEN": 1}
        assert len(owners(nodes[0], alias)) == 1


def test_a_name_that_is_linked_and_stored_for_on_two_nodes_leads_to_one_subject(nodes: tuple[Inside, Inside]) -> None:
    for turn in range(ROUNDS):
        first, alias = new_subject(), new_subject()
        nodes[0].ask(register(first))
        asked: list[Asked] = [(link(first, alias), "admin"), (tokenize((alias, "email", new_email())), "app")]
        outcomes = race(nodes, *asked[:: 1 if turn % 2 else -1])
        assert Counter(outcomes) in ({"OK": 2}, {"OK": 1, "ALIAS_TAKEN": 1})
        assert len(owners(nodes[0], alias)) == 1
        assert len(nodes[1].ask(search(("", None, alias)), "plain").results[0].items) == 1


def test_who_stores_for_a_name_waits_for_its_link_and_stores_for_that_subject(nodes: tuple[Inside, Inside]) -> None:
    first, alias = new_subject(), new_subject()
    uid = nodes[0].ask(register(first)).subject_uid
    assert overtaken(nodes, (link(first, alias), "admin"), (tokenize((alias, "email", new_email())), "app")) == ["OK", "OK"]
    assert owners(nodes[0], alias) == [uid]
    assert len(nodes[0].ask(search(("", None, first)), "plain").results[0].items) == 1


def test_who_links_a_name_waits_for_whoever_makes_a_subject_of_it(nodes: tuple[Inside, Inside]) -> None:
    first, alias = new_subject(), new_subject()
    nodes[0].ask(register(first))
    outcomes = overtaken(nodes, (tokenize((alias, "email", new_email())), "app"), (link(first, alias), "admin"))
    assert outcomes == ["OK", "ALIAS_TAKEN"]
    assert len(owners(nodes[0], alias)) == 1


def test_who_registers_a_name_waits_for_whoever_unlinks_it(nodes: tuple[Inside, Inside]) -> None:
    first, alias = new_subject(), new_subject()
    uid = nodes[0].ask(register(first, alias)).subject_uid
    assert overtaken(nodes, (unlink(alias), "admin"), (register(alias), "app")) == ["OK", "OK"]
    (owner,) = owners(nodes[0], alias)
    assert owner != uid


def test_a_hold_and_an_erasure_on_two_nodes_exclude_each_other(nodes: tuple[Inside, Inside]) -> None:
    for slow, fast in ((0, 1), (1, 0)):
        name = new_subject()
        nodes[0].ask(register(name))
        asked: list[Asked] = [(place_hold(name), "privacy"), (erase(name), "privacy")]
        outcomes = overtaken(nodes, asked[slow], asked[fast])
        assert outcomes == ["OK", "WRONG_STATE" if slow else "SUBJECT_HELD"]


def test_a_restriction_on_one_node_is_effective_on_the_next_call_of_the_other(nodes: tuple[Inside, Inside]) -> None:
    first, second = nodes
    name = new_subject()
    (token,) = tokens_of(first.ask(tokenize((name, "email", new_email())), "app"))
    second.ask(restrict(name), "privacy")
    assert first.refused(reveal(token), "plain") == "SUBJECT_RESTRICTED"
    second.ask(unrestrict(name), "privacy")
    assert first.ask(reveal(token), "plain").results[0].value.text
