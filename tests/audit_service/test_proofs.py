"""Checkpoints and proofs hold before somebody who knows nothing of the vault, and nothing is proven of an altered tree."""

import base64
import hashlib
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.audit_service.desk import Desk, event_of
from tests.audit_service.filling import fill
from tests.harness import context
from tests.log_http import rfc6962

from vault.store import tables as t
from vault.v1.audit_service_pb2 import GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest

ENTRIES = 300
"""More than a tile has."""


def root_by_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root to which an inclusion path leads, by recursion over RFC 6962 section 2.1.1, from the top."""
    if size == 1:
        assert not path
        return rfc6962.leaf_hash(leaf)
    split = 1
    while split * 2 < size:
        split *= 2
    *rest, top = path
    if index < split:
        return rfc6962.node_hash(root_by_path(index, split, leaf, rest), top)
    return rfc6962.node_hash(top, root_by_path(index - split, size - split, leaf, rest))


def read_checkpoint(desk: Desk, tenant: str, signed: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint whose signature is good under the key in the KMS."""
    text, _, signatures = signed.partition("\n\n")
    origin, size, root = text.split("\n")
    assert origin == f"pdvault.invalid/{desk.tenant(tenant).uid.hex()}"
    name, encoded = signatures.split("\n")[0].removeprefix("— ").split(" ")
    public_key = desk.inside.node.key_manager.log_public_key(desk.tenant(tenant).uid)
    key_id, signature = (raw := base64.b64decode(encoded))[:4], raw[4:]
    assert name == origin
    assert key_id == hashlib.sha256(f"{origin}\n".encode() + b"\x01" + public_key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, f"{text}\n".encode())
    return int(size), base64.b64decode(root)


@pytest.fixture(scope="module")
def filled(desk: Desk) -> str:
    tenant = desk.new_tenant()
    fill(desk, tenant, ENTRIES, seed=1)
    return tenant


def checkpoint(desk: Desk, tenant: str):
    return desk.ask(GetCheckpointRequest(context=context("audit")), tenant=tenant)


def inclusion(index: int, size: int = 0) -> GetInclusionProofRequest:
    return GetInclusionProofRequest(context=context("audit"), index=index, size=size)


def consistency(first: int, second: int = 0) -> GetConsistencyProofRequest:
    return GetConsistencyProofRequest(context=context("audit"), first_size=first, second_size=second)


def test_the_checkpoint_is_signed_by_the_logs_key_and_of_the_tree_of_all_entries(desk: Desk, filled: str) -> None:
    answer = checkpoint(desk, filled)
    size, root = read_checkpoint(desk, filled, answer.checkpoint)
    assert size >= ENTRIES
    assert root == rfc6962.root([rfc6962.leaf_hash(row.leaf) for row in desk.entries(filled)[:size]])
    assert answer.log_key.startswith(f"pdvault.invalid/{desk.tenant(filled).uid.hex()}+")
    assert not answer.cosigned_checkpoint


@pytest.mark.parametrize("index", [0, 1, 127, 255, 256, 257, ENTRIES - 1])
@pytest.mark.parametrize("size", [0, ENTRIES, 258])
def test_an_entry_is_in_each_tree_it_should_be_in(desk: Desk, filled: str, index: int, size: int) -> None:
    published, root = read_checkpoint(desk, filled, checkpoint(desk, filled).checkpoint)
    if size and index >= size:
        assert desk.refused(inclusion(index, size), tenant=filled).reason_name == "LOG_RANGE"
        return
    answer = desk.ask(inclusion(index, size), tenant=filled)
    entries = [row.leaf for row in desk.entries(filled)]
    assert (answer.entry.index, answer.entry.leaf, answer.size) == (index, entries[index], size or published)
    expected = rfc6962.root([rfc6962.leaf_hash(leaf) for leaf in entries[: answer.size]])
    assert root_by_path(index, answer.size, answer.entry.leaf, answer.hashes) == expected
    assert size or expected == root


def test_a_proof_file_is_a_proof_for_the_newest_checkpoint(desk: Desk, filled: str) -> None:
    answer = desk.ask(inclusion(5), tenant=filled)
    head, _, signed = answer.proof_file.partition("\n\n")
    first, index, *hashes = head.split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", "index 5")
    size, root = read_checkpoint(desk, filled, signed)
    assert root_by_path(5, size, answer.entry.leaf, [base64.b64decode(line) for line in hashes]) == root
    assert not desk.ask(inclusion(5, size - 1), tenant=filled).proof_file


