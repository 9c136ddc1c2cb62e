"""Whose checkpoint it is, who has seen it, and whether the log has gone back or split since the last one."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit_verify.checking import verdict, verified
from tests.audit_verify.logs import NOW_US, Files, Log, Witness, cosigned, grown, key_of

from vault.audit.cosignature import cosign
from vault.audit.note import Note, Signature, sign_note, verifier
from vault.audit.policy_file import parse_policy, policy_of
from vault.audit.remembered import Memory
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.audit.verify_trust import FIRST_USE, GIVEN, REMEMBERED

MALLORY = key_of(9)
WITNESSES = [Witness(f"witness-{number}.example.org", key_of(20 + number)) for number in range(3)]
KEYS = [witness.verifier for witness in WITNESSES]


def other_log(size: int) -> Log:
    """Another log of the same name and key, as a server has it that tells others something else."""
    return Log().grow(size)


def signed_by_mallory(log: Log, files: Files, *, under_the_log_s_key_id: bool) -> Files:
    """The bundle with a checkpoint of the right form, signed by somebody else's key."""
    key = verifier(log.origin, MALLORY.public_key().public_bytes_raw())
    note = sign_note(log.checkpoint().text(), key, MALLORY.sign)
    if under_the_log_s_key_id:
        note = Note(note.text, (Signature(log.origin, log.verifier.key_id, note.signatures[0].signature),))
        return {**files, "checkpoint": note.encode().encode()}
    manifest = files["manifest.json"].replace(log.verifier.vkey.encode(), key.vkey.encode())
    return {**files, "checkpoint": note.encode().encode(), "manifest.json": manifest}


def test_the_key_is_the_one_given_else_the_one_remembered_else_the_bundle_s(tmp_path: Path) -> None:
    log = grown(300)
    assert verified(log.bundle(), tmp_path).signed.source == FIRST_USE
    assert verified(log.bundle(), tmp_path).signed.source == REMEMBERED
    assert verified(log.bundle(), tmp_path, policy_of([log.verifier], [], 0)).signed.source == GIVEN


def test_a_wrong_key_is_no_verdict_on_the_log(tmp_path: Path) -> None:
    log = grown(300)
    another = policy_of([verifier(log.origin, MALLORY.public_key().public_bytes_raw())], [], 0)
    assert verdict(log.bundle(), tmp_path, another).startswith(
        "UNCHECKED wrong key: the checkpoint has no signature by pdvault.inv"
    )
    elsewhere = policy_of([verifier("elsewhere.example.org", MALLORY.public_key().public_bytes_raw())], [], 0)
    assert "UNCHECKED wrong key: this is the log 'pdvault.invalid/" in verdict(log.bundle(), tmp_path, elsewhere)


def test_of_several_keys_given_the_one_that_signed_counts(tmp_path: Path) -> None:
    log = grown(300)
    both = policy_of([verifier(log.origin, MALLORY.public_key().public_bytes_raw()), log.verifier], [], 0)
    assert verified(log.bundle(), tmp_path, both).signed.log_key == log.verifier


def test_a_forged_checkpoint_of_the_right_form_is_found(tmp_path: Path) -> None:
    log = grown(300)
    forged = signed_by_mallory(log, log.bundle(), under_the_log_s_key_id=True)
    for policy in (policy_of([log.verifier], [], 0), policy_of([], [], 0)):
        assert verdict(forged, tmp_path, policy).startswith("BAD the checkpoint is forged or damaged: the signature of pdvault")


def test_a_log_under_a_new_key_is_not_the_one_remembered(tmp_path: Path) -> None:
    log = grown(300)
    assert verdict(log.bundle(), tmp_path) == "OK"
    forged = signed_by_mallory(log, log.bundle(), under_the_log_s_key_id=False)
    assert verdict(forged, tmp_path).startswith("BAD the checkpoint is not signed by the key remembered for this log, ")
    key = verifier(log.origin, MALLORY.public_key().public_bytes_raw())
    said = verdict(forged, tmp_path, policy_of([key], [], 0))
    assert said.startswith(f"BAD the checkpoint is signed by {key.vkey}, but checkpoints of this log seen before by ")


def test_a_rewound_log_is_named_with_both_sizes(tmp_path: Path) -> None:
    log = grown(1000)
    assert verdict(log.bundle(), tmp_path) == "OK"
    said = verdict(log.bundle(size=900), tmp_path)
    assert said.startswith("BAD rewound log, or an older bundle: it has size 900, but a checkpoint of size 1000 was seen before")


