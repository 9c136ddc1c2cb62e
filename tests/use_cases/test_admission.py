"""Nobody is served unless tenant, issuing CA and principal are in order, in the call's own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.harness import context
from tests.use_cases.inside import Inside
from tests.use_cases.requests import (
    delete,
    describe,
    new_email,
    new_subject,
    reveal,
    search,
    tokenize,
    tokens_of,
    update,
    verify,
)

from vault import principals
from vault.store import tables as t
from vault.v1 import vault_service_pb2

TOKEN = "eml_0000000000000000000000000AB"


def every_request() -> list[Any]:
    """One request of each method."""
    return [
        tokenize((new_subject(), "email", new_email())),
        reveal(TOKEN),
        verify((TOKEN, new_email())),
        search(("", None, new_subject())),
        describe(TOKEN),
        update((TOKEN, new_email())),
        delete(TOKEN),
        vault_service_pb2.ListDataClassesRequest(context=context()),
        search(("", None, new_subject()), page_token="damaged"),
        describe("x" * 65),
    ]


@contextmanager
def changed(vault: Inside, table: Any, where: dict[str, Any], **values: Any) -> Iterator[None]:
    """A row changed as the vault itself could, for the time of the block."""
    old = vault.row(table, **where)
    vault.reseal(table, where, **values)
    yield
    vault.edit(table, where, **old._asdict())


def test_a_principal_that_the_tenant_does_not_know_is_refused_everything(open_vault: Inside) -> None:
    stranger = replace(open_vault.caller(), name="spiffe://pdvault/acme/nobody")
    before = open_vault.count()
    for request in every_request():
        assert open_vault.refused(request, caller=stranger) == "PRINCIPAL_UNKNOWN"
    after = open_vault.count()
    assert {name for name in after if after[name] != before[name]} == {"audit_pending"}


def test_a_suspended_principal_is_refused_everything_from_the_next_call_on_until_resumed(open_vault: Inside) -> None:
    name = open_vault.caller("plain").name
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    assert open_vault.ask(reveal(token), "plain")
    open_vault.node.act(principals.suspend(open_vault.tenant().uid, name))
    for request in (*every_request(), reveal(token)):
        assert open_vault.refused(request, "plain") == "PRINCIPAL_SUSPENDED"
    open_vault.node.act(principals.resume(open_vault.tenant().uid, name))
    assert open_vault.ask(reveal(token), "plain")


@pytest.mark.parametrize("state", ["SEALED", "CLOSED", "UNHEARD_OF"])
def test_a_tenant_that_is_not_active_serves_nobody(open_vault: Inside, state: str) -> None:
    with changed(open_vault, t.tenant, {"uid": open_vault.tenant().uid}, state=state):
        for request in every_request():
            assert open_vault.refused(request) == "TENANT_SEALED"
        assert open_vault.ask(every_request()[0], tenant="globex")
    assert open_vault.ask(every_request()[0])


def test_a_certificate_of_a_ca_that_was_removed_or_belongs_to_another_tenant_is_refused(open_vault: Inside) -> None:
    foreign = replace(open_vault.caller(), ca_sha256=open_vault.caller(tenant="globex").ca_sha256)
    unknown = replace(open_vault.caller(), ca_sha256=bytes(32))
    for caller in (foreign, unknown):
        for request in every_request():
            assert open_vault.refused(request, caller=caller) == "CERTIFICATE_REFUSED"


def test_a_principal_of_one_tenant_is_none_of_another(open_vault: Inside) -> None:
    mixed = replace(open_vault.caller(tenant="globex"), name=open_vault.caller().name)
    for request in every_request():
        assert open_vault.refused(request, caller=mixed) == "PRINCIPAL_UNKNOWN"


def test_a_role_that_is_taken_away_is_gone_from_the_next_call_on(open_vault: Inside) -> None:
    where = {"tenant_uid": open_vault.tenant().uid, "name": open_vault.caller("app").name}
    assert open_vault.ask(every_request()[0], "app")
    with changed(open_vault, t.principal, where, roles="reader_masked"):
        assert open_vault.refused(every_request()[0], "app") == "POLICY_DENIED"
    assert open_vault.ask(every_request()[0], "app")


def test_who_has_no_role_for_it_does_not_learn_what_a_value_was_collected_for(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()), purposes=["marketing"])))
    assert open_vault.refused(reveal(token), "admin") == "POLICY_DENIED"
    assert open_vault.refused(verify((token, new_email())), "app") == "POLICY_DENIED"
