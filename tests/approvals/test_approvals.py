"""What takes two is done once, by whoever asked, for what was asked, after another has approved it and before it expires."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.keys.requests import approve, deny, destroy, pending, seal, unseal, unsealed
from tests.rotation.works import rotate
from tests.use_cases.inside import Inside

from vault import principals
from vault.approvals.second_principal import LIFETIME_US, Need
from vault.errors import VaultError
from vault.store import tables as t
from vault.v1 import audit_pb2
from vault.v1 import key_service_pb2 as v1

FORMATS = Path(__file__).parent.parent.parent / "docs" / "formats.md"


@pytest.fixture
def sealed_vault(open_vault: Inside) -> Iterator[Inside]:
    """A vault of which a tenant is sealed, for the time of a test."""
    open_vault.ask(seal(), "security")
    yield open_vault
    if open_vault.row(t.tenant, uid=open_vault.tenant().uid).state == "SEALED":
        unsealed(open_vault)


def _asked(inside: Inside, who: str = "security") -> v1.Approval:
    return inside.ask(unseal(), who).approval


def _approval(inside: Inside, approval: v1.Approval) -> dict[str, bytes]:
    return {"tenant_uid": inside.tenant().uid, "uid": approval.approval_uid}


@contextmanager
def _edited(inside: Inside, approval: v1.Approval, **values: object) -> Iterator[None]:
    where = _approval(inside, approval)
    old = inside.row(t.approval, **where)
    inside.edit(t.approval, where, **values)
    yield
    inside.edit(t.approval, where, **old._asdict())


def test_what_another_approves_is_done_once(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    assert (asked.state, asked.asked_by) == ("ASKED", sealed_vault.caller("security").name)
    assert asked.expire_time.ToMicroseconds() - asked.ask_time.ToMicroseconds() == LIFETIME_US
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    sealed_vault.ask(unseal(asked.approval_uid), "security")
    sealed_vault.ask(seal(), "security")
    with pytest.raises(VaultError, match="used") as refusal:
        sealed_vault.ask(unseal(asked.approval_uid), "security")
    assert refusal.value.reason_name == "WRONG_STATE"


def test_nobody_alone_does_what_takes_two(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    assert sealed_vault.refused(unseal(asked.approval_uid), "security") == "APPROVAL_NEEDED"
    assert sealed_vault.refused(approve(asked.approval_uid), "security") == "POLICY_DENIED"
    assert sealed_vault.refused(deny(asked.approval_uid), "security") == "POLICY_DENIED"
    assert sealed_vault.refused(unseal(asked.approval_uid), "security") == "APPROVAL_NEEDED"


def test_who_approved_does_not_do_what_another_asked_for(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    assert sealed_vault.refused(unseal(asked.approval_uid), "security-2") == "APPROVAL_NEEDED"
    sealed_vault.ask(unseal(asked.approval_uid), "security")


@pytest.mark.parametrize("who", ["app", "plain", "admin", "auditor", "privacy", "all"])
def test_other_roles_neither_ask_nor_look_nor_decide(sealed_vault: Inside, who: str) -> None:
    asked = _asked(sealed_vault)
    for request in (seal(), unseal(), destroy(2), pending(), approve(asked.approval_uid), deny(asked.approval_uid)):
        expected = "TENANT_SEALED" if isinstance(request, v1.DestroyRequest) else "POLICY_DENIED"
        assert sealed_vault.refused(request, who) == expected


def test_approvals_are_their_tenants_own(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    for uid in (asked.approval_uid, secrets.token_bytes(16)):
        assert sealed_vault.refused(approve(uid), "security-2", "globex") == "NOT_FOUND"
        assert sealed_vault.refused(deny(uid), "security-2", "globex") == "NOT_FOUND"
    assert not sealed_vault.ask(pending(), "security", "globex").approvals
    assert sealed_vault.refused(unseal(secrets.token_bytes(16)), "security") == "NOT_FOUND"


def test_what_is_denied_is_not_done_though_it_was_approved_before(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    sealed_vault.ask(deny(asked.approval_uid), "security-2")
    with pytest.raises(VaultError, match="denied") as refusal:
        sealed_vault.ask(unseal(asked.approval_uid), "security")
    assert refusal.value.reason_name == "WRONG_STATE"
    assert sealed_vault.refused(approve(asked.approval_uid), "security-2") == "WRONG_STATE"


def test_an_approval_expires_by_the_databases_clock(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    sealed_vault.reseal(t.approval, _approval(sealed_vault, asked), expire_us=asked.ask_time.ToMicroseconds())
    with pytest.raises(VaultError, match="expired") as refusal:
        sealed_vault.ask(unseal(asked.approval_uid), "security")
    assert refusal.value.reason_name == "WRONG_STATE"
    assert sealed_vault.refused(deny(asked.approval_uid), "security-2") == "WRONG_STATE"
    assert asked.approval_uid not in {one.approval_uid for one in sealed_vault.ask(pending(), "security").approvals}
    assert _asked(sealed_vault).approval_uid != asked.approval_uid


def test_an_approval_is_good_for_no_other_request(open_vault: Inside) -> None:
    rotate(open_vault)
    rotate(open_vault)
    newest = max(row.kek_version for row in open_vault.rows(t.tenant_key, tenant_uid=open_vault.tenant().uid))
    asked = open_vault.ask(destroy(newest - 1), "security").approval
    open_vault.ask(approve(asked.approval_uid), "security-2")
    assert open_vault.refused(destroy(newest, asked.approval_uid), "security") == "APPROVAL_NEEDED"
    open_vault.ask(seal(), "security")
    assert open_vault.refused(unseal(asked.approval_uid), "security") == "APPROVAL_NEEDED"
    unsealed(open_vault)
    assert open_vault.ask(destroy(newest - 1, asked.approval_uid), "security").operation.name


def test_what_was_approved_for_one_seal_lifts_no_later_one(sealed_vault: Inside) -> None:
    kept, used = _asked(sealed_vault), _asked(sealed_vault, "security-2")
    sealed_vault.ask(approve(kept.approval_uid), "security-2")
    sealed_vault.ask(approve(used.approval_uid), "security")
    sealed_vault.ask(unseal(used.approval_uid), "security-2")
    sealed_vault.ask(seal(), "security-2")
    assert sealed_vault.refused(unseal(kept.approval_uid), "security") == "APPROVAL_NEEDED"


def test_asking_again_answers_what_was_asked_already(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    assert _asked(sealed_vault).approval_uid == asked.approval_uid
    assert _asked(sealed_vault, "security-2").approval_uid != asked.approval_uid
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    again = _asked(sealed_vault)
    assert (again.approval_uid, again.state) == (asked.approval_uid, "APPROVED")
    sealed_vault.ask(deny(asked.approval_uid), "security-2")
    assert _asked(sealed_vault).approval_uid != asked.approval_uid


def test_deciding_again_changes_nothing(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    before = sealed_vault.row(t.approval, **_approval(sealed_vault, asked))
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    assert sealed_vault.row(t.approval, **_approval(sealed_vault, asked)) == before


def test_who_is_suspended_neither_approves_nor_has_approved(sealed_vault: Inside) -> None:
    asked, name = _asked(sealed_vault), sealed_vault.caller("security-2").name
    sealed_vault.ask(approve(asked.approval_uid), "security-2")
    sealed_vault.node.act(principals.suspend(sealed_vault.tenant().uid, name))
    assert sealed_vault.refused(approve(asked.approval_uid), "security-2") == "PRINCIPAL_SUSPENDED"
    assert sealed_vault.refused(unseal(asked.approval_uid), "security") == "APPROVAL_NEEDED"
    sealed_vault.node.act(principals.resume(sealed_vault.tenant().uid, name))
    sealed_vault.ask(unseal(asked.approval_uid), "security")


def test_what_somebody_asked_who_is_gone_nobody_approves(sealed_vault: Inside) -> None:
    asked = _asked(sealed_vault)
    where = {"tenant_uid": sealed_vault.tenant().uid, "name": sealed_vault.caller("security").name}
    old = sealed_vault.row(t.principal, **where)
    sealed_vault.reseal(t.principal, where, uid=secrets.token_bytes(16))  # removed, and added again under the same name
    assert sealed_vault.refused(approve(asked.approval_uid), "security") == "POLICY_DENIED"
    assert sealed_vault.refused(approve(asked.approval_uid), "security-2") == "POLICY_DENIED"
    sealed_vault.edit(t.principal, where, **old._asdict())


@pytest.mark.parametrize(
    "values",
    [
        {"state": "APPROVED"},
        {"asked_by": bytes(16)},
        {"digest": bytes(32)},
        {"expire_us": 2**52},
        {"summary": "harmless"},
        {"action": "Destroy"},
        {"mac": bytes(37)},
    ],
)
def test_an_approval_that_was_edited_is_refused(sealed_vault: Inside, values: dict[str, object]) -> None:
    asked = _asked(sealed_vault)
    with _edited(sealed_vault, asked, **values):
        assert sealed_vault.refused(approve(asked.approval_uid), "security-2") == "INTEGRITY"
        assert sealed_vault.refused(unseal(asked.approval_uid), "security") == "INTEGRITY"
        assert sealed_vault.refused(pending(), "security") == "INTEGRITY"


def test_what_is_pending_is_listed_newest_first_with_names_and_states(sealed_vault: Inside) -> None:
    first, second = _asked(sealed_vault), _asked(sealed_vault, "security-2")
    sealed_vault.ask(approve(first.approval_uid), "security-2")
    listed = {one.approval_uid: one for one in sealed_vault.ask(pending(), "security").approvals}
    names = [sealed_vault.caller(who).name for who in ("security", "security-2")]
    assert (listed[first.approval_uid].asked_by, listed[first.approval_uid].decided_by) == tuple(names)
    assert (listed[second.approval_uid].asked_by, listed[second.approval_uid].decided_by) == (names[1], "")
    assert [listed[one.approval_uid].state for one in (first, second)] == ["APPROVED", "ASKED"]
    order = list(listed)
    assert order.index(second.approval_uid) < order.index(first.approval_uid)
    assert "acme" in first.summary


def test_every_step_is_in_the_log_with_the_approvals_uid(sealed_vault: Inside) -> None:
    with sealed_vault.events() as events:
        asked = _asked(sealed_vault)
        sealed_vault.refused(approve(asked.approval_uid), "security")
        sealed_vault.ask(approve(asked.approval_uid), "security-2")
        sealed_vault.ask(unseal(asked.approval_uid), "security")
    assert {event.details["approval"] for event in events} == {asked.approval_uid.hex()}
    assert [(event.action, event.decision) for event in events] == [
        ("Unseal", audit_pb2.DECISION_ALLOWED),
        ("Approve", audit_pb2.DECISION_DENIED),
        ("Approve", audit_pb2.DECISION_ALLOWED),
        ("Unseal", audit_pb2.DECISION_ALLOWED),
    ]
    assert [event.details.get("state", "") for event in events] == ["", "", "", "ACTIVE"]


def test_an_approval_is_bound_to_tenant_action_request_and_occasion_and_to_nothing_else() -> None:
    tenant = bytes(16)
    need = Need("Destroy", destroy(2), "one text")
    assert need.digest(tenant) == Need("Destroy", destroy(2, bytes(16)), "another").digest(tenant)
    others = [
        need.digest(bytes([1]) * 16),
        Need("Unseal", destroy(2), "one text").digest(tenant),
        Need("Destroy", destroy(3), "one text").digest(tenant),
        Need("Destroy", destroy(2), "one text", 1).digest(tenant),
    ]
    assert len({need.digest(tenant), *others}) == 5


def test_the_digest_is_the_one_that_the_formats_document() -> None:
    digest = Need("Destroy", destroy(3), "").digest(bytes([0x11]) * 16).hex()
    assert f"`{digest}`" in FORMATS.read_text()