def test_an_older_bundle_passes_if_it_was_verified_at_its_time(tmp_path: Path) -> None:
    log = grown(1000)
    for size in (500, 1000):
        assert verdict(log.bundle(size=size, known_size=500 if size == 1000 else 0), tmp_path) == "OK"
    assert verdict(log.bundle(size=500), tmp_path, older=True) == "OK"
    assert verdict(log.bundle(size=600), tmp_path, older=True).startswith(
        "UNCHECKED size 600 is older than the size 1000 seen before"
    )
    assert verdict(other_log(500).bundle(), tmp_path, older=True).startswith("BAD fork: this checkpoint of size 500 has the root ")
    assert verdict(log.bundle(size=1000), tmp_path) == "OK"


def test_two_trees_of_one_size_are_a_fork(tmp_path: Path) -> None:
    assert verdict(grown(1000).bundle(), tmp_path) == "OK"
    assert verdict(other_log(1000).bundle(), tmp_path).startswith("BAD fork: this checkpoint of size 1000 has the root ")


@pytest.mark.parametrize("seen", [0, 1, 2, 64, 255, 256, 257, 300, 512, 999])
def test_growth_is_shown_by_tiles_or_by_a_proof(seen: int, tmp_path: Path) -> None:
    log = grown(1000)
    for known_size in {0, seen}:
        state = tmp_path / str(known_size)
        keep(log, seen, state)
        report = verified(log.bundle(known_size=known_size), state)
        assert report.seen_size == seen


@pytest.mark.parametrize("seen", [2, 64, 255, 256, 300, 999])
@pytest.mark.parametrize("by_proof", [True, False])
def test_a_log_that_does_not_begin_with_the_one_seen_is_a_fork(seen: int, by_proof: bool, tmp_path: Path) -> None:
    keep(other_log(seen), seen, tmp_path)
    said = verdict(grown(1000).bundle(known_size=seen if by_proof else 0), tmp_path)
    assert said.startswith(("BAD fork: the first", "BAD fork, or a false proof"))


def keep(log: Log, size: int, state: Path) -> None:
    """Remember a log at a size, without a bundle of that size."""
    Memory(state).keep(log.verifier, log.note(size).encode(), log.checkpoint(size))


def test_a_range_without_a_proof_of_growth_is_no_verdict(tmp_path: Path) -> None:
    log = grown(2050)
    keep(log, 300, tmp_path)
    assert (
        verdict(log.bundle(2048, 2050, known_size=300), tmp_path / "elsewhere") == "OK"
    )  # without a memory, there is nothing to show
    files = log.bundle(2048, 2050)
    assert "tile/0/001" not in files
    assert verdict(files, tmp_path).startswith("UNCHECKED whether this log begins with the 300 entries seen before")
    assert verdict(log.bundle(2048, 2050, known_size=300), tmp_path) == "OK"


def test_a_false_proof_of_growth_is_found_even_if_tiles_show_it(tmp_path: Path) -> None:
    log = grown(1000)
    files = log.bundle(known_size=300)
    files["consistency"] = log.bundle(known_size=301)["consistency"]
    assert verdict(files, tmp_path).startswith("BAD fork, or a false proof: the file consistency does not show it")


def test_a_log_that_did_not_grow_is_good_again_and_again(tmp_path: Path) -> None:
    files = grown(300).bundle(known_size=300)
    assert [verdict(files, tmp_path) for _ in range(3)] == ["OK"] * 3
    files["consistency"] = b"A" * 43 + b"=\n"
    assert verdict(files, tmp_path).startswith("BAD fork, or a false proof")


def test_what_is_signed_is_remembered_whatever_its_entries_are(tmp_path: Path) -> None:
    log = grown(600)
    files, policy = log.bundle(), policy_of([log.verifier], [], 0)
    files["tile/entries/000"] = files["tile/entries/001"]
    assert verdict(files, tmp_path, policy).startswith("BAD entry 0")
    assert "rewound log" in verdict(log.bundle(size=300), tmp_path, policy)


def test_a_key_is_not_believed_on_first_use_of_a_bad_bundle(tmp_path: Path) -> None:
    log = grown(600)
    files = signed_by_mallory(log, log.bundle(), under_the_log_s_key_id=False)
    files["tile/entries/000"] = files["tile/entries/001"]
    assert verdict(files, tmp_path).startswith("BAD entry 0")
    assert verified(log.bundle(), tmp_path).signed.source == FIRST_USE


def test_what_was_not_signed_or_not_consistent_is_not_remembered(tmp_path: Path) -> None:
    log = grown(300)
    keep(log, 300, tmp_path)
    assert verdict(other_log(1000).bundle(), tmp_path).startswith("BAD fork")
    assert verdict(signed_by_mallory(grown(1000), grown(1000).bundle(), under_the_log_s_key_id=True), tmp_path).startswith("BAD")
    assert verdict(log.bundle(), tmp_path) == "OK"


