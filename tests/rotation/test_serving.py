"""While a rotation is under way every call keeps its promise: between each two of its steps, and at the same time, on two nodes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from tests.fields.requests import made, plain
from tests.harness import NewVault
from tests.keys.requests import seal, unsealed
from tests.rotation.works import Stored, attested, begin_rotation, found, phases, rotate, worker
from tests.subjects.requests import link, names_of, register, show, unlink
from tests.subjects.test_at_once import wait_for_a_lock
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    delete,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault.audit.events import Caller
from vault.errors import VaultError
from vault.keys.rekeying import NewFieldKey, Rekeying
from vault.server.key_worker.rotation import RETIRE, REWRAP
from vault.server.key_worker.worker import Worker
from vault.server.node import Node
from vault.store import tables as t
from vault.store.rotation.census import census
from vault.v1 import vault_service_pb2

PATIENCE_S = 60.0
CALLERS = 3


@pytest.fixture
def nodes(new_vault: NewVault, tmp_path: Any) -> Iterator[tuple[Inside, Inside]]:
    """Two nodes of one vault."""
    vault = new_vault("postgres", tmp_path)
    with inside(vault) as mine:
        other = Inside(vault, Node(vault.config))
        yield mine, other
        other.node.close()


class Everyday:
    """What callers do all day, and what they may expect of it whatever becomes of keys meanwhile."""

    def __init__(self, vault: Inside) -> None:
        self._vault = vault
        self._stored = Stored(vault, people=2)
        self._name, self._email = new_subject(), new_email()
        self._first = tokenize((self._name, "email", self._email))
        (self._token,) = tokens_of(vault.ask(self._first))
        vault.ask(link(self._name, f"{self._name}-alias"), "admin")
        self._ciphertext = made(vault, "kept@example.org", subject=self._name)

    def check(self) -> None:
        """Do all of it once."""
        self._stored.check()
        for each in (self._names, self._values, self._new_values, self._retries, self._ciphertexts):
            each()

    def _names(self) -> None:
        ask, alias = self._vault.ask, f"{self._name}-alias"
        assert ask(register(self._name)).existed
        assert ask(register(alias)).existed
        other = new_subject()
        ask(link(self._name, other), "admin")
        assert set(names_of(self._vault, self._name)) == {alias, other}
        ask(unlink(other), "admin")
        (by_alias,) = ask(search(("email", None, alias))).results
        assert self._token in {hit.token for hit in by_alias.items}
        assert not ask(register(other)).existed

    def _values(self) -> None:
        """A value is replaced: found by the new one and no longer by the old one."""
        ask, old = self._vault.ask, self._email
        assert ask(verify((self._token, old))).results[0].matches
        assert not ask(verify((self._token, new_email()))).results[0].matches
        self._email = new_email()
        ask(update((self._token, self._email)))
        assert ask(reveal(self._token)).results[0].value.text == self._email
        found = [
            {hit.token for hit in one.items} for one in ask(search(("email", self._email, None), ("email", old, None))).results
        ]
        assert found == [{self._token}, set()]

    def _new_values(self) -> None:
        """A new deterministic value gets one token, however often it comes, until it is deleted."""
        ask, email = self._vault.ask, new_email()
        unique = tokenize((self._name, "email", email), token_kind=DETERMINISTIC)
        (token,) = tokens_of(ask(unique))
        again = tokenize((f"{self._name}-alias", "email", email), token_kind=DETERMINISTIC)
        assert tokens_of(ask(again)) == [token]
        ask(delete(token))
        assert self._vault.refused(reveal(token)) == "TOKEN_NOT_FOUND"
        assert not ask(search(("email", email, None))).results[0].items

    def _retries(self) -> None:
        """A retry does nothing twice, whichever epoch its first try was of, and is refused once its first try is forgotten."""
        (answer,) = self._vault.answers([self._vault.call(self._first)])
        if isinstance(answer, VaultError):
            assert "not remembered any more" in str(answer)
        else:
            assert tokens_of(vault_service_pb2.TokenizeResponse.FromString(answer)) == [self._token]
        changed = tokenize((self._name, "email", new_email()))
        changed.context.request_id = self._first.context.request_id
        assert self._vault.refused(changed) == "REQUEST_ID_REUSED"

    def _ciphertexts(self) -> None:
        assert plain(self._vault, self._ciphertext) == ["kept@example.org"]
        assert plain(self._vault, made(self._vault, "new@example.org", subject=self._name)) == ["new@example.org"]


def _left(vault: Inside) -> Any:
    tenant = vault.row(t.tenant, uid=vault.tenant().uid)
    with vault.engine.connect() as connection:
        return census(connection, tenant.uid, tenant.epoch, tenant.index_key_version)


def _waiting_behind(mine: Inside, other: Inside, slow: Any, fast: tuple[Message, str]) -> Any:
    """What a call is answered that comes when another one has written and not committed, and waits for it in the database."""
    second: list[Future[list[Any]]] = []

    def begin_second(_connection: Any) -> None:
        if not second:
            second.append(pool.submit(other.answers, [other.call(*fast)]))
            wait_for_a_lock(mine.vault.config.database.url or "")

    with ThreadPoolExecutor(1) as pool:
        sa.event.listen(mine.engine, "commit", begin_second)
        mine.answers([slow])
        sa.event.remove(mine.engine, "commit", begin_second)
        return second[0].result(PATIENCE_S)[0]


def test_between_any_two_steps_every_call_keeps_its_promise(open_vault: Inside) -> None:
    everyday = Everyday(open_vault)
    name = begin_rotation(open_vault).name
    seen = []
    for phase in phases(open_vault, batch=20):
        everyday.check()
        seen.append(phase)
    assert seen[-1] == RETIRE
    assert not any(attested(open_vault, name).left[row] for row in ("subject_keys", "requests", "subjects", "aliases", "items"))
    assert _left(open_vault).is_empty
    everyday.check()


def test_a_node_that_knows_only_the_old_keys_notices_the_new_ones_before_it_writes(nodes: tuple[Inside, Inside]) -> None:
    mine, other = nodes
    everyday = Everyday(other)
    begin_rotation(mine)
    before = other.keys()
    for phase in phases(mine):
        if phase == REWRAP and other.node.keys.get(other.tenant().uid) is before:
            everyday.check()
            tenant = mine.row(t.tenant, uid=mine.tenant().uid)
            assert tenant.epoch not in before.epochs
            (fresh,) = tokens_of(other.ask(tokenize((new_subject(), "email", new_email()))))
            token = mine.row(t.token, text=fresh)
            assert mine.row(t.item, uid=token.item_uid).index_key_version == tenant.index_key_version
            assert mine.row(t.subject_key, subject_uid=token.subject_uid).epoch == tenant.epoch
        elif phase == RETIRE:
            everyday.check()
    everyday.check()
    assert _left(mine).is_empty


def test_a_search_that_a_whole_rotation_overtakes_finds_what_there_is(nodes: tuple[Inside, Inside]) -> None:
    mine, other = nodes
    email = new_email()
    stored = tokens_of(mine.ask(tokenize((new_subject(), "email", email))))
    other.keys()
    overtaken = []

    def rotate_first(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "fingerprint IN" in statement and not overtaken:
            overtaken.append(statement)
            rotate(mine)

    sa.event.listen(other.engine, "before_cursor_execute", rotate_first)
    hits = other.ask(search(("email", email, None))).results[0].items
    assert overtaken
    assert [hit.token for hit in hits] == stored


@pytest.mark.parametrize("ask", [lambda name, _: (show(name), "admin"), lambda name, _: (register(name), "app")])
def test_a_call_that_waits_for_the_re_keying_of_its_subject_finds_it_afterwards(
    nodes: tuple[Inside, Inside], ask: Callable[[str, str], tuple[Message, str]]
) -> None:
    mine, other = nodes
    name = new_subject()
    mine.ask(register(name))
    other.keys()
    slow = Rekeying(
        Caller(mine.tenant().uid, "key-worker:test"),
        mine.rows(t.subject)[-1].uid,
        {},
        mine.row(t.tenant, uid=mine.tenant().uid).epoch,
        NewFieldKey.NEVER,
    )
    answer = _waiting_behind(mine, other, slow, ask(name, ""))
    assert isinstance(answer, bytes), answer
    assert len(mine.rows(t.subject)) == 1


def test_an_item_re_keyed_between_an_update_s_read_and_its_write_gets_the_new_value(nodes: tuple[Inside, Inside]) -> None:
    mine, other = nodes
    email = new_email()
    (token,) = tokens_of(mine.ask(tokenize((new_subject(), "email", new_email()))))
    other.keys()
    (subject,) = mine.rows(t.subject)
    slow = Rekeying(
        Caller(mine.tenant().uid, "key-worker:test"),
        subject.uid,
        {},
        mine.row(t.tenant, uid=mine.tenant().uid).epoch,
        NewFieldKey.NEVER,
    )
    assert isinstance(_waiting_behind(mine, other, slow, (update((token, email)), "all")), bytes)
    assert mine.ask(reveal(token)).results[0].value.text == email
    (key,) = mine.rows(t.subject_key)
    assert {row.store_key_version for row in mine.rows(t.item)} == {key.version} == {subject.store_key_version + 1}


def test_calls_on_two_nodes_and_a_rotation_at_the_same_time_lose_and_double_nothing(nodes: tuple[Inside, Inside]) -> None:
    stored = Stored(nodes[0], people=6)
    name, emails = new_subject(), [new_email() for _ in range(12)]
    barrier = threading.Barrier(CALLERS + 1)
    name_of = [f"{name}-{number}" for number in range(len(emails))]

    def call(number: int) -> list[tuple[str, str]]:
        """Store the same new values as all others do, each for the same two subjects, and change and delete things meanwhile."""
        node = Inside(nodes[0].vault, Node(nodes[0].vault.config))
        barrier.wait(PATIENCE_S)
        tokens = []
        for subject, email in zip(name_of, emails, strict=True):
            request = tokenize((name, "email", email), (subject, "email", email), token_kind=DETERMINISTIC)
            first, second = tokens_of(_insisting(node, request))
            tokens.append((first, second))
            mine = tokens_of(_insisting(node, tokenize((subject, "phone", f"+4477009009{number:02d}"))))
            _insisting(node, update((mine[0], f"+4477009008{number:02d}")))
            _insisting(node, delete(*mine))
            hits = _insisting(node, search(("email", email, None))).results[0].items
            assert {hit.token for hit in hits} == {first, second}
        node.node.close()
        return tokens

    with ThreadPoolExecutor(CALLERS) as pool, worker(nodes[1]) as working:
        answers = [pool.submit(call, number) for number in range(CALLERS)]
        barrier.wait(PATIENCE_S)
        while wait(answers, timeout=0).not_done:
            _rotate(nodes[0], working)
        got = [answer.result() for answer in answers]
    assert all(tokens == got[0] for tokens in got)
    assert _left(nodes[0]).is_empty
    kept = {row.uid for row in nodes[0].rows(t.item, data_class="email")}
    assert len(kept) == 2 * len(stored.names) + 2 * len(emails)
    stored.check()


def _rotate(node: Inside, working: Worker) -> None:
    name = begin_rotation(node).name
    while not found(node, name).done:
        working.look()
    assert attested(node, name).retired_epochs


def _insisting(node: Inside, request: Message) -> Any:
    """The answer, once nothing is in the way: whoever meets others at the same row may have to come again."""
    while True:
        try:
            return node.ask(request)
        except VaultError as error:
            if error.reason_name != "CONFLICT":
                raise


def test_a_rotation_stands_still_while_the_tenant_is_sealed(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=3)
    name = begin_rotation(open_vault).name
    going = phases(open_vault, batch=1)
    assert next(phase for phase in going if phase == REWRAP)
    open_vault.ask(seal(), "security")
    with pytest.raises(VaultError, match="sealed"):
        next(going)
    unsealed(open_vault)
    stored.check()
    open_vault.edit(t.operation, {"state": "RUNNING"}, until_us=0)
    with worker(open_vault) as working:
        working.look()
    assert attested(open_vault, name).retired_epochs
    stored.check()


def test_an_operation_whose_progress_was_edited_moves_nothing_to_other_keys(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=3)
    begin_rotation(open_vault)
    going = phases(open_vault, batch=1)
    assert next(phase for phase in going if phase == REWRAP)
    row = open_vault.row(t.operation, live_kind="Rotate")
    before = {key.version for key in open_vault.rows(t.tenant_key, tenant_uid=row.tenant_uid, kind="epoch")}
    forged = row.cursor[:4] + b"".join((int.from_bytes(row.cursor[at : at + 4], "big") - 1).to_bytes(4, "big") for at in (4, 8))
    open_vault.edit(t.operation, {"uid": row.uid}, cursor=forged, until_us=0)
    with worker(open_vault) as working:
        working.look()
    assert open_vault.row(t.operation, uid=row.uid).state == "FAILED"
    assert {key.version for key in open_vault.rows(t.tenant_key, tenant_uid=row.tenant_uid, kind="epoch")} == before
    stored.check()


def test_a_row_that_somebody_has_locked_is_passed_by_and_moved_later(nodes: tuple[Inside, Inside]) -> None:
    mine, other = nodes
    stored = Stored(mine, people=3)
    name = begin_rotation(mine).name
    with other.engine.connect() as holder:
        one = sa.select(t.subject_key).limit(1).with_for_update()
        locked = None
        for phase in phases(mine):
            if phase == REWRAP and locked is None:
                locked = holder.execute(one).one()
            elif phase != REWRAP and locked is not None and holder.in_transaction():
                now = mine.row(t.subject_key, subject_uid=locked.subject_uid, kind=locked.kind, version=locked.version)
                assert now.epoch == locked.epoch
                holder.rollback()
    assert attested(mine, name).retired_epochs
    assert _left(mine).is_empty
    stored.check()
