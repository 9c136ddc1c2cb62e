"""Two nodes on one PostgreSQL: an approval is used once however many use it at once, and a seal holds on every node at once."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf.message import Message
from tests.harness import NewVault
from tests.keys.requests import approve, deny, seal, unseal, unsealed
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize, tokens_of

from vault.errors import VaultError
from vault.server.node import Node


@pytest.fixture(scope="module")
def nodes(new_vault: NewVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Inside]]:
    """Two nodes of one vault, each with the tenant's keys in memory."""
    vault = new_vault("postgres", tmp_path_factory.mktemp("vault"))
    opened = [Inside(vault, Node(vault.config)) for _ in range(2)]
    for one in opened:
        one.keys()
    yield opened
    for one in opened:
        one.node.close()


def _at_once(nodes: Sequence[Inside], asked: Sequence[tuple[Message, str]]) -> list[str]:
    """How each node's request ends, both sent at the same moment."""
    barrier = threading.Barrier(len(nodes))

    def send(number: int) -> str:
        request, who = asked[number]
        barrier.wait(60)
        try:
            nodes[number].ask(request, who)
        except VaultError as error:
            return error.reason_name
        return "OK"

    with ThreadPoolExecutor(len(nodes)) as pool:
        return sorted(pool.map(send, range(len(nodes))))


def test_an_approval_used_on_two_nodes_at_once_is_used_on_exactly_one(nodes: list[Inside]) -> None:
    for _ in range(5):
        nodes[0].ask(seal(), "security")
        asked = nodes[0].ask(unseal(), "security").approval.approval_uid
        nodes[1].ask(approve(asked), "security-2")
        ended = _at_once(nodes, [(unseal(asked), "security"), (unseal(asked), "security")])
        assert ended == ["OK", "WRONG_STATE"]


def test_of_approval_and_denial_at_once_the_denial_stands(nodes: list[Inside]) -> None:
    nodes[0].ask(seal(), "security")
    for _ in range(5):
        asked = nodes[0].ask(unseal(), "security").approval.approval_uid
        ended = _at_once(nodes, [(approve(asked), "security-2"), (deny(asked), "security-2")])
        assert ended in (["OK", "OK"], ["OK", "WRONG_STATE"])
        assert nodes[1].refused(unseal(asked), "security") == "WRONG_STATE"
    unsealed(nodes[0])


def test_a_tenant_sealed_on_one_node_is_refused_the_next_call_on_the_other(nodes: list[Inside]) -> None:
    here, there = nodes
    (token,) = tokens_of(there.ask(tokenize((new_subject(), "email", new_email()))))
    for _ in range(3):
        assert there.ask(reveal(token))
        here.ask(seal(), "security")
        assert there.refused(reveal(token)) == "TENANT_SEALED"
        unsealed(there)
        assert here.ask(reveal(token))
