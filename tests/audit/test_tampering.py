"""Editing, deleting, moving or forging a pending leaf is found by a verifier that knows the log's public key and nothing else."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.verifier import announcement, verify_log

from vault.audit.chain import MAX_LEAF, Chain, Leaf
from vault.audit.events import Caller, Draft
from vault.audit.merkle import leaf_hash
from vault.v1 import audit_pb2, common_pb2

TENANT, OTHER = b"\x11" * 16, b"\x12" * 16
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC_KEY = LOG_KEY.public_key().public_bytes_raw()
MALLORY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


def draft(tenant_uid: bytes = TENANT, action: str = "Reveal") -> Draft:
    """An event of somebody's."""
    made = Draft(Caller(tenant_uid, "spiffe://pdvault/acme/app"), action, common_pb2.CallContext(purpose="payout"))
    made.touch("email", b"\x22" * 16, b"\x33" * 16)
    return made


def endorsement(chain: Chain, tenant_uid: bytes = TENANT, key: Ed25519PrivateKey = LOG_KEY) -> dict[bytes, bytes]:
    """What the KMS says of a boot."""
    return {tenant_uid: key.sign(announcement(tenant_uid, chain.boot_id, chain.public_key))}


def grow(chain: Chain, sizes: Sequence[int], time_us: int = 1) -> list[bytes]:
    """The leaves of commits of so many events each."""
    leaves = []
    for size in sizes:
        commit = chain.extend([draft() for _ in range(size)], endorsement(chain), time_us)
        chain.settle(commit)
        leaves += [leaf.leaf for leaf in commit.leaves]
    return leaves


@pytest.fixture(scope="module")
def log() -> list[bytes]:
    """Three boots with commits of different sizes."""
    return [leaf for sizes in ((3, 1, 4), (1,), (2, 2)) for leaf in grow(Chain("node-1"), sizes)]


def problems(leaves: Sequence[bytes]) -> list[str]:
    """What the verifier finds."""
    return verify_log(leaves, TENANT, PUBLIC_KEY)


def test_an_untouched_log_is_whole_in_whatever_order_its_leaves_come(log: list[bytes]) -> None:
    assert len(log) == 3 + 1 + 4 + 1 + 2 + 2 + 3 * 2
    assert problems(log) == problems(log[::-1]) == problems(sorted(log)) == []


def test_a_changed_byte_anywhere_in_a_leaf_is_found() -> None:
    leaves = grow(Chain("node-1"), (2, 1))
    for number, leaf in enumerate(leaves):
        for place in range(0, len(leaf), 3):
            edited = leaf[:place] + bytes([leaf[place] ^ 1]) + leaf[place + 1 :]
            assert problems([*leaves[:number], edited, *leaves[number + 1 :]]), (number, place)


def test_every_leaf_that_is_missing_before_a_later_commit_is_found(log: list[bytes]) -> None:
    last = {audit_pb2.AuditEvent.FromString(leaf).boot_id: leaf for leaf in log}
    for number, leaf in enumerate(log):
        if leaf not in last.values():
            assert problems([*log[:number], *log[number + 1 :]]), number


def test_a_chain_cut_within_a_commit_is_found_and_one_cut_between_commits_is_not() -> None:
    leaves = grow(Chain("node-1"), (3, 1, 4))
    whole = [count for count in range(1, len(leaves) + 1) if not problems(leaves[:count])]
    assert whole == [5, 6, 10]


def test_leaves_that_trade_places_are_found_though_each_is_sound(log: list[bytes]) -> None:
    def renumbered(leaf: bytes, like: bytes) -> bytes:
        event, place = audit_pb2.AuditEvent.FromString(leaf), audit_pb2.AuditEvent.FromString(like)
        event.boot_sequence, event.previous_hash = place.boot_sequence, place.previous_hash
        return event.SerializeToString(deterministic=True)

    for first, second in itertools.pairwise(range(10)):
        swapped = list(log)
        swapped[first], swapped[second] = renumbered(log[second], log[first]), renumbered(log[first], log[second])
        assert problems(swapped), first


def test_a_leaf_there_twice_or_of_another_tenant_is_found(log: list[bytes]) -> None:
    assert problems([*log, log[4]])
    chain = Chain("node-1")
    foreign = chain.extend([draft(OTHER)], endorsement(chain, OTHER), 1).leaves
    assert problems([*log, *(leaf.leaf for leaf in foreign)])


def resealed(leaves: Sequence[bytes], key: Ed25519PrivateKey) -> list[bytes]:
    """The leaves linked anew, each with a signature by a key: the most that an editor of the database can do."""
    made, previous = [], bytes(32)
    for leaf in leaves:
        event = audit_pb2.AuditEvent.FromString(leaf)
        event.ClearField("boot_signature")
        event.previous_hash = previous
        event.boot_signature = key.sign(event.SerializeToString(deterministic=True))
        made.append(event.SerializeToString(deterministic=True))
        previous = leaf_hash(made[-1])
    return made


def test_a_chain_linked_and_signed_anew_by_somebody_else_is_found() -> None:
    leaves = grow(Chain("node-1"), (3, 2))
    assert problems(resealed(leaves, MALLORY))
    opening = audit_pb2.AuditEvent.FromString(leaves[0])
    opening.boot_public_key = MALLORY.public_key().public_bytes_raw()
    forged = resealed([opening.SerializeToString(deterministic=True), *leaves[1:]], MALLORY)
    assert problems(forged) == [f"boot {opening.boot_id.hex()}: the endorsement is not the log key's"]


def test_a_boot_that_the_log_key_never_endorsed_or_that_another_key_did_is_found() -> None:
    for endorsements in ({}, endorsement(Chain("x")), endorsement(chain := Chain("node-1"), key=MALLORY)):
        chain = Chain("node-1")
        leaves = [leaf.leaf for leaf in chain.extend([draft()], endorsements, 1).leaves]
        assert problems(leaves)


