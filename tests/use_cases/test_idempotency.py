"""A request is done once: its retry answers what it did, to whoever still may ask."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    DETERMINISTIC,
    PER_ITEM,
    delete,
    describe,
    new_email,
    new_subject,
    reasons,
    reveal,
    tokenize,
    tokens_of,
    update,
)

from vault.audit.events import request_id_bytes
from vault.store import tables as t
from vault.store.rows import RETENTION_US
from vault.v1 import audit_pb2, vault_service_pb2

DAY_US = 24 * 3600 * 1_000_000


def store(vault: Inside, **fields: Any) -> str:
    """The token of one new e-mail address."""
    return tokens_of(vault.ask(tokenize((new_subject(), "email", new_email()), **fields)))[0]


def where(vault: Inside, request: Any, who: str = "all") -> dict[str, bytes]:
    """The primary key of what is remembered of a request."""
    principal = vault.row(t.principal, name=vault.caller(who).name, tenant_uid=vault.tenant().uid)
    return {
        "tenant_uid": vault.tenant().uid,
        "request_id": request_id_bytes(request.context),
        "principal_uid": principal.uid,
    }


def set_roles(vault: Inside, who: str, roles: str) -> None:
    """Give a principal other roles, as the vault itself could."""
    vault.reseal(t.principal, {"tenant_uid": vault.tenant().uid, "name": vault.caller(who).name}, roles=roles)


WRITERS: dict[str, Callable[[Inside], Message]] = {
    "Tokenize": lambda vault: tokenize((new_subject(), "email", new_email()), (new_subject(), "email", new_email())),
    "Tokenize deterministic": lambda vault: tokenize((new_subject(), "email", new_email()), token_kind=DETERMINISTIC),
    "Tokenize with failures": lambda vault: tokenize(
        (new_subject(), "email", "no address"), (new_subject(), "email", new_email()), atomicity=PER_ITEM
    ),
    "Update": lambda vault: update((store(vault), new_email()), (store(vault), new_email())),
    "Update with failures": lambda vault: update((store(vault), "no address"), (store(vault), new_email()), atomicity=PER_ITEM),
    "Delete": lambda vault: delete(store(vault), store(vault)),
    "Delete with failures": lambda vault: delete("nothing", store(vault), atomicity=PER_ITEM),
}


def without_texts(response: Any) -> Any:
    """A response without its items' messages: a replay has another text for the same reason."""
    return [(getattr(result, "token", ""), getattr(result, "revision", 0)) for result in response.results], reasons(
        response.results
    )


@pytest.mark.parametrize("name", WRITERS)
def test_a_retry_answers_what_was_done_and_does_nothing(open_vault: Inside, name: str) -> None:
    request = WRITERS[name](open_vault)
    first = open_vault.ask(request)
    before = open_vault.count()
    with open_vault.events() as events:
        assert without_texts(open_vault.ask(request)) == without_texts(first)
    after = open_vault.count()
    assert {table for table in after if after[table] != before[table]} == {"audit_pending"}
    assert {touched.change for event in events for touched in event.touched} <= {audit_pb2.CHANGE_UNSPECIFIED}


@pytest.mark.parametrize("name", WRITERS)
def test_a_retry_is_answered_only_while_its_principal_still_may(open_vault: Inside, name: str) -> None:
    request = WRITERS[name](open_vault)
    open_vault.ask(request)
    set_roles(open_vault, "all", "reader_plain")
    try:
        (answer,) = open_vault.answers([open_vault.call(request)])
    finally:
        set_roles(open_vault, "all", "admin,reader_plain,tokenizer")
    if isinstance(answer, bytes):
        response = getattr(vault_service_pb2, f"{name.split()[0]}Response")
        assert "POLICY_DENIED" in reasons(response.FromString(answer).results)
    else:
        assert getattr(answer, "reason_name", "") == "POLICY_DENIED"


@pytest.mark.parametrize("name", WRITERS)
def test_another_request_with_the_same_id_is_refused(open_vault: Inside, name: str) -> None:
    request = WRITERS[name](open_vault)
    open_vault.ask(request)
    for other_name in ("Tokenize", "Update", "Delete"):
        other = WRITERS[other_name](open_vault)
        other.context.CopyFrom(request.context)  # type: ignore[attr-defined]
        assert open_vault.refused(other) == "REQUEST_ID_REUSED"
    other_purpose = type(request)()
    other_purpose.CopyFrom(request)
    other_purpose.context.purpose = "billing"  # type: ignore[attr-defined]
    assert open_vault.refused(other_purpose) == "REQUEST_ID_REUSED"