@pytest.mark.parametrize("first", [1, 2, 255, 256, 257, ENTRIES])
@pytest.mark.parametrize("second", [0, ENTRIES, 257])
def test_one_tree_begins_with_another(desk: Desk, filled: str, first: int, second: int) -> None:
    if second and first > second:
        assert desk.refused(consistency(first, second), tenant=filled).reason_name == "LOG_RANGE"
        return
    answer = desk.ask(consistency(first, second), tenant=filled)
    hashes = [rfc6962.leaf_hash(row.leaf) for row in desk.entries(filled)]
    roots = rfc6962.root(hashes[:first]), rfc6962.root(hashes[: answer.second_size])
    assert rfc6962.verify_consistency(first, answer.second_size, *roots, answer.hashes)
    if not second:
        assert read_checkpoint(desk, filled, answer.checkpoint) == (answer.second_size, roots[1])


def test_beyond_the_newest_checkpoint_nothing_is_proven(desk: Desk, filled: str) -> None:
    size, _ = read_checkpoint(desk, filled, checkpoint(desk, filled).checkpoint)
    for request in (
        inclusion(size),
        inclusion(0, size + 1),
        inclusion(2**64 - 1),
        inclusion(0, 2**64 - 1),
        consistency(1, size + 1),
    ):
        refusal = desk.refused(request, tenant=filled)
        assert refusal.reason_name == "LOG_RANGE", request
    assert desk.refused(consistency(0), tenant=filled).reason_name == "INVALID_FIELD"


def test_nothing_is_proven_of_an_altered_tree(desk: Desk, filled: str) -> None:
    uid = desk.tenant(filled).uid
    (forged,) = [row.leaf for row in desk.entries(filled)[9:10]]
    changes = [
        (t.audit_entry, {"leaf_index": 3}, {"leaf_hash": bytes(32)}),
        (t.audit_entry, {"leaf_index": 3}, {"leaf": forged, "leaf_hash": rfc6962.leaf_hash(forged)}),
        (t.audit_node, {"level": 1, "node_index": 0}, {"hash": bytes(32)}),
    ]
    for table, where, values in changes:
        with desk.behind_its_back(table, {"tenant_uid": uid, **where}, **values):
            for request in (inclusion(3), inclusion(4, 200), consistency(200), consistency(5, 200)):
                altered = table is t.audit_entry or not (request.size if hasattr(request, "index") else request.second_size)
                if altered:
                    refusal = desk.refused(request, tenant=filled)
                    assert refusal.reason_name == "INTEGRITY", (table.name, request)
                    assert "audit_" in refusal.message
    with desk.behind_its_back(t.audit_entry, {"tenant_uid": uid, "leaf_index": 3}, leaf=forged):
        assert desk.refused(inclusion(3), tenant=filled).reason_name == "INTEGRITY"


@pytest.mark.parametrize("which", ["size", "signature", "origin", "older", "missing"])
def test_a_checkpoint_that_is_none_of_the_logs_is_named(desk: Desk, filled: str, which: str) -> None:
    uid = desk.tenant(filled).uid
    (row,) = desk.inside.rows(t.audit_log, tenant_uid=uid)
    other = desk.inside.rows(t.audit_log, tenant_uid=desk.tenant("globex").uid)[0].checkpoint
    values = {
        "size": {"checkpoint_size": row.checkpoint_size - 1},
        "signature": {"checkpoint": row.checkpoint.replace(f"\n{row.checkpoint_size}\n", f"\n{row.checkpoint_size + 1}\n")},
        "origin": {"checkpoint": other},
        "older": {"size": row.checkpoint_size - 1},
        "missing": {"checkpoint": ""},
    }[which]
    with desk.behind_its_back(t.audit_log, {"tenant_uid": uid}, **values):
        refusal = desk.refused(GetCheckpointRequest(context=context("audit")), tenant=filled)
    assert refusal.reason_name == "INTEGRITY"
    assert "audit_log" in refusal.message


def test_reading_a_proof_is_an_event(desk: Desk) -> None:
    tenant = desk.new_tenant()
    fill(desk, tenant, 5, seed=2)
    desk.ask(inclusion(2), tenant=tenant)
    desk.ask(consistency(1), tenant=tenant)
    with pytest.raises(Exception, match="no entry"):
        desk.ask(inclusion(10**6), tenant=tenant)
    desk.integrate()
    last = [event_of(row) for row in desk.entries(tenant)][-3:]
    assert [(event.action, dict(event.details)) for event in last] == [
        ("GetInclusionProof", {"index": "2", "size": "0"}),
        ("GetConsistencyProof", {"first_size": "1", "second_size": "0"}),
        ("GetInclusionProof", {"index": "1000000", "size": "0"}),
    ]
