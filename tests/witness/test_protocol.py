"""Every answer of tlog-witness, from a real server."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.witness.log_twin import LogTwin, body
from tests.witness.witness_process import NAME, WitnessProcess

from vault.audit import merkle
from vault.audit import note as notes
from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import Verifier, parse_note

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tlog" / "witness_requests.json").read_text("utf-8"))
FOREIGN = notes.verifier(VECTORS["log_origin"], bytes.fromhex(VECTORS["log_public_key_hex"]))
ORIGINS = [f"example.org/log{number}" for number in range(40)]
LOGS = {origin: LogTwin(origin) for origin in ORIGINS}
TWO_KEYS = [LogTwin("example.org/two-keys"), LogTwin("example.org/two-keys")]


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    known: list[Verifier] = [log.verifier for log in [*LOGS.values(), *TWO_KEYS]]
    with WitnessProcess(tmp_path_factory.mktemp("witness"), [*known, FOREIGN]) as process:
        yield process


@pytest.fixture
def log() -> LogTwin:
    """A log the witness knows and has never seen."""
    return LOGS[ORIGINS.pop()]


def test_a_first_checkpoint_is_cosigned(witness: WitnessProcess, log: LogTwin) -> None:
    before = int(time.time())
    answer = witness.post(log.submission(0, 7))
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
    assert answer.text.startswith(f"— {NAME} ")
    assert answer.text.count("\n") == 1
    note = parse_note(log.checkpoint(7) + answer.text)
    cosigned = verify_cosignature(note, witness.verifier)
    assert cosigned is not None
    assert before <= cosigned <= time.time()


def test_a_log_may_grow_from_nothing_step_by_step_and_stand_still(witness: WitnessProcess, log: LogTwin) -> None:
    for old, size in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 64), (64, 65), (65, 200)]:
        answer = witness.post(log.submission(old, size))
        assert (old, size, answer.status) == (old, size, 200)
        assert verify_cosignature(parse_note(log.checkpoint(size) + answer.text), witness.verifier)


def test_the_requests_of_litewitness_get_the_answers_of_the_specification(witness: WitnessProcess) -> None:
    assert [case["status"] for case in VECTORS["requests"]] == [200, 403, 404, 422, 422, 200, 409, 200, 409]
    for case in VECTORS["requests"]:
        answer = witness.post(case["body"].encode())
        assert answer.status == case["status"]
        if "answer" in case:
            assert answer.text == case["answer"]


def test_an_unknown_origin_is_404(witness: WitnessProcess, log: LogTwin) -> None:
    stranger = LogTwin("example.org/stranger")
    assert witness.post(stranger.submission(0, 3)).status == 404
    assert witness.post(log.submission(0, 3).replace(log.origin.encode(), b"example.org/stranger")).status == 404


def test_a_checkpoint_that_no_known_key_has_signed_is_403(witness: WitnessProcess, log: LogTwin) -> None:
    forger = LogTwin(log.origin)
    assert witness.post(forger.submission(0, 3)).status == 403
    as_witness = notes.Signature(witness.verifier.name, witness.verifier.key_id, bytes(72))
    assert witness.post(body(0, [], notes.Note(parse_note(log.checkpoint(3)).text, (as_witness,)).encode())).status == 403
    assert witness.get(f"/{log.origin_hash}/checkpoint").status == 404


def test_a_bad_signature_of_a_known_key_is_403_even_beside_a_good_one(witness: WitnessProcess, log: LogTwin) -> None:
    good = parse_note(log.checkpoint(3))
    bad = notes.Signature(log.origin, log.verifier.key_id, bytes(64))
    for signatures in [(bad,), (bad, *good.signatures), (*good.signatures, bad)]:
        assert witness.post(body(0, [], notes.Note(good.text, signatures).encode())).status == 403
    changed = log.checkpoint(3).replace("\n3\n", "\n4\n")
    assert witness.post(body(0, [], changed)).status == 403


def test_a_signed_text_that_is_no_note_any_more_is_403(witness: WitnessProcess, log: LogTwin) -> None:
    for spoilt in [log.checkpoint(3) + "\n", log.checkpoint(3)[:-1], log.checkpoint(3).replace("— ", "- ")]:
        assert witness.post(body(0, [], spoilt)).status == 403


def test_an_old_size_above_the_checkpoints_is_400(witness: WitnessProcess, log: LogTwin) -> None:
    assert witness.post(body(4, log.proof(3, 5), log.checkpoint(3))).status == 400


HASH = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "old",
        "old ",
        "old -1",
        "old 01",
        "old 0 ",
        "Old 0",
        "new 0",
        "old  0",
        f"old {2**63}",
        "old 0\r",
        f"old 0\n{HASH[:-1]}",
        f"old 0\n{HASH}\r",
        f"old 0\n {HASH}",
        "old 0\nAAAA",
        "old 0" + f"\n{HASH}" * 64,
    ],
)
def test_a_malformed_head_is_400(witness: WitnessProcess, head: str) -> None:
    checkpoint = LOGS["example.org/log0"].checkpoint(3)
    assert witness.post(f"{head}\n\n{checkpoint}".encode()).status == 400


@pytest.mark.parametrize("content", [b"", b"old 0", b"old 0\n", b"old 0\n\n", b"\n\n", b"old 0\n\n\xff", b"old 0\n\n\xed\xa0\x80"])
def test_a_body_without_a_checkpoint_is_400(witness: WitnessProcess, content: bytes) -> None:
    assert witness.post(content).status == 400


def test_a_signed_note_that_is_no_checkpoint_is_400(witness: WitnessProcess, log: LogTwin) -> None:
    short_root = base64.b64encode(bytes(31)).decode()
    for text in [f"{log.origin}\n", f"{log.origin}\n3\n", f"{log.origin}\n03\n{HASH}\n", f"{log.origin}\n3\n{short_root}\n"]:
        assert witness.post(body(0, [], log.sign(text))).status == 400


def test_a_submission_from_elsewhere_is_409_and_says_where_the_witness_is(witness: WitnessProcess, log: LogTwin) -> None:
    never_seen = witness.post(log.submission(3, 5))
    assert never_seen == (409, "text/x.tlog.size", "0\n")
    assert witness.post(log.submission(0, 7)).status == 200
    for old, size in [(0, 7), (0, 9), (3, 7), (6, 9), (8, 9), (3, 5), (0, 0)]:
        assert witness.post(log.submission(old, size)) == (409, "text/x.tlog.size", "7\n")


def test_a_proof_that_does_not_hold_is_422(witness: WitnessProcess, log: LogTwin) -> None:
    assert witness.post(log.submission(0, 7)).status == 200
    proof = log.proof(7, 12)
    changed = bytes([proof[0][0] ^ 1]) + proof[0][1:]
    for wrong in [[], proof[1:], proof[:-1], [*proof, proof[-1]], [changed, *proof[1:]], log.proof(7, 13), proof[::-1]]:
        assert witness.post(body(7, wrong, log.checkpoint(12))).status == 422
    assert witness.post(body(7, proof, log.checkpoint(12))).status == 200


def test_a_proof_from_zero_is_422(witness: WitnessProcess, log: LogTwin) -> None:
    assert witness.post(body(0, log.proof(3, 7), log.checkpoint(7))).status == 422
    assert witness.post(log.submission(0, 0)).status == 200
    assert witness.post(body(0, log.proof(3, 7), log.checkpoint(7))).status == 422
    assert witness.post(log.submission(0, 7)).status == 200


def test_an_empty_tree_with_another_root_is_422(witness: WitnessProcess, log: LogTwin) -> None:
    wrong = log.sign(Checkpoint(log.origin, 0, merkle.leaf_hash(b"")).text())
    assert witness.post(body(0, [], wrong)).status == 422
    assert witness.get(f"/{log.origin_hash}/checkpoint").status == 404


def test_a_proof_between_equal_sizes_is_422(witness: WitnessProcess, log: LogTwin) -> None:
    assert witness.post(log.submission(0, 7)).status == 200
    assert witness.post(body(7, log.proof(6, 7), log.checkpoint(7))).status == 422


def test_a_fork_is_refused_and_its_proof_kept(
    witness: WitnessProcess, log: LogTwin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert witness.post(log.submission(0, 7)).status == 200
    fork = LogTwin(log.origin, log.key, branch="another", fork_at=5)
    assert witness.post(fork.submission(7, 7)).status == 422
    assert witness.post(fork.submission(7, 9)).status == 422
    assert witness.post(body(7, log.proof(7, 9), fork.checkpoint(9))).status == 422
    assert f"FORK {log.origin} 7: " in witness.log
    kept = tmp_path_factory.getbasetemp() / "witness0" / "state" / f"{log.origin_hash}.fork"
    cosigned, other = ((kept / name).read_text("utf-8") for name in ("cosigned", "other"))
    assert open_checkpoint(cosigned, log.verifier)[0] == Checkpoint(log.origin, 7, log.root(7))
    assert open_checkpoint(other, log.verifier)[0] == Checkpoint(log.origin, 7, fork.root(7))
    assert witness.post(log.submission(7, 9)).status == 200


def test_monitors_get_the_newest_cosigned_checkpoint(witness: WitnessProcess, log: LogTwin) -> None:
    path = f"/{log.origin_hash}/checkpoint"
    assert witness.get(path).status == 404
    for old, size in [(0, 3), (3, 9)]:
        line = witness.post(log.submission(old, size)).text
        answer = witness.get(path)
        assert answer == (200, "text/plain; charset=utf-8", log.checkpoint(size) + line)
    assert witness.post(body(9, [], log.checkpoint(12))).status == 422
    assert witness.get(path).text == log.checkpoint(9) + line


def test_monitors_get_no_signatures_but_the_logs_and_the_witnesses(witness: WitnessProcess, log: LogTwin) -> None:
    good = parse_note(log.checkpoint(3))
    stranger = notes.Signature("example.org/stranger", b"\0\0\0\1", b"anything")
    crowded = notes.Note(good.text, (stranger, *good.signatures, *good.signatures, *[stranger] * 97))
    line = witness.post(body(0, [], crowded.encode())).text
    assert witness.get(f"/{log.origin_hash}/checkpoint").text == good.encode() + line


def test_either_of_a_logs_two_keys_will_do_and_both_are_kept(witness: WitnessProcess) -> None:
    old, new = TWO_KEYS
    assert witness.post(old.submission(0, 3)).status == 200
    assert witness.post(new.submission(3, 5)).status == 200
    both = parse_note(old.checkpoint(9))
    both = notes.Note(both.text, (*both.signatures, *parse_note(new.checkpoint(9)).signatures))
    line = witness.post(body(5, old.proof(5, 9), both.encode())).text
    assert witness.get(f"/{old.origin_hash}/checkpoint").text == both.encode() + line
    bad = notes.Note(both.text, (both.signatures[0], notes.Signature(new.origin, new.verifier.key_id, bytes(64))))
    assert witness.post(body(9, [], bad.encode())).status == 403


def test_extension_lines_are_cosigned_as_they_are(witness: WitnessProcess, log: LogTwin) -> None:
    text = Checkpoint(log.origin, 3, log.root(3), ("an extension",)).text()
    line = witness.post(body(0, [], log.sign(text))).text
    assert verify_cosignature(parse_note(log.sign(text) + line), witness.verifier)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", f"/{'0' * 64}/checkpoint", 405),
        ("GET", "/", 404),
        ("GET", f"/{'0' * 64}/checkpoint", 404),
        ("GET", f"/{'A' * 64}/checkpoint", 404),
        ("GET", "/vkey/checkpoint", 404),
        ("GET", "/..%2fvkey/checkpoint", 404),
        ("GET", "/../witness.key", 404),
    ],
)
def test_there_is_nothing_else(witness: WitnessProcess, method: str, path: str, status: int) -> None:
    assert witness.request(method, path).status == status


def test_a_body_that_is_too_long_is_413(witness: WitnessProcess, log: LogTwin) -> None:
    assert witness.post(log.submission(0, 3) + b"x" * 300_000).status == 413
    assert witness.post(log.submission(0, 3)).status == 200


def test_a_checkpoint_with_sixteen_large_signatures_is_taken(witness: WitnessProcess, log: LogTwin) -> None:
    good = parse_note(log.checkpoint(3))
    large = tuple(notes.Signature(f"example.org/{number}", b"\0\0\0\1", bytes(5000)) for number in range(15))
    assert witness.post(body(0, [], notes.Note(good.text, (*large, *good.signatures)).encode())).status == 200


def test_the_witness_does_not_take_its_own_key_for_a_logs(witness: WitnessProcess) -> None:
    key = Ed25519PrivateKey.generate()
    as_log = notes.verifier(NAME, key.public_key().public_bytes_raw())
    text = Checkpoint(NAME, 0, merkle.EMPTY_ROOT).text()
    assert witness.post(body(0, [], notes.sign_note(text, as_log, key.sign).encode())).status == 404