def test_an_endorsement_of_one_tenant_is_none_in_another_s_log() -> None:
    chain = Chain("node-1")
    wrong = {OTHER: LOG_KEY.sign(announcement(TENANT, chain.boot_id, chain.public_key))}
    leaves = [leaf.leaf for leaf in chain.extend([draft(OTHER)], wrong, 1).leaves]
    assert verify_log(leaves, OTHER, PUBLIC_KEY)


def test_the_endorsement_follows_once_the_kms_has_given_it_and_only_once() -> None:
    chain = Chain("node-1")
    assert not chain.is_endorsed(TENANT)
    leaves: list[Leaf] = []
    for known in ({}, {}, endorsement(chain), endorsement(chain)):
        commit = chain.extend([draft()], known, 1)
        chain.settle(commit)
        leaves += commit.leaves
    assert chain.is_endorsed(TENANT)
    actions = [audit_pb2.AuditEvent.FromString(leaf.leaf).action for leaf in leaves]
    assert actions == ["BootStarted", "Reveal", "Reveal", "BootEndorsed", "Reveal", "Reveal"]
    assert problems([leaf.leaf for leaf in leaves]) == []


def test_a_boot_that_ended_cleanly_says_so_in_each_log_and_nothing_follows() -> None:
    chain = Chain("node-1")
    known = endorsement(chain) | endorsement(chain, OTHER)
    opening = chain.extend([draft(), draft(OTHER)], known, 1)
    chain.settle(opening)
    end = chain.finish(2)
    assert {(leaf.tenant_uid, audit_pb2.AuditEvent.FromString(leaf.leaf).action) for leaf in end.leaves} == {
        (TENANT, "BootEnded"),
        (OTHER, "BootEnded"),
    }
    chain.settle(end)
    late = chain.extend([draft()], known, 3)
    leaves = [leaf.leaf for leaf in (*opening.leaves, *end.leaves, *late.leaves) if leaf.tenant_uid == TENANT]
    assert problems(leaves[:-1]) == []
    assert len(problems(leaves)) == 1


def test_a_commit_that_was_rolled_back_leaves_no_gap() -> None:
    chain = Chain("node-1")
    leaves = grow(chain, (2,))
    chain.extend([draft()], endorsement(chain), 2)
    assert problems(leaves + grow(chain, (1, 1))) == []


def test_each_tenant_s_log_has_a_chain_of_its_own_and_is_signed_once_a_commit() -> None:
    chain = Chain("node-1")
    known = endorsement(chain) | endorsement(chain, OTHER)
    commits = [chain.extend([draft(uid) for uid in uids], known, 1) for uids in ((TENANT, OTHER, TENANT), (OTHER,))[:1]]
    chain.settle(commits[0])
    commits.append(chain.extend([draft(OTHER)], known, 2))
    for tenant_uid in (TENANT, OTHER):
        leaves = [leaf.leaf for commit in commits for leaf in commit.leaves if leaf.tenant_uid == tenant_uid]
        assert verify_log(leaves, tenant_uid, PUBLIC_KEY) == []
    signed = [audit_pb2.AuditEvent.FromString(leaf.leaf).boot_signature != b"" for leaf in commits[0].leaves]
    assert sum(signed) == 2


def test_a_leaf_s_columns_are_those_of_its_event(log: list[bytes]) -> None:
    chain = Chain("node-1")
    for row in chain.extend([draft(), draft()], endorsement(chain), 77).leaves:
        event = audit_pb2.AuditEvent.FromString(row.leaf)
        assert row[:4] == (event.tenant_uid, event.boot_id, event.boot_sequence, event.time_us)
        assert (event.format, event.time_us, event.node, len(event.random)) == (1, 77, "node-1", 16)


def test_no_two_leaves_are_alike_though_the_same_happened(log: list[bytes]) -> None:
    events = [audit_pb2.AuditEvent.FromString(leaf) for leaf in log]
    assert len({event.random for event in events}) == len(events)


def test_a_leaf_larger_than_a_tile_takes_is_not_made() -> None:
    huge = draft()
    for number in range(4000):
        huge.touch("email", number.to_bytes(16, "big"), number.to_bytes(16, "big"))
    with pytest.raises(ValueError, match=str(MAX_LEAF)):
        Chain("node-1").extend([huge], {}, 1)


def cut(leaves: list[bytes], at: int) -> list[bytes]:
    """Without one leaf that is not its chain's last."""
    return [*leaves[:at], *leaves[at + 1 :]]


def repeat(leaves: list[bytes], at: int) -> list[bytes]:
    """With one leaf twice."""
    return [*leaves, leaves[at]]


def blur(leaves: list[bytes], at: int) -> list[bytes]:
    """With one leaf's action changed and everything behind it linked anew, as far as that can be done without the key."""
    made, previous = list(leaves), b""
    for place in range(at, len(leaves)):
        event = audit_pb2.AuditEvent.FromString(leaves[place])
        if place == at:
            event.action = "Describe"
        else:
            event.previous_hash = previous
        made[place] = event.SerializeToString(deterministic=True)
        previous = leaf_hash(made[place])
    return made


@settings(max_examples=40, deadline=None, database=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=6), data=st.data())
def test_whatever_was_committed_is_whole_and_any_change_before_the_end_is_found(sizes: list[int], data: st.DataObject) -> None:
    leaves = grow(Chain("node-1"), sizes)
    assert problems(leaves) == []
    change: Callable[[list[bytes], int], list[bytes]] = data.draw(st.sampled_from([cut, repeat, blur]))
    assert problems(change(leaves, data.draw(st.integers(0, len(leaves) - 2))))
