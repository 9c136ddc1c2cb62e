"""A sealed tenant is served nothing from the next call on, and its keys are in no node's memory."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.harness import context
from tests.keys.requests import approve, destroy, pending, schedule, seal, status, unseal, unsealed
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, reveal, search, tokenize, tokens_of

from vault.admission import WHILE_SEALED
from vault.audit.events import SYSTEM_TENANT
from vault.keys.seal import Seal
from vault.kms.tenant_keys import KeysMissingError
from vault.server import audit_methods
from vault.server.methods import SERVICES
from vault.store import tables as t
from vault.v1 import key_service_pb2 as v1


@pytest.fixture
def sealed_vault(open_vault: Inside) -> Iterator[Inside]:
    """A vault of which a tenant is sealed, for the time of a test."""
    open_vault.ask(seal(), "security")
    yield open_vault
    unsealed(open_vault)


def test_nothing_is_served_until_two_have_lifted_the_seal(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", email := new_email()))))
    open_vault.ask(seal(), "security")
    for request in (reveal(token), tokenize((new_subject(), "email", new_email())), search(("email", email, None))):
        assert open_vault.refused(request) == "TENANT_SEALED"
    unsealed(open_vault)
    assert open_vault.ask(reveal(token)).results[0].value.text == email


def test_other_tenants_go_on(sealed_vault: Inside) -> None:
    assert sealed_vault.ask(tokenize((new_subject(), "email", new_email())), tenant="globex")


def test_every_method_but_those_that_lift_a_seal_is_refused(sealed_vault: Inside) -> None:
    every = {method.name: method for methods in SERVICES.values() for method in methods}
    every |= {method.name: method for method in (*audit_methods.METHODS, *audit_methods.STREAMS)}
    assert every.keys() > WHILE_SEALED
    for name in every.keys() - WHILE_SEALED:
        call = replace(sealed_vault.call(status(), "security"), action=name)
        (answer,) = sealed_vault.answers([call])
        assert getattr(answer, "reason_name", "served") == "TENANT_SEALED", name


def test_what_it_takes_to_lift_a_seal_is_answered(sealed_vault: Inside) -> None:
    assert sealed_vault.ask(status(), "security").tenant_state == "SEALED"
    assert sealed_vault.ask(seal(), "security") == v1.SealResponse()
    asked = sealed_vault.ask(unseal(), "security").approval
    assert asked.approval_uid in {one.approval_uid for one in sealed_vault.ask(pending(), "security-2").approvals}
    assert sealed_vault.ask(approve(asked.approval_uid), "security-2") == v1.ApproveResponse()


def test_no_key_that_opens_or_finds_a_value_is_in_memory_while_sealed(sealed_vault: Inside) -> None:
    sealed_vault.refused(search(("email", new_email(), None)))
    sealed_vault.ask(status(), "security")
    keys = sealed_vault.keys()
    assert not keys.epochs
    assert not keys.indexes


def test_the_node_that_seals_drops_the_keys_at_once_and_others_with_their_next_call(open_vault: Inside) -> None:
    uid, other = open_vault.tenant().uid, open_vault.keys("globex")
    open_vault.keys()
    open_vault.ask(seal(), "security")
    assert uid not in open_vault.node.keys.tenants()
    assert open_vault.keys("globex") is other
    unsealed(open_vault)


def test_sealing_again_changes_nothing(sealed_vault: Inside) -> None:
    before = sealed_vault.row(t.tenant, uid=sealed_vault.tenant().uid)
    sealed_vault.ask(seal(), "security-2")
    assert sealed_vault.row(t.tenant, uid=sealed_vault.tenant().uid) == before


def test_what_is_not_sealed_needs_no_unsealing(open_vault: Inside) -> None:
    assert open_vault.refused(unseal(), "security") == "WRONG_STATE"
    assert not open_vault.rows(t.approval, tenant_uid=open_vault.tenant("globex").uid)


def test_a_tenant_that_somebody_unseals_behind_the_vaults_back_is_not_served(open_vault: Inside) -> None:
    before = open_vault.row(t.tenant, uid=open_vault.tenant().uid)
    open_vault.ask(seal(), "security")
    where = {"uid": open_vault.tenant().uid}
    sealed_row = open_vault.row(t.tenant, **where)
    open_vault.edit(t.tenant, where, state="ACTIVE")
    assert open_vault.refused(tokenize((new_subject(), "email", new_email()))) == "INTEGRITY"
    open_vault.edit(t.tenant, where, **sealed_row._asdict())
    unsealed(open_vault)
    assert open_vault.row(t.tenant, **where).key_generation == before.key_generation + 2


@pytest.mark.parametrize("sealed_by_another", [False, True])
def test_no_node_that_has_seen_a_seal_goes_back_to_before_it_when_the_tenants_row_is_put_back(
    open_vault: Inside, *, sealed_by_another: bool
) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    before = open_vault.row(t.tenant, uid=open_vault.tenant().uid)
    where = {"uid": before.uid}
    if sealed_by_another:
        open_vault.reseal(t.tenant, where, state="SEALED", key_generation=before.key_generation + 1)
        (answer,) = open_vault.node.runner.run([open_vault.call(reveal(token))])  # by keys of before: it sees that these are old
        assert isinstance(answer, KeysMissingError)
    else:
        open_vault.ask(seal(), "security")
    sealed_row = open_vault.row(t.tenant, **where)
    open_vault.edit(t.tenant, where, **before._asdict())
    (answer,) = open_vault.answers([open_vault.call(reveal(token))])
    assert isinstance(answer, KeysMissingError)
    open_vault.edit(t.tenant, where, **sealed_row._asdict())
    unsealed(open_vault)
    assert open_vault.ask(reveal(token)).results[0].value.text


def test_the_system_itself_is_never_sealed(open_vault: Inside) -> None:
    call = open_vault.call(seal(), "security")
    system = open_vault.row(t.tenant, uid=SYSTEM_TENANT)

    class OfTheSystem(Seal):
        def decide(self, admitted):
            return super().decide(replace(admitted, tenant=system))

    call.use_case = OfTheSystem(v1.SealRequest(context=context()))
    (answer,) = open_vault.answers([call])
    assert getattr(answer, "reason_name", "served") == "WRONG_STATE"
    assert open_vault.row(t.tenant, uid=SYSTEM_TENANT) == system


@pytest.mark.parametrize("request_", [destroy(2), schedule(rotate_every=86400)], ids=["Destroy", "SetSchedule"])
def test_keys_are_not_changed_while_sealed(sealed_vault: Inside, request_) -> None:
    assert sealed_vault.refused(request_, "security") == "TENANT_SEALED"