def test_a_damaged_memory_is_no_verdict(tmp_path: Path) -> None:
    log = grown(300)
    assert verdict(log.bundle(), tmp_path) == "OK"
    path = Memory(tmp_path).path(log.origin)
    good = path.read_bytes()
    for damage in (b"", b"{}", good[:-20], good.replace(b"300", b"301"), good.replace(log.origin.encode(), b"x" * len(log.origin))):
        path.write_bytes(damage)
        assert verdict(log.bundle(), tmp_path).startswith(f"UNCHECKED {path} is damaged")


def test_the_memory_is_for_its_owner_only_and_survives_two_writers(tmp_path: Path) -> None:
    log, folder = grown(1000), tmp_path / "state"
    sizes = list(range(2, 60))
    threads = [threading.Thread(target=keep, args=(log, size, folder)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = Memory(folder).recall(log.origin)
    assert known is not None
    assert (known.checkpoint.size, sorted(known.seen)) == (max(sizes), sizes)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with pytest.raises(WrongError, match="two trees of 10 entries"):
        keep(other_log(10), 10, folder)


def test_logs_don_t_share_a_memory(tmp_path: Path) -> None:
    assert verdict(grown(1000).bundle(), tmp_path) == "OK"
    other = Log(tenant_uid=b"\x13" * 16).grow(10)
    assert verdict(other.bundle(), tmp_path) == "OK"
    assert verdict(grown(1000).bundle(), tmp_path) == "OK"


@pytest.mark.parametrize(("given", "quorum", "good"), [(0, 0, True), (1, 1, True), (1, 2, False), (2, 2, True), (3, 1, True)])
def test_as_many_cosignatures_are_asked_for_as_the_quorum_says(given: int, quorum: int, good: bool, tmp_path: Path) -> None:
    files = grown(300).bundle(witnesses=WITNESSES[:given])
    policy = policy_of([], KEYS, quorum)
    if good:
        cosignatures = verified(files, tmp_path, policy).signed.cosignatures
        assert cosignatures == tuple((witness.verifier, NOW_US // 1_000_000) for witness in WITNESSES[:given])
    else:
        assert verdict(files, tmp_path, policy) == f"BAD the checkpoint lacks cosignatures: it has {given} of 3 known witnesses"


def test_a_forged_cosignature_is_found_and_one_of_a_stranger_does_not_count(tmp_path: Path) -> None:
    log = grown(300)
    stranger = Witness("stranger.example.org", key_of(30))
    assert "it has 0 of 3" in verdict(log.bundle(witnesses=[stranger]), tmp_path, policy_of([], KEYS, 1))
    forger = replace(WITNESSES[0], key=MALLORY)
    line = cosign(log.note().text, forger.verifier, MALLORY.sign, 1)
    note = log.note()
    forged = Note(note.text, (*note.signatures, replace(line, key_id=WITNESSES[0].verifier.key_id)))
    files = {**log.bundle(), "checkpoint": forged.encode().encode()}
    assert verdict(files, tmp_path, policy_of([], KEYS, 0)).startswith(
        "BAD the checkpoint is forged or damaged: the cosignature of"
    )


def test_cosignatures_of_another_checkpoint_are_none(tmp_path: Path) -> None:
    log = grown(300)
    elsewhere = cosigned(log.note(200), WITNESSES).signatures[1:]
    note = Note(log.note().text, (*log.note().signatures, *elsewhere))
    files = {**log.bundle(), "checkpoint": note.encode().encode()}
    assert "the cosignature of witness-0.example.org" in verdict(files, tmp_path, policy_of([], KEYS, 1))


def test_a_policy_file_decides_alone(tmp_path: Path) -> None:
    log = grown(300)
    lines = [f"log {log.verifier.vkey}", *(f"witness w{number} {key.vkey}" for number, key in enumerate(KEYS))]
    two_of_three = parse_policy("\n".join([*lines, "group all3 2 w0 w1 w2", "quorum all3"]).encode())
    assert verdict(log.bundle(witnesses=WITNESSES[:2]), tmp_path, two_of_three) == "OK"
    assert verdict(log.bundle(witnesses=WITNESSES[:1]), tmp_path, two_of_three).startswith("BAD the checkpoint lacks")


def test_a_log_that_no_key_is_known_for_can_t_be_checked_without_the_bundle_s(tmp_path: Path) -> None:
    from vault.audit.verify_trust import open_signed

    with pytest.raises(UncheckedError, match="no key is known"):
        open_signed(grown(300).note().encode(), policy_of([], [], 0), None, None)