def test_request_ids_of_other_principals_and_tenants_are_independent(open_vault: Inside) -> None:
    request = tokenize((new_subject(), "email", new_email()))
    tokens = {
        tokens_of(open_vault.ask(request, who, tenant))[0] for who, tenant in (("all", "acme"), ("app", "acme"), ("all", "globex"))
    }
    assert len(tokens) == 3
    other = tokenize((new_subject(), "email", new_email()))
    other.context.CopyFrom(context())
    open_vault.ask(other, "app")
    other.items[0].subject_id = new_subject()
    assert open_vault.ask(other, "all")


def test_a_call_that_failed_is_not_remembered(open_vault: Inside) -> None:
    token = store(open_vault)
    request = update((token, new_email()), ("nothing", "x"))
    assert open_vault.refused(request) == "TOKEN_NOT_FOUND"
    assert open_vault.rows(t.idempotency, **where(open_vault, request)) == []
    del request.items[1]
    assert open_vault.ask(request).results[0].revision == 2


def test_what_a_request_did_is_remembered_for_a_day_by_the_database_s_clock(open_vault: Inside) -> None:
    assert RETENTION_US == DAY_US
    request = tokenize((new_subject(), "email", new_email()))
    (first,) = tokens_of(open_vault.ask(request))
    created = open_vault.row(t.item, uid=open_vault.row(t.token, text=first).item_uid).create_us
    row = open_vault.row(t.idempotency, **where(open_vault, request))
    assert row.expire_us == created + DAY_US
    open_vault.reseal(t.idempotency, where(open_vault, request), expire_us=1)
    (second,) = tokens_of(open_vault.ask(request))
    assert second != first
    assert tokens_of(open_vault.ask(request)) == [second]


def test_a_retry_after_the_items_are_gone_says_so(open_vault: Inside) -> None:
    stored = tokenize((new_subject(), "email", new_email()))
    (token,) = tokens_of(open_vault.ask(stored))
    updated = update((token, new_email()))
    open_vault.ask(updated)
    open_vault.ask(delete(token))
    assert [open_vault.refused(request) for request in (stored, updated)] == ["TOKEN_NOT_FOUND"] * 2


def test_a_retried_update_answers_its_own_revision_and_undoes_no_later_one(open_vault: Inside) -> None:
    token, latest = store(open_vault), new_email()
    first = update((token, new_email()))
    open_vault.ask(first)
    open_vault.ask(update((token, latest)))
    assert open_vault.ask(first).results[0].revision == 2
    assert open_vault.ask(reveal(token)).results[0].value.text == latest
    assert open_vault.ask(describe(token)).results[0].description.revision == 3


@pytest.mark.parametrize("name", ["Tokenize", "Update", "Delete"])
def test_one_request_twice_in_a_group_is_done_once(open_vault: Inside, name: str) -> None:
    request = WRITERS[name](open_vault)
    answers = open_vault.answers([open_vault.call(request) for _ in range(3)])
    assert len(set(map(bytes, answers))) == 1  # type: ignore[arg-type]


def test_whoever_edits_what_is_remembered_gets_no_retry_answered(open_vault: Inside) -> None:
    mine, theirs = tokenize((new_subject(), "email", new_email())), tokenize((new_subject(), "email", new_email()))
    for request in (mine, theirs):
        open_vault.ask(request)
    target = where(open_vault, mine)
    old = open_vault.row(t.idempotency, **target)
    for column in t.idempotency.columns:
        if column.primary_key:
            continue
        value = getattr(open_vault.row(t.idempotency, **where(open_vault, theirs)), column.name)
        edited = value if value != getattr(old, column.name) else value + 1
        open_vault.edit(t.idempotency, target, **{column.name: edited})
        assert open_vault.refused(mine) == "INTEGRITY", column.name
        open_vault.edit(t.idempotency, target, **old._asdict())
    assert open_vault.ask(mine)
