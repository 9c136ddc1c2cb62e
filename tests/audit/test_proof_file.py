"""Proof files: read and written as others do."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.audit.note import NoteError
from vault.audit.proof_file import ProofFile, parse_proof_file

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tlog" / "tlog_proof.json").read_text("utf-8"))
HASH = base64.b64encode(bytes(range(32))).decode()
FILE = f"c2sp.org/tlog-proof@v1\nextra AAEC\nindex 5\n{HASH}\n{HASH}\n\ncheckpoint\n\nsignatures\n"


def test_proof_files_of_others_are_read_and_written_the_same() -> None:
    assert len(VECTORS["valid"]) == 3
    for case in VECTORS["valid"]:
        proof = parse_proof_file(case["text"])
        assert proof.index == case["index"]
        assert [base64.b64encode(hash_).decode() for hash_ in proof.hashes] == case["hashes"]
        assert proof.extra == (base64.b64decode(case["extra_b64"]) if case["extra_b64"] else None)
        assert proof.checkpoint == case["checkpoint"]
        assert proof.encode() == case["text"]


@pytest.mark.parametrize("text", VECTORS["invalid"])
def test_what_others_refuse_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_proof_file(text)


hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)


@given(st.integers(0, 2**63 - 1), hashes, st.text(min_size=1, max_size=40), st.none() | st.binary(max_size=40))
def test_proof_files_are_read_as_they_were_written(
    index: int, proof: tuple[bytes, ...], checkpoint: str, extra: bytes | None
) -> None:
    file = ProofFile(index, proof, checkpoint, extra)
    assert parse_proof_file(file.encode()) == file


@given(st.text(max_size=80))
def test_reading_anything_ends_in_a_proof_file_or_a_note_error(text: str) -> None:
    for candidate in (text, "c2sp.org/tlog-proof@v1\n" + text, FILE + text):
        try:
            file = parse_proof_file(candidate)
        except NoteError:
            continue
        assert file.encode() == candidate


@pytest.mark.parametrize(
    "text",
    [
        "",
        FILE.replace("@v1", "@v2"),
        FILE.replace("index 5", "index 05"),
        FILE.replace("index 5", "index  5"),
        FILE.replace("index 5", "Index 5"),
        FILE.replace("index 5", f"index {2**63}"),
        FILE.replace("index 5", "index"),
        FILE.replace("extra AAEC", "extra AAE"),
        FILE.replace("extra AAEC", "extra"),
        FILE.replace("extra AAEC", "extra AAEC\nextra AAEC"),
        FILE.replace("extra AAEC\nindex 5", "index 5\nextra AAEC"),
        FILE.replace("\n", "\r\n"),
        FILE.replace(HASH, HASH[:-4]),
        FILE.replace(f"{HASH}\n", f"{HASH}\n" * 32),
        FILE[: FILE.index("\n\n") + 1],
        FILE[: FILE.index("\n\n") + 2],
    ],
)
def test_what_is_no_proof_file_is_refused(text: str) -> None:
    assert parse_proof_file(FILE).index == 5
    with pytest.raises(NoteError):
        parse_proof_file(text)
