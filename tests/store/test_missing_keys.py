"""Keys that are not in memory end a call's attempt before or inside the transaction, and never make it wait for the KMS."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from tests.harness import flipped
from tests.use_cases.inside import Inside
from tests.use_cases.requests import describe, new_email, new_subject, reveal, tokenize, tokens_of

from vault.kms.tenant_keys import KeysMissingError
from vault.store import tables as t
from vault.v1 import audit_pb2


def store(vault: Inside) -> str:
    """The token of one new e-mail address."""
    return tokens_of(vault.ask(tokenize((new_subject(), "email", new_email()))))[0]


def idle(engine: sa.Engine) -> bool:
    """Whether no connection is in use."""
    return int(engine.pool.checkedout()) == 0  # type: ignore[attr-defined]


def lacks(answer: Any, vault: Inside) -> bool:
    """Whether an answer asks for the tenant's keys."""
    return isinstance(answer, KeysMissingError) and answer.tenant_uid == vault.tenant().uid


def test_without_keys_in_memory_no_transaction_is_begun(open_vault: Inside) -> None:
    token = store(open_vault)
    open_vault.node.keys.drop(open_vault.tenant().uid)
    other = open_vault.call(tokenize((new_subject(), "email", new_email())), tenant="globex")
    with open_vault.statements() as run:
        (answer,) = open_vault.node.runner.run([open_vault.call(reveal(token))])
    assert lacks(answer, open_vault)
    assert run == []
    open_vault.keys("globex")
    answers = open_vault.node.runner.run([open_vault.call(reveal(token)), other])
    assert lacks(answers[0], open_vault)
    assert isinstance(answers[1], bytes)
    assert idle(open_vault.engine)
    assert open_vault.ask(reveal(token))


def test_keys_of_another_generation_than_the_tenant_s_row_are_dropped_unused(open_vault: Inside) -> None:
    token, where = store(open_vault), {"uid": open_vault.tenant().uid}
    old = open_vault.row(t.tenant, **where)
    open_vault.keys()
    open_vault.reseal(t.tenant, where, key_generation=old.key_generation + 1)
    with open_vault.events() as events:
        (answer,) = open_vault.node.runner.run([open_vault.call(reveal(token))])
        assert lacks(answer, open_vault)
    assert events == []
    assert idle(open_vault.engine)
    assert open_vault.keys().generation == old.key_generation + 1
    assert open_vault.ask(reveal(token))


def test_an_epoch_key_that_is_not_in_memory_is_asked_for_once(open_vault: Inside) -> None:
    token = store(open_vault)
    open_vault.node.keys.put(replace(open_vault.keys(), epochs={}))
    call = open_vault.call(reveal(token))
    (answer,) = open_vault.node.runner.run([call])
    assert lacks(answer, open_vault)
    assert idle(open_vault.engine)
    open_vault.keys()
    assert isinstance(open_vault.node.runner.run([call])[0], bytes)


def test_a_row_that_names_an_epoch_which_never_was_is_refused_as_altered_with_an_event(open_vault: Inside) -> None:
    token = store(open_vault)
    where = {"subject_uid": open_vault.row(t.token, text=token).subject_uid}
    open_vault.edit(t.subject_key, where, epoch=99)
    with open_vault.events() as events:
        assert open_vault.refused(reveal(token)) == "INTEGRITY"
    assert [event.decision for event in events] == [audit_pb2.DECISION_FAILED]


def test_a_call_whose_keys_can_t_be_had_is_refused_with_an_event_that_names_its_principal(open_vault: Inside) -> None:
    token = store(open_vault)
    uid = open_vault.tenant().uid
    keys = open_vault.rows(t.tenant_key, tenant_uid=uid, kind="epoch")
    open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": "epoch"}, wrapped=flipped(keys[0].wrapped))
    open_vault.node.keys.drop(uid)
    with open_vault.events() as events:
        assert open_vault.refused(describe(token)) == "INTEGRITY"
    assert [(event.action, event.principal) for event in events] == [("Describe", open_vault.caller().name)]
    assert events[0].principal_uid == open_vault.row(t.principal, tenant_uid=uid, name=open_vault.caller().name).uid
    open_vault.edit(t.tenant_key, {"tenant_uid": uid, "kind": "epoch"}, wrapped=keys[0].wrapped)
    assert open_vault.ask(describe(token))


def test_keys_leave_memory_when_their_time_is_over(open_vault: Inside) -> None:
    now = [1000.0]
    cache = type(open_vault.node.keys)(300.0, lambda: now[0])
    cache.put(open_vault.keys())
    now[0] += 299.9
    assert cache.get(open_vault.tenant().uid)
    now[0] += 0.1
    for _ in range(2):
        try:
            cache.get(open_vault.tenant().uid)
        except KeysMissingError:
            continue
        raise AssertionError("the keys should be gone")
