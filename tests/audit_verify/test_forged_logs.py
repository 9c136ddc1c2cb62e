"""What an operator can do who has the database and the log's key, and makes tree and checkpoint anew: the boots' chains tell."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit_verify.checking import rebuilt, verdict
from tests.audit_verify.logs import NOW_US, Log, key_of

from vault.audit.chain import Chain
from vault.audit.merkle import leaf_hash
from vault.audit.verify_leaves import EARLIEST_US
from vault.v1 import audit_pb2

MALLORY = key_of(9)


def written() -> tuple[Log, Chain, Chain]:
    """A log of two boots: entries 0 to 4 are of the first, 5 to 8 of the second, 9 and 10 of the first again."""
    log, first, second = Log(), Chain("first"), Chain("second")
    log.commit(first, [log.draft()] * 3)
    log.commit(second, [log.draft()] * 2)
    log.commit(first, [log.draft()] * 2)
    return log, first, second


def parsed(leaf: bytes) -> audit_pb2.AuditEvent:
    """The event of a leaf."""
    return audit_pb2.AuditEvent.FromString(leaf)


def changed(leaf: bytes, **fields: object) -> bytes:
    """A leaf with other fields, and whatever signature it had."""
    event = parsed(leaf)
    for name, value in fields.items():
        setattr(event, name, value)
    return event.SerializeToString(deterministic=True)


def relinked(leaves: Sequence[bytes], boot_id: bytes, key: Ed25519PrivateKey) -> list[bytes]:
    """All leaves of a boot numbered and linked anew, each signed that was: the most that somebody without its key can do."""
    made: list[bytes] = []
    number, previous = 0, bytes(32)
    for leaf in leaves:
        event = parsed(leaf)
        if event.boot_id != boot_id:
            made.append(leaf)
            continue
        event.boot_sequence, event.previous_hash = number, previous
        if event.boot_signature:
            event.ClearField("boot_signature")
            event.boot_signature = key.sign(event.SerializeToString(deterministic=True))
        made.append(event.SerializeToString(deterministic=True))
        number, previous = number + 1, leaf_hash(made[-1])
    return made


def said(leaves: Sequence[bytes], folder: Path) -> str:
    """What the verifier says of a log that is made of these leaves."""
    return verdict(rebuilt(leaves).bundle(), folder)


def without(leaves: Sequence[bytes], at: int) -> list[bytes]:
    """All but one."""
    return [*leaves[:at], *leaves[at + 1 :]]


@pytest.mark.parametrize(("at", "entry"), [(2, 2), (4, 8), (6, 6), (9, 9)])
def test_a_deleted_leaf_is_missed_where_its_boot_goes_on(at: int, entry: int, tmp_path: Path) -> None:
    log, *_ = written()
    number = parsed(log.leaves[at]).boot_sequence
    assert said(without(log.leaves, at), tmp_path).startswith(f"BAD entry {entry} is number {number + 1} of boot ")
    assert f"number {number} is missing before it" in said(without(log.leaves, at), tmp_path)


def test_a_deleted_first_leaf_is_missed(tmp_path: Path) -> None:
    log, *_ = written()
    assert "BAD entry 0 is number 1 of boot " in said(log.leaves[1:], tmp_path)
    assert "whose beginning is missing" in said(log.leaves[1:], tmp_path)


def test_a_deleted_last_leaf_of_a_commit_is_missed_unless_it_was_the_log_s_last(tmp_path: Path) -> None:
    log, *_ = written()
    assert said(without(log.leaves, 8), tmp_path / "a") == (
        f"BAD entry 7 is the last one of boot {parsed(log.leaves[7]).boot_id.hex()}, and not signed by it"
    )
    assert said(log.leaves[:10], tmp_path / "b") == "OK"  # it may be on its way


def test_leaves_that_traded_places_are_named(tmp_path: Path) -> None:
    log, *_ = written()
    leaves = [*log.leaves[:2], log.leaves[3], log.leaves[2], *log.leaves[4:]]
    assert said(leaves, tmp_path).startswith("BAD entry 2 is number 3 of boot ")


def test_a_leaf_there_twice_is_named(tmp_path: Path) -> None:
    log, *_ = written()
    assert "BAD entry 11 is number 2 of boot " in said([*log.leaves, log.leaves[2]], tmp_path)
    assert "there twice" in said([*log.leaves, log.leaves[2]], tmp_path)


def test_an_edited_leaf_breaks_the_link_of_the_next(tmp_path: Path) -> None:
    log, *_ = written()
    leaves = [*log.leaves[:2], changed(log.leaves[2], purpose="holiday"), *log.leaves[3:]]
    assert said(leaves, tmp_path).startswith("BAD entry 3 is number 3 of boot ")
    assert "does not follow number 2: one of them was replaced" in said(leaves, tmp_path)


@pytest.mark.parametrize("at", range(11))
def test_an_edited_leaf_with_the_whole_chain_linked_anew_lacks_the_boot_s_signature(at: int, tmp_path: Path) -> None:
    log, *_ = written()
    boot_id = parsed(log.leaves[at]).boot_id
    leaves = [*log.leaves[:at], changed(log.leaves[at], node="another"), *log.leaves[at + 1 :]]
    last = max(index for index, leaf in enumerate(leaves) if parsed(leaf).boot_id == boot_id)
    assert said(relinked(leaves, boot_id, MALLORY), tmp_path) == (
        f"BAD entry {last}: its signature is not by the key of boot {boot_id.hex()}"
    )


def test_a_chain_under_another_key_lacks_the_log_s_endorsement(tmp_path: Path) -> None:
    log, first, _ = written()
    key = MALLORY.public_key().public_bytes_raw()
    leaves = [changed(log.leaves[0], boot_public_key=key), *log.leaves[1:]]
    assert said(relinked(leaves, first.boot_id, MALLORY), tmp_path) == (
        f"BAD entry 1: the endorsement of boot {first.boot_id.hex()} is not by the log's key"
    )


def test_an_invented_boot_may_say_no_but_never_yes(tmp_path: Path) -> None:
    log, *_ = written()
    invented = Chain("nobody")
    log.commit(invented, [log.draft(decision=audit_pb2.DECISION_DENIED)], endorsed=False)
    assert verdict(log.bundle(), tmp_path / "a") == "OK"
    log.commit(invented, [log.draft()], endorsed=False)
    assert verdict(log.bundle(), tmp_path / "b") == (
        f"BAD entry 13 is of boot {invented.boot_id.hex()}, which the log's key has not endorsed, and yet was allowed"
    )
    log.end(invented)
    assert "entry 13 is of boot" in verdict(log.bundle(), tmp_path / "c")


def test_nothing_follows_the_end_of_a_boot(tmp_path: Path) -> None:
    log, first, _ = written()
    log.end(first)
    log.commit(first, [log.draft()])
    assert said(log.leaves, tmp_path) == "BAD entry 12 follows the end of its boot, which is entry 11"


def test_an_end_that_the_boot_did_not_sign_is_none(tmp_path: Path) -> None:
    log, first, _ = written()
    log.end(first)
    event = parsed(log.leaves[-1])
    event.ClearField("boot_signature")
    ended = event.SerializeToString(deterministic=True)
    assert said([*log.leaves[:-1], ended], tmp_path) == f"BAD entry 11 ends boot {first.boot_id.hex()}, and is not signed by it"


def test_a_boot_begins_and_is_endorsed_once(tmp_path: Path) -> None:
    log, first, _ = written()
    own = [changed(log.leaves[at], boot_signature=b"") for at in (0, 1)]
    for again, what in zip(own, ("begins", "endorses"), strict=True):
        leaves = relinked([*log.leaves, again], first.boot_id, MALLORY)
        assert said(leaves, tmp_path / what) == f"BAD entry 11 {what} boot {first.boot_id.hex()} again"


def test_time_does_not_go_back_far_within_a_boot(tmp_path: Path) -> None:
    log, first, _ = written()
    log.time_us -= 120_000_000
    log.commit(first, [log.draft()])
    assert said(log.leaves, tmp_path) == "BAD entry 11 is dated 119 s before an earlier one of its boot"


FIELDS = {
    "no event at all": (lambda leaf: b"\xff" * 40, "is no audit event"),
    "nothing": (lambda leaf: b"", "is of format 0, not 1"),
    "another format": (lambda leaf: changed(leaf, format=2), "is of format 2, not 1"),
    "another tenant": (lambda leaf: changed(leaf, tenant_uid=b"\x12" * 16), f"is of the log of tenant {'12' * 16}"),
    "no tenant": (lambda leaf: changed(leaf, tenant_uid=b""), "is of the log of tenant none"),
    "no decision": (lambda leaf: changed(leaf, decision=0), "has a decision that does not exist, 0"),
    "no action": (lambda leaf: changed(leaf, action=""), "has no action"),
    "a time before there were vaults": (lambda leaf: changed(leaf, time_us=EARLIEST_US - 1), "is dated before 2020"),
    "a time far ahead": (lambda leaf: changed(leaf, time_us=NOW_US + 90_000_000_000), "is dated in the future"),
    "too little randomness": (lambda leaf: changed(leaf, random=b"x"), "has 1 bytes of random"),
    "half a principal": (lambda leaf: changed(leaf, principal_uid=b"x" * 8), "has 8 bytes of principal_uid"),
    "a long request": (lambda leaf: changed(leaf, request_id=b"x" * 17), "has 17 bytes of request_id"),
    "a certificate's name": (lambda leaf: changed(leaf, certificate_sha256=b"x" * 20), "has 20 bytes of certificate_sha256"),
    "a short policy": (lambda leaf: changed(leaf, policy_sha256=b"x"), "has 1 bytes of policy_sha256"),
    "a short boot": (lambda leaf: changed(leaf, boot_id=b"x"), "has 1 bytes of boot_id"),
    "a short link": (lambda leaf: changed(leaf, previous_hash=b"x"), "has 1 bytes of previous_hash"),
    "a short signature": (lambda leaf: changed(leaf, boot_signature=b"x" * 63), "has 63 bytes of boot_signature"),
    "a signature that is not at its end": (
        lambda leaf: changed(leaf, boot_signature=b"x" * 64) + b"\x08\x01",
        "does not end with its signature",
    ),
    "a key in the middle": (lambda leaf: changed(leaf, boot_public_key=b"x" * 32), "has 32 bytes of boot_public_key"),
    "an endorsement of nothing": (lambda leaf: changed(leaf, boot_endorsement=b"x" * 64), "has 64 bytes of boot_endorsement"),
    "a beginning without a key": (lambda leaf: changed(leaf, action="BootStarted"), "has 0 bytes of boot_public_key"),
}


@pytest.mark.parametrize(("change", "problem"), FIELDS.values(), ids=FIELDS.keys())
@pytest.mark.parametrize("before", [0, 300])
def test_a_leaf_that_is_not_as_the_format_says_is_named(
    change: Callable[[bytes], bytes], problem: str, before: int, tmp_path: Path
) -> None:
    log, first, _ = written()
    for _ in range(before):
        log.commit(first, [log.draft()] * 2)
    leaves = [*log.leaves[:-2], change(log.leaves[-2]), log.leaves[-1]]
    assert said(leaves, tmp_path).startswith(f"BAD entry {len(leaves) - 2} {problem}")


@settings(max_examples=150)
@given(data=st.data())
def test_no_leaf_can_be_taken_out_moved_or_replaced_before_its_boot_s_last_signature(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = Log().grow(120, group=4, end_after=9)
    boots = [parsed(leaf).boot_id for leaf in log.leaves]
    inner = [at for at, boot_id in enumerate(boots) if boot_id in boots[at + 1 :]]
    at = data.draw(st.sampled_from(inner))
    later = [index for index in range(at + 1, len(boots)) if boots[index] == boots[at]]
    kind = data.draw(st.sampled_from(["out", "moved", "replaced"]))
    leaves = list(log.leaves)
    if kind == "out":
        del leaves[at]
    elif kind == "moved":
        leaves.insert(data.draw(st.sampled_from(later)), leaves.pop(at))
    else:
        leaves[at] = changed(leaves[at], random=bytes(16))
    assert said(leaves, tmp_path_factory.mktemp("state")).startswith("BAD entry ")


def test_a_chain_s_beginning_that_a_range_lacks_is_asked_for(tmp_path: Path) -> None:
    log, early = Log(), Chain("early")
    log.commit(early, [log.draft()] * 1000)
    files = log.bundle(600, 700)
    for path in ("tile/entries/000", "tile/0/000"):
        del files[path]
    assert verdict(files, tmp_path) == (
        f"UNCHECKED the bundle is incomplete: entry 512 is of boot {early.boot_id.hex()}, whose BootStarted it does not hold"
    )


def test_a_boot_whose_endorsement_a_range_lacks_is_not_believed(tmp_path: Path) -> None:
    log, chain = Log(), Chain("late")
    log.commit(chain, [log.draft()] * 600, endorsed=False)
    log.commit(chain, [log.draft()] * 600)
    files = log.bundle(300, 400)
    for path in ("tile/entries/002", "tile/0/002"):
        del files[path]
    assert verdict(files, tmp_path).startswith(f"UNCHECKED entry 1 is of boot {chain.boot_id.hex()}, which the log's key has not")


def test_a_chain_that_skips_more_than_a_range_left_out_is_broken(tmp_path: Path) -> None:
    log, chain, other = Log(), Chain("a"), Chain("b")
    log.commit(chain, [log.draft()] * 200)
    log.commit(other, [log.draft()] * 500)
    log.commit(chain, [log.draft()] * 400)
    leaves = [
        changed(leaf, boot_sequence=parsed(leaf).boot_sequence + 600) if at > 703 else leaf for at, leaf in enumerate(log.leaves)
    ]
    assert verdict(log.bundle(768, 900), tmp_path / "a") == "OK"
    assert "is missing before it" in verdict(rebuilt(leaves).bundle(768, 900), tmp_path / "b")
