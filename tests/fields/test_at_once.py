"""Many values, calls and nodes at once: as few statements as for one, and one key a person, whoever needs it first."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from tests.fields.requests import decrypt, encrypt, key_row, made, plain, reencrypt
from tests.fields.test_refused import erase
from tests.harness import NewVault
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import new_email, new_subject, tokenize

from vault.call import Call
from vault.v1 import field_service_pb2 as v1

ROUNDS, NODES, CALLS = 3, 2, 4


@pytest.fixture(scope="module")
def nodes(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Inside]]:
    """Two nodes of one vault on PostgreSQL, each with the tenant's keys in memory."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    with ExitStack() as stack:
        opened = [stack.enter_context(inside(vault)) for _ in range(NODES)]
        for one in opened:
            one.keys()
        yield opened


def ciphertexts_of(answers: list[Any]) -> list[bytes]:
    """All ciphertexts of answers to Encrypt, none of which was refused."""
    responses = [v1.EncryptResponse.FromString(answer) for answer in answers]
    return [result.ciphertext for response in responses for result in response.results]


def at_once(nodes: list[Inside], requests: list[list[Message]]) -> list[Any]:
    """The answers of all nodes, each of which runs its requests as one group at the same moment."""
    barrier = threading.Barrier(len(nodes))

    def run(number: int) -> list[Any]:
        calls = [nodes[number].call(request) for request in requests[number]]
        barrier.wait(60)
        return list(nodes[number].answers(calls))

    with ThreadPoolExecutor(len(nodes)) as pool:
        return [answer for answers in pool.map(run, range(len(nodes))) for answer in answers]


@pytest.mark.parametrize("known", [False, True])
def test_calls_of_one_group_that_first_encrypt_for_one_person_share_its_key(open_vault: Inside, known: bool) -> None:
    subject, emails = new_subject(), [new_email() for _ in range(8)]
    if known:
        open_vault.ask(tokenize((subject, "email", new_email())))
    answers = open_vault.answers([open_vault.call(encrypt((subject, "email", email))) for email in emails])
    ciphertexts = ciphertexts_of(answers)
    assert len({key_row(open_vault, ciphertext) for ciphertext in ciphertexts}) == 1
    assert plain(open_vault, *ciphertexts) == emails


@pytest.mark.parametrize("known", [False, True])
def test_nodes_that_first_encrypt_for_the_same_people_at_once_share_their_keys(nodes: list[Inside], known: bool) -> None:
    for _ in range(ROUNDS):
        people = [(new_subject(), "email", new_email()) for _ in range(3)]
        if known:
            nodes[0].ask(tokenize(*people))
        requests: list[list[Message]] = [[encrypt(*people), encrypt(*people[::-1])][:: 1 - 2 * n] for n in range(NODES)]
        ciphertexts = ciphertexts_of(at_once(nodes, [group * (CALLS // 2) for group in requests]))
        assert len(ciphertexts) == 3 * NODES * CALLS
        rows = {key_row(nodes[0], ciphertext) for ciphertext in ciphertexts}
        assert len(rows) == len({row.subject_uid for row in rows}) == 3
        assert sorted(plain(nodes[1], *ciphertexts)) == sorted([email for *_, email in people] * NODES * CALLS)


def test_an_erasure_on_one_node_is_effective_on_the_next_call_of_another(nodes: list[Inside]) -> None:
    ciphertext = made(nodes[0])
    assert plain(nodes[1], ciphertext)
    erase(nodes[0], ciphertext)
    assert nodes[1].refused(decrypt(ciphertext)) == "CIPHERTEXT_REFUSED"
    assert nodes[1].refused(reencrypt(ciphertext)) == "CIPHERTEXT_REFUSED"


def statements_of(vault: Inside, request: Message) -> list[str]:
    """The statements of one request, without what they are about."""
    call: Call = vault.call(request)
    with vault.statements() as run:
        (answer,) = vault.node.runner.run([call])
    assert isinstance(answer, bytes)
    return [statement[:24] for statement in run]


@pytest.fixture(scope="module")
def thousand(open_vault: Inside) -> dict[str, Message]:
    """A request of each method about the same thousand people."""
    people = [(new_subject(), "email", new_email()) for _ in range(1000)]
    ciphertexts = [result.ciphertext for result in open_vault.ask(encrypt(*people)).results]
    return {"Encrypt": encrypt(*people), "Decrypt": decrypt(*ciphertexts), "Reencrypt": reencrypt(*ciphertexts)}


@pytest.mark.parametrize("method", ["Encrypt", "Decrypt", "Reencrypt"])
def test_a_thousand_values_are_one_commit_and_as_many_statements_as_one(
    open_vault: Inside, thousand: dict[str, Message], method: str
) -> None:
    one: Any = type(thousand[method])()
    one.CopyFrom(thousand[method])
    del one.items[1:]
    of_one, of_many = statements_of(open_vault, one), statements_of(open_vault, thousand[method])
    assert of_one == of_many
    assert of_many.count("COMMIT") == 1
    assert len(of_many) <= 17


def test_a_thousand_new_people_are_one_commit_and_as_many_statements_as_one(open_vault: Inside) -> None:
    of_one, of_many = (
        statements_of(open_vault, encrypt(*((new_subject(), "email", new_email()) for _ in range(count)))) for count in (1, 1000)
    )
    assert of_one == of_many
    assert of_many.count("COMMIT") == 1
    assert len(of_many) <= 17


def test_fifty_calls_are_as_many_statements_as_one(open_vault: Inside) -> None:
    ciphertexts = [made(open_vault) for _ in range(5)]
    for requests in (
        [encrypt((new_subject(), "email", new_email())) for _ in range(51)],
        [decrypt(ciphertexts[n % 5]) for n in range(51)],
        [reencrypt(ciphertexts[n % 5]) for n in range(51)],
    ):
        calls = [open_vault.call(request) for request in requests]
        runs = []
        for group in (calls[:1], calls[1:]):
            with open_vault.statements() as run:
                assert all(isinstance(answer, bytes) for answer in open_vault.node.runner.run(group))
            runs.append([statement[:24] for statement in run])
        assert runs[0] == runs[1]


def test_the_key_of_a_ciphertext_is_found_by_the_index_of_field_keys(open_vault: Inside) -> None:
    call = open_vault.call(decrypt(made(open_vault)))
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(open_vault.engine, "before_cursor_execute", note)
    open_vault.answers([call])
    sa.event.remove(open_vault.engine, "before_cursor_execute", note)
    ((statement, parameters),) = [one for one in seen if "kind = 'field'" in one[0]]
    with open_vault.engine.begin() as connection:
        if open_vault.is_postgres:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a small table is read whole
        explain = "EXPLAIN " if open_vault.is_postgres else "EXPLAIN QUERY PLAN "
        plan = connection.exec_driver_sql(explain + statement, parameters).all()
    assert "ix_subject_key_tenant_uid_key_id" in str(plan)
