"""Cosignatures of configured witnesses are taken, shown and checked; nobody else's are."""

import pytest
from tests.audit_service.desk import Desk, TestWitness
from tests.audit_service.filling import fill
from tests.harness import context

from vault.audit.cosignature import verify_cosignature
from vault.audit.note import parse_note
from vault.store import tables as t
from vault.store.log import cosignatures
from vault.v1.audit_service_pb2 import AddCosignatureRequest, GetCheckpointRequest, GetCheckpointResponse, GetInclusionProofRequest


@pytest.fixture
def tenant(desk: Desk) -> str:
    name = desk.new_tenant()
    fill(desk, name, 20, seed=8)
    return name


def published(desk: Desk, tenant: str) -> GetCheckpointResponse:
    return desk.ask(GetCheckpointRequest(context=context("audit")), tenant=tenant)


def add(signed: str) -> AddCosignatureRequest:
    return AddCosignatureRequest(context=context("audit"), checkpoint=signed)


def test_a_cosignature_is_stored_and_shown_wherever_its_checkpoint_is(desk: Desk, tenant: str) -> None:
    first, second = desk.witnesses
    signed = published(desk, tenant).checkpoint
    assert desk.ask(add(first.cosign(signed, 1_800_000_000)), tenant=tenant).witnesses == [first.key.name]
    answer = published(desk, tenant)
    assert answer.checkpoint == answer.cosigned_checkpoint
    assert verify_cosignature(parse_note(answer.checkpoint), first.key) == 1_800_000_000
    assert [(w.name, w.size, w.problem) for w in answer.witnesses] == [
        (first.key.name, int(signed.split("\n")[1]), ""),
        (second.key.name, 0, ""),
    ]
    assert answer.witnesses[0].cosign_time.seconds == 1_800_000_000
    assert not answer.witnesses[1].HasField("cosign_time")
    both = second.cosign(answer.checkpoint, 1_800_000_005)
    assert desk.ask(add(both), tenant=tenant).witnesses == [first.key.name, second.key.name]
    shown = published(desk, tenant).checkpoint
    assert {witness.key.name for witness in desk.witnesses if verify_cosignature(parse_note(shown), witness.key)} == {
        first.key.name,
        second.key.name,
    }
    proof = desk.ask(GetInclusionProofRequest(context=context("audit"), index=3), tenant=tenant).proof_file
    assert proof.endswith(shown)


def test_the_newest_cosigned_checkpoint_stays_when_the_log_goes_on(desk: Desk, tenant: str) -> None:
    (witness, _) = desk.witnesses
    signed = published(desk, tenant).checkpoint
    desk.ask(add(witness.cosign(signed, 1_800_000_000)), tenant=tenant)
    fill(desk, tenant, 5, seed=9)
    answer = published(desk, tenant)
    assert answer.cosigned_checkpoint == witness.cosign(signed, 1_800_000_000)
    assert int(answer.checkpoint.split("\n")[1]) > int(signed.split("\n")[1])
    assert verify_cosignature(parse_note(answer.checkpoint), witness.key) is None
    newer = witness.cosign(answer.checkpoint, 1_800_000_100)
    assert desk.ask(add(newer), tenant=tenant).witnesses == [witness.key.name]
    assert desk.ask(add(witness.cosign(signed, 1_800_000_200)), tenant=tenant).witnesses == []
    assert published(desk, tenant).cosigned_checkpoint == newer


@pytest.mark.parametrize("what", ["stranger", "none", "bad", "forged", "foreign", "future", "fork", "text"])
def test_whatever_is_no_cosignature_of_ours_is_refused(desk: Desk, tenant: str, what: str) -> None:
    (witness, _) = desk.witnesses
    signed = published(desk, tenant).checkpoint
    text, _, own = signed.partition("\n\n")
    origin, size, root = text.split("\n")
    fork = f"{origin}\n{size}\n{'A' * 43}=\n\n{own}"
    given = {
        "stranger": TestWitness(witness.key.name).cosign(signed, 1_800_000_000),
        "none": signed,
        "bad": witness.cosign(signed, 1_800_000_000)[:-8] + "AAAAAA=\n",
        "forged": witness.cosign(fork, 1_800_000_000),
        "foreign": witness.cosign(published(desk, "globex").checkpoint, 1_800_000_000),
        "future": witness.cosign(f"{origin}\n{int(size) + 1}\n{root}\n\n{own}", 1_800_000_000),
        "fork": witness.cosign(_signed_by_the_log(desk, tenant, f"{origin}\n{size}\n{'A' * 43}=\n"), 1_800_000_000),
        "text": "not a note\n",
    }[what]
    refusal = desk.refused(add(given), tenant=tenant)
    assert refusal.reason_name == "COSIGNATURE_REFUSED"
    assert not published(desk, tenant).cosigned_checkpoint


