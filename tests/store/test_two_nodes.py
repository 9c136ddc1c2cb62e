"""Two nodes on one PostgreSQL, with many callers each: whatever they do at once is as if they had done it one after the other."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from tests.audit.verifier import verify_log
from tests.harness import NewVault
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    delete,
    describe,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
)

from vault import principals
from vault.errors import VaultError
from vault.server.lane import Lane
from vault.server.node import Node
from vault.store import tables as t
from vault.v1 import vault_service_pb2

THREADS = 8


class Served:
    """A node whose calls go through a lane, as a server's do."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.lane = Lane(inside.node.runner, 1000, lambda _size: None)

    def run(self, call: Any) -> Any:
        """The answer: bytes, or a refusal."""
        return self.lane.submit(call, 1).result(60)

    def close(self) -> None:
        """End the lane and the node."""
        self.lane.close()
        self.inside.node.close()


@pytest.fixture(scope="module")
def nodes(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Served]]:
    """Two nodes of one vault, each with the tenant's keys in memory."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    served = [Served(Inside(vault, Node(vault.config))) for _ in range(2)]
    for one in served:
        one.inside.keys()
    yield served
    for one in served:
        one.close()


def at_once(nodes: Sequence[Served], requests: Sequence[Any]) -> list[Any]:
    """The answers to requests that are all sent at the same moment, to the nodes in turn."""
    barrier = threading.Barrier(len(requests))

    def send(number: int) -> Any:
        node = nodes[number % len(nodes)]
        call = node.inside.call(requests[number])
        barrier.wait(60)
        return node.run(call)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, range(len(requests))))


def outcomes(answers: Sequence[Any]) -> Counter[str]:
    """How many were answered, and how many refused for each reason."""
    return Counter(answer.reason_name if isinstance(answer, VaultError) else "OK" for answer in answers)


def orphans(inside: Inside) -> int:
    """Tokens whose item is gone."""
    joined = sa.select(sa.func.count()).select_from(t.token.outerjoin(t.item, t.token.c.item_uid == t.item.c.uid))
    with inside.engine.connect() as connection:
        return int(connection.execute(joined.where(t.item.c.uid.is_(None))).scalar_one())


def stored(nodes: Sequence[Served], **fields: Any) -> str:
    """The token of one new e-mail address."""
    answer = nodes[0].run(nodes[0].inside.call(tokenize((new_subject(), "email", new_email()), **fields)))
    return tokens_of(vault_service_pb2.TokenizeResponse.FromString(answer))[0]


def ask(nodes: Sequence[Served], request: Any) -> Any:
    """The response to one request, on the second node."""
    answer = nodes[1].run(nodes[1].inside.call(request))
    if isinstance(answer, VaultError):
        raise answer
    return getattr(vault_service_pb2, request.DESCRIPTOR.name.replace("Request", "Response")).FromString(answer)


def test_the_same_new_values_of_the_same_new_subjects_get_one_token_each(nodes: list[Served]) -> None:
    people = [(new_subject(), "email", new_email()) for _ in range(10)]
    for _ in range(2):
        requests = [tokenize(*(people[i:] + people[:i]), token_kind=DETERMINISTIC) for i in range(10)] * 2
        answers = at_once(nodes, requests[: 2 * THREADS])
        assert outcomes(answers) == {"OK": 2 * THREADS}
    seen: dict[str, set[str]] = {subject: set() for subject, _, _ in people}
    for request, answer in zip(requests, answers, strict=False):
        for item, token in zip(request.items, tokens_of(vault_service_pb2.TokenizeResponse.FromString(answer)), strict=True):
            seen[item.subject_id].add(token)
    assert {len(tokens) for tokens in seen.values()} == {1}
    response = ask(nodes, search(*(("", None, subject) for subject, _, _ in people)))
    assert {len(result.items) for result in response.results} == {1}


def test_a_one_time_token_that_many_ask_for_at_once_is_delivered_once(nodes: list[Served]) -> None:
    token = stored(nodes, max_reveals=1)
    assert outcomes(at_once(nodes, [reveal(token) for _ in range(16)])) == {"OK": 1, "TOKEN_USED_UP": 15}


def test_a_limited_token_is_delivered_as_often_as_it_may(nodes: list[Served]) -> None:
    token = stored(nodes, max_reveals=5)
    assert outcomes(at_once(nodes, [reveal(token) for _ in range(16)])) == {"OK": 5, "TOKEN_USED_UP": 11}


def test_one_reveal_sent_many_times_is_delivered_once(nodes: list[Served]) -> None:
    request = reveal(stored(nodes, max_reveals=16))
    assert outcomes(at_once(nodes, [request] * 8)) == {"OK": 1, "REVEAL_ALREADY_DELIVERED": 7}


def test_one_request_sent_many_times_at_once_is_done_once_and_answered_alike(nodes: list[Served]) -> None:
    subject = new_subject()
    request = tokenize((subject, "email", new_email()), (subject, "phone", "+447700900123"))
    answers = at_once(nodes, [request] * 8)
    assert len(set(answers)) == 1
    (result,) = ask(nodes, search(("", None, subject))).results
    assert {item.token for item in result.items} == set(tokens_of(vault_service_pb2.TokenizeResponse.FromString(answers[0])))
    changed = update((result.items[0].token, new_email()), (result.items[1].token, "x"), validation=2)
    if result.items[0].data_class != "email":
        changed.items[0].token, changed.items[1].token = changed.items[1].token, changed.items[0].token
    assert len(set(at_once(nodes, [changed] * 8))) == 1
    assert {item.revision for item in ask(nodes, search(("", None, subject))).results[0].items} == {2}


def test_updates_at_once_are_done_one_after_the_other_and_none_is_lost(nodes: list[Served]) -> None:
    token, emails = stored(nodes), [new_email() for _ in range(8)]
    answers = at_once(nodes, [update((token, email)) for email in emails])
    revisions = {
        vault_service_pb2.UpdateResponse.FromString(answer).results[0].revision: email
        for answer, email in zip(answers, emails, strict=True)
        if not isinstance(answer, VaultError)
    }
    failed = outcomes(answers) - Counter({"OK": len(revisions)})
    assert set(failed) <= {"CONFLICT"}
    assert sorted(revisions) == list(range(2, len(revisions) + 2))
    assert ask(nodes, reveal(token)).results[0].value.text == revisions[max(revisions)]


def test_of_updates_that_expect_one_revision_exactly_one_succeeds(nodes: list[Served]) -> None:
    token = stored(nodes)
    answers = at_once(nodes, [update((token, new_email()), expected_revision=1) for _ in range(8)])
    assert outcomes(answers) == {"OK": 1, "REVISION_MISMATCH": 7}


def test_updates_and_deletes_at_once_leave_the_one_or_the_other_and_no_token_behind(nodes: list[Served]) -> None:
    for _ in range(5):
        token = stored(nodes)
        makers = (lambda one: update((one, new_email())), delete, reveal, describe)
        answers = at_once(nodes, [make(token) for make in (*makers, *makers)])
        assert set(outcomes(answers)) <= {"OK", "TOKEN_NOT_FOUND"}
        assert outcomes([answers[1], answers[5]]) == {"OK": 1, "TOKEN_NOT_FOUND": 1}
        with pytest.raises(VaultError, match="no such token"):
            ask(nodes, describe(token))
    assert orphans(nodes[0].inside) == 0


def test_calls_that_touch_the_same_rows_in_opposite_order_all_end(nodes: list[Served]) -> None:
    tokens = [stored(nodes) for _ in range(20)]
    requests = [update(*((token, new_email()) for token in (tokens if i % 2 else tokens[::-1]))) for i in range(8)]
    answers = at_once(nodes, requests)
    assert set(outcomes(answers)) <= {"OK", "CONFLICT"}
    assert outcomes(answers)["OK"] >= 2
    described = ask(nodes, describe(*tokens)).results
    assert {result.description.revision for result in described} == {outcomes(answers)["OK"] + 1}


def test_a_decision_on_rows_that_another_node_has_changed_meanwhile_is_made_again(nodes: list[Served]) -> None:
    (mine, other), token = nodes, stored(nodes)
    done: list[Any] = []

    def change(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE item") and not done:
            done.append(other.run(other.inside.call(update((token, new_email())))))

    sa.event.listen(mine.inside.engine, "before_cursor_execute", change)
    lenient = mine.run(mine.inside.call(update((token, email := new_email()))))
    done.clear()
    strict = mine.run(mine.inside.call(update((token, new_email()), expected_revision=3)))
    sa.event.remove(mine.inside.engine, "before_cursor_execute", change)
    assert vault_service_pb2.UpdateResponse.FromString(lenient).results[0].revision == 3
    assert outcomes([strict]) == {"REVISION_MISMATCH": 1}
    assert ask(nodes, describe(token)).results[0].description.revision == 4
    assert ask(nodes, reveal(token)).results[0].value.text != email


def test_a_row_that_another_node_never_stops_changing_is_given_up(nodes: list[Served]) -> None:
    (mine, other), token = nodes, stored(nodes)

    def change(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE item"):
            other.run(other.inside.call(update((token, new_email()))))

    sa.event.listen(mine.inside.engine, "before_cursor_execute", change)
    answer = mine.run(mine.inside.call(update((token, new_email()))))
    sa.event.remove(mine.inside.engine, "before_cursor_execute", change)
    assert outcomes([answer]) == {"CONFLICT": 1}
    assert ask(nodes, describe(token)).results[0].description.revision == 6


def test_a_large_value_that_is_deleted_between_its_two_reads_is_not_found(nodes: list[Served]) -> None:
    mine, other = nodes
    made = other.run(other.inside.call(tokenize((new_subject(), "free_text", "x" * 50_000))))
    (token,) = tokens_of(vault_service_pb2.TokenizeResponse.FromString(made))
    reads: list[str] = []

    def remove(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM token JOIN item" in statement.replace("\n", " "):
            reads.append(statement)
            if len(reads) == 2:
                other.run(other.inside.call(delete(token)))

    sa.event.listen(mine.inside.engine, "before_cursor_execute", remove)
    answer = mine.run(mine.inside.call(reveal(token)))
    sa.event.remove(mine.inside.engine, "before_cursor_execute", remove)
    assert len(reads) == 2
    assert outcomes([answer]) == {"TOKEN_NOT_FOUND": 1}


def test_a_suspension_on_one_node_is_effective_on_the_next_call_of_the_other(nodes: list[Served]) -> None:
    token, (mine, other) = stored(nodes), nodes
    uid, name = mine.inside.tenant().uid, mine.inside.caller("plain").name
    third = Node(mine.inside.vault.config)
    third.act(principals.suspend(uid, name))
    assert outcomes([other.run(other.inside.call(reveal(token), "plain"))]) == {"PRINCIPAL_SUSPENDED": 1}
    third.act(principals.resume(uid, name))
    third.close()
    assert outcomes([other.run(other.inside.call(reveal(token), "plain"))]) == {"OK": 1}


def test_the_logs_of_all_nodes_are_whole(nodes: list[Served]) -> None:
    for one in nodes:
        one.run(one.inside.call(describe("nothing")))
    inside = nodes[0].inside
    uid = inside.tenant().uid
    leaves = inside.leaves()
    assert len({row.boot_id for row in leaves}) >= 3
    assert verify_log([row.leaf for row in leaves], uid, inside.node.key_manager.log_public_key(uid)) == []