def test_a_cosignature_altered_in_the_database_is_named(desk: Desk, tenant: str) -> None:
    (witness, other) = desk.witnesses
    signed = published(desk, tenant).checkpoint
    desk.ask(add(witness.cosign(signed, 1_800_000_000)), tenant=tenant)
    where = {"tenant_uid": desk.tenant(tenant).uid, "witness": witness.key.name}
    bad = witness.cosign(signed.replace("\n", "\n\n", 1), 1_800_000_000).splitlines(keepends=True)[-1]
    for values in ({"line": bad}, {"line": other.cosign(signed, 5).splitlines(keepends=True)[-1]}, {"checkpoint": "x"}):
        with desk.behind_its_back(t.audit_cosignature, where, **values):
            refusal = desk.refused(GetCheckpointRequest(context=context("audit")), tenant=tenant)
            assert refusal.reason_name == "INTEGRITY"
            assert "audit_cosignature" in refusal.message


def test_a_cosignature_by_a_key_that_the_witness_had_before_counts_no_more_and_hinders_nothing(
    desk: Desk, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, other = desk.witnesses
    signed = published(desk, tenant).checkpoint
    desk.ask(add(former.cosign(signed, 1_800_000_000)), tenant=tenant)
    successor = TestWitness(former.key.name)
    monkeypatch.setattr(desk.audit, "_witnesses", [successor.key, other.key])
    answer = published(desk, tenant)
    assert (answer.checkpoint, answer.cosigned_checkpoint) == (signed, "")
    assert (answer.witnesses[0].name, answer.witnesses[0].size) == (successor.key.name, 0)
    assert not answer.witnesses[0].HasField("cosign_time")
    desk.ask(add(other.cosign(signed, 1_800_000_000)), tenant=tenant)
    assert published(desk, tenant).cosigned_checkpoint == other.cosign(signed, 1_800_000_000)
    desk.ask(add(successor.cosign(signed, 1_800_000_001)), tenant=tenant)
    assert verify_cosignature(parse_note(published(desk, tenant).cosigned_checkpoint), successor.key) == 1_800_000_001


def test_a_conflict_is_not_hidden_by_a_cosignature_that_was_there_before(desk: Desk, tenant: str) -> None:
    (witness, _) = desk.witnesses
    signed = published(desk, tenant).checkpoint
    desk.ask(add(witness.cosign(signed, 1_800_000_000)), tenant=tenant)
    cosignatures.mark(desk.inside.node.log_engine, desk.tenant(tenant).uid, witness.key.name, cosignatures.CONFLICT)
    for time_s in (1_800_000_000, 1_700_000_000):
        desk.ask(add(witness.cosign(signed, time_s)), tenant=tenant)
        state = published(desk, tenant).witnesses[0]
        assert (state.problem, state.cosign_time.seconds) == (cosignatures.CONFLICT, 1_800_000_000)
    desk.ask(add(witness.cosign(signed, 1_800_000_001)), tenant=tenant)
    assert not published(desk, tenant).witnesses[0].problem


def _signed_by_the_log(desk: Desk, tenant: str, text: str) -> str:
    """A fork, signed by whoever has the log's key."""
    from vault.audit.note import sign_note, verifier

    manager, uid = desk.inside.node.key_manager, desk.tenant(tenant).uid
    key = verifier(text.partition("\n")[0], manager.log_public_key(uid))
    return sign_note(text, key, lambda message: manager.sign(uid, message)).encode()
