"""checkpoint, prove and export: what the server says is checked before it is believed or written; verify takes what they wrote."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest
from google.protobuf import timestamp_pb2
from tests.audit_verify.logs import Files, Log, Witness, grown, key_of, zipped
from tests.cli.audit_vault import Auditor, _scripted, auditor  # noqa: F401  fixtures
from tests.cli.conftest import Result

from vault.audit.merkle import inclusion_proof
from vault.audit.note import encode_base64
from vault.audit.proof_file import ProofFile, parse_proof_file
from vault.errors import VaultError
from vault.v1 import audit_service_pb2, common_pb2

SIZE = 300
WITNESS = Witness("witness.example.org", key_of(9))
STALLED = VaultError(common_pb2.ERROR_REASON_LOG_STALLED, "the log stands still")


def other_log() -> Log:
    """A log of the same name, that another key signs."""
    return Log(key=key_of(7)).grow(40)


def published(log: Log, size: int | None = None, **more: Any) -> audit_service_pb2.GetCheckpointResponse:
    note = log.note(size, [WITNESS]).encode()
    return audit_service_pb2.GetCheckpointResponse(checkpoint=note, log_key=log.verifier.vkey, **more)


def proven(log: Log, index: int) -> audit_service_pb2.GetInclusionProofResponse:
    size = len(log.leaves)
    hashes = inclusion_proof(log.hashes, index, size)
    file = ProofFile(index, tuple(hashes), log.note().encode())
    entry = audit_service_pb2.LogEntry(index=index, leaf=log.leaves[index])
    return audit_service_pb2.GetInclusionProofResponse(entry=entry, hashes=hashes, size=size, proof_file=file.encode())


def streamed(files: Files, piece: int = 1000) -> Iterator[audit_service_pb2.ExportResponse]:
    total = len(files)
    for done, (path, data) in enumerate(files.items(), 1):
        for at in range(0, max(1, len(data)), piece):
            yield audit_service_pb2.ExportResponse(path=path, data=data[at : at + piece], entries_done=done, entries_total=total)


@pytest.fixture
def log(auditor: Auditor) -> Log:  # noqa: F811
    """A log that the scripted vault serves."""
    found = grown(SIZE)
    auditor.vault.script("GetCheckpoint", published(found))
    auditor.vault.script("GetInclusionProof", lambda request: proven(found, request.index))
    auditor.vault.script("Export", lambda request: streamed(found.bundle(known_size=request.known_size)))
    return found


@pytest.fixture
def run(auditor: Auditor, log: Log, tmp_path: Path) -> Any:  # noqa: F811
    """Run commands with a memory of their own."""

    def run(*arguments: object, **more: Any) -> Result:
        return auditor(*arguments, "--state", tmp_path / "state", **more)

    return run


# checkpoint


def test_the_checkpoint_is_shown_with_its_signer_and_witnesses(run: Any, auditor: Auditor, log: Log) -> None:  # noqa: F811
    witnesses = [
        {"name": "w1", "size": 250, "cosign_time": timestamp_pb2.Timestamp(seconds=1_750_000_000)},
        {"name": "w2", "problem": "CONFLICT"},
    ]
    auditor.vault.script("GetCheckpoint", published(log, witnesses=witnesses, cosigned_checkpoint="older"))
    root = encode_base64(log.checkpoint().root)
    assert run("checkpoint", "--utc", "-o", "table").out.splitlines() == [
        f"Log      {log.origin}",
        "Size     300",
        f"Root     {root}",
        f"Signed   by {log.verifier.vkey}, a key the server names: compare it once with what you were given by another way",
        "Witness  w1 cosigned size 250, Sun 15 Jun 2025 15:06:40",
        "Witness  w2 has cosigned nothing  CONFLICT",
    ]
    (row,) = run("checkpoint").rows
    assert row == {
        "origin": log.origin,
        "size": 300,
        "root": root,
        "log_key": log.verifier.vkey,
        "key_is": "first use",
        "checkpoint": log.note(None, [WITNESS]).encode(),
        "cosigned_checkpoint": "older",
        "witnesses": [
            {"name": "w1", "size": 250, "time": "2025-06-15T15:06:40+00:00", "problem": ""},
            {"name": "w2", "size": 0, "time": None, "problem": "CONFLICT"},
        ],
    }
    assert run("checkpoint", "--log-key", log.verifier.vkey).rows[0]["key_is"] == "given"
    assert run("checkpoint", "--note").out == log.note(None, [WITNESS]).encode()


def test_a_log_without_witnesses_says_what_that_means(run: Any) -> None:
    assert "another history" in run("checkpoint", "-o", "table").out


@pytest.mark.parametrize("command", [("checkpoint",), ("prove", "3"), ("export", "-o", "bundle.zip")])
def test_a_checkpoint_of_another_key_than_the_one_given_is_not_believed(
    run: Any,
    log: Log,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*command, "--log-key", other_log().verifier.vkey)
    assert (done.code, done.out) == (2, "")
    assert "wrong key" in done.err
    assert not list(tmp_path.glob("*.*"))


def forged(note: str) -> str:
    head, _, signature = note.rpartition(" ")
    return f"{head} {'A' * 8}{signature[8:]}"


@pytest.mark.parametrize(
    ("note", "problem"),
    [("", "the server's checkpoint is wrong"), ("origin\n5\nAAAA\n\n", "the server's checkpoint is wrong")],
    ids=["nothing", "no note"],
)
def test_what_is_no_checkpoint_is_named(run: Any, auditor: Auditor, note: str, problem: str) -> None:  # noqa: F811
    auditor.vault.script("GetCheckpoint", audit_service_pb2.GetCheckpointResponse(checkpoint=note, log_key="x"))
    done = run("checkpoint", "--note")
    assert (done.code, done.out) == (1, "")
    assert problem in done.err


def test_a_forged_checkpoint_is_named(run: Any, auditor: Auditor, log: Log) -> None:  # noqa: F811
    changed = log.note().encode().replace("\n300\n", "\n299\n")
    auditor.vault.script("GetCheckpoint", audit_service_pb2.GetCheckpointResponse(checkpoint=changed, log_key=log.verifier.vkey))
    done = run("checkpoint")
    assert (done.code, done.out) == (1, "")
    assert "forged or damaged" in done.err


def verified(run: Any, tmp_path: Path, name: str = "first.zip") -> Path:
    """A bundle, exported and verified, so that its checkpoint is remembered."""
    path = tmp_path / name
    assert run("export", "-o", path).code == 0
    done = run("verify", path)
    assert done.code == 0, done.out + done.err
    return path


def test_a_log_that_was_rewound_or_replaced_is_named(run: Any, auditor: Auditor, log: Log, tmp_path: Path) -> None:  # noqa: F811
    verified(run, tmp_path)
    assert run("checkpoint").rows[0]["key_is"] == "remembered"
    auditor.vault.script("GetCheckpoint", published(log, 200))
    for command in (("checkpoint",), ("export", "-o", tmp_path / "second.zip")):
        done = run(*command)
        assert (done.code, done.out) == (1, "")
        assert "rewound" in done.err
    auditor.vault.script("GetCheckpoint", published(other_log()))
    assert "not signed by the key remembered" in run("checkpoint").err


# prove


def test_a_proof_is_checked_written_and_taken_by_verify(run: Any, log: Log, tmp_path: Path) -> None:
    out, leaf = tmp_path / "one.tlog-proof", tmp_path / "one.leaf"
    done = run("prove", "17", "--out", out, "--leaf", leaf, "--utc")
    assert done.code == 0, done.err
    (row,) = done.rows
    assert (row["index"], row["size"], row["proof"], row["leaf"]) == (17, SIZE, str(out), str(leaf))
    assert leaf.read_bytes() == log.leaves[17]
    assert parse_proof_file(out.read_text()).index == 17
    assert (out.stat().st_mode & 0o777, leaf.stat().st_mode & 0o777) == (0o600, 0o600)
    checked = run("verify", "--proof", out, "--leaf", leaf, "--log-key", log.verifier.vkey)
    assert (checked.code, checked.out.split()[0]) == (0, "OK")


def test_proof_and_entry_have_names_of_their_own_and_overwrite_nothing(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("prove", "17").code == 0
    assert {path.name for path in tmp_path.glob("*.*")} == {"entry-17.tlog-proof", "entry-17.leaf"}
    (tmp_path / "entry-17.tlog-proof").unlink()
    done = run("prove", "17")
    assert done.code == 1
    assert "entry-17.leaf exists and is not overwritten" in done.err
    assert not (tmp_path / "entry-17.tlog-proof").exists()


def wrong_proofs(log: Log) -> dict[str, audit_service_pb2.GetInclusionProofResponse]:
    other, right = proven(log, 18), proven(log, 17)
    file = parse_proof_file(right.proof_file)
    changed = replace(file, hashes=(b"\x00" * 32, *file.hashes[1:]))

    def response(leaf: bytes, proof_file: str) -> audit_service_pb2.GetInclusionProofResponse:
        return audit_service_pb2.GetInclusionProofResponse(
            entry=audit_service_pb2.LogEntry(index=17, leaf=leaf), proof_file=proof_file
        )

    return {
        "another entry's bytes": response(log.leaves[18], right.proof_file),
        "another entry's proof": response(log.leaves[17], other.proof_file),
        "a changed hash": response(log.leaves[17], changed.encode()),
        "no proof": response(log.leaves[17], ""),
        "a proof cut off": response(log.leaves[17], right.proof_file[:200]),
    }


@pytest.mark.parametrize(
    "name", ["another entry's bytes", "another entry's proof", "a changed hash", "no proof", "a proof cut off"]
)
def test_a_wrong_proof_is_named_and_not_written(run: Any, auditor: Auditor, log: Log, tmp_path: Path, name: str) -> None:  # noqa: F811
    auditor.vault.script("GetInclusionProof", wrong_proofs(log)[name])
    done = run("prove", "17", "--out", tmp_path / "out", "--leaf", tmp_path / "leaf")
    assert (done.code, done.out) == (1, "")
    assert "proof of entry 17 is wrong" in done.err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "leaf").exists()


def test_an_entry_beyond_the_log_is_the_vaults_refusal(run: Any, auditor: Auditor) -> None:  # noqa: F811
    beyond = VaultError(common_pb2.ERROR_REASON_LOG_RANGE, "there is no entry 300 in a tree of 300")
    auditor.vault.script("GetInclusionProof", beyond)
    done = run("prove", "300")
    assert done.code == 2
    assert "LOG_RANGE" in done.err


# export


def test_a_bundle_is_what_the_server_sent_and_verify_takes_it(run: Any, log: Log, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    done = run("export", "-o", path)
    assert done.code == 0, done.err
    assert done.rows == [
        {
            "out": str(path),
            "origin": log.origin,
            "size": SIZE,
            "start_index": 0,
            "end_index": SIZE,
            "known_size": 0,
            "encrypted": False,
        }
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    checked = run("verify", path, "--log-key", log.verifier.vkey)
    assert checked.code == 0, checked.out
    assert checked.out.startswith(f"OK {log.origin} {SIZE} {encode_base64(log.checkpoint().root)}\n")


def test_a_later_bundle_proves_that_the_log_has_only_grown(run: Any, auditor: Auditor, tmp_path: Path) -> None:  # noqa: F811
    young = Log().grow(120)
    auditor.vault.script("GetCheckpoint", published(young))
    auditor.vault.script("Export", lambda _: streamed(young.bundle()))
    verified(run, tmp_path)
    young.grow(200)
    auditor.vault.script("GetCheckpoint", published(young))
    auditor.vault.script("Export", lambda request: streamed(young.bundle(known_size=request.known_size)))
    second = tmp_path / "second.zip"
    assert run("export", "-o", second).rows[0]["known_size"] == 120
    done = run("verify", second)
    assert (done.code, "with the checkpoint of size 120" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ((), {}),
        (("--from", "10", "--to", "20"), {"start_index": 10, "end_index": 20}),
        (("--from", "10"), {"start_index": 10}),
        (("--to", "20"), {"end_index": 20}),
        (
            ("--from", "2026-03-01", "--to", "2026-03-31"),
            {"start_time": datetime(2026, 3, 1, tzinfo=UTC), "end_time": datetime(2026, 4, 1, tzinfo=UTC)},
        ),
        (("--to", "2026-03-31T12:00:00Z"), {"end_time": datetime(2026, 3, 31, 12, tzinfo=UTC)}),
    ],
)
def test_a_range_is_one_of_times_or_of_indexes(
    run: Any,
    auditor: Auditor,  # noqa: F811
    tmp_path: Path,
    typed: tuple[str, ...],
    sent: dict[str, Any],
) -> None:
    assert run("export", *typed, "--utc", "-o", tmp_path / "bundle.zip").code == 0
    request = auditor.vault.requests()[-1]
    found = {field.name: value for field, value in request.ListFields() if field.name != "context"}
    times = {name: value.ToDatetime(UTC) for name, value in found.items() if name.endswith("_time")}
    assert {**found, **times} == sent


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (("--from", "10", "--to", "2026-03-31"), "both be times, or both indexes"),
        (("--from", "2h", "--to", "20"), "both be times, or both indexes"),
        (("--from", "20", "--to", "10"), "--from must be before --to"),
        (("--from", "1h", "--to", "2h"), "--from must be before --to"),
        (("--from", "9" * 30), "no index"),
        (("--from", "soon"), "index of the log, or a time"),
        (("--encrypt-to", "age1nonsense"), "a recipient is"),
        (("--encrypt-to", "/nowhere"), "/nowhere"),
        (("--encrypt-to", __file__), "must hold recipients alone"),
    ],
)
def test_what_can_not_be_exported_is_refused_and_leaves_no_file(
    run: Any, tmp_path: Path, typed: tuple[str, ...], problem: str
) -> None:
    done = run("export", *typed, "-o", tmp_path / "bundle.zip")
    assert (done.code, done.out) == (1, "")
    assert problem in done.err
    assert not list(tmp_path.glob("bundle*"))


def test_nothing_is_overwritten(run: Any, auditor: Auditor, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "bundle.zip").write_text("mine")
    done = run("export", "-o", tmp_path / "bundle.zip")
    assert (done.code, "not overwritten" in done.err) == (1, True)
    assert (tmp_path / "bundle.zip").read_text() == "mine"


@pytest.mark.parametrize("given_as", ["recipient", "file"])
def test_an_encrypted_bundle_is_for_the_auditor_alone(run: Any, log: Log, tmp_path: Path, given_as: str) -> None:
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    (tmp_path / "recipients").write_text(f"# the auditor\n{recipient}\n")
    (tmp_path / "identity").write_text(f"{identity}\n")
    path = tmp_path / "bundle.zip.age"
    done = run("export", "-o", path, "--encrypt-to", recipient if given_as == "recipient" else tmp_path / "recipients")
    assert done.rows[0]["encrypted"] is True
    assert b"manifest.json" not in path.read_bytes()
    assert pyrage.decrypt(path.read_bytes(), [identity]).startswith(b"PK")
    assert run("verify", path, "--identity", tmp_path / "identity", "--log-key", log.verifier.vkey).code == 0


@pytest.mark.parametrize("broken", ["refused", "cut off", "no manifest"])
def test_a_bundle_that_did_not_come_whole_is_no_file(
    run: Any,
    auditor: Auditor,  # noqa: F811
    log: Log,
    tmp_path: Path,
    broken: str,
) -> None:
    whole = list(streamed(log.bundle()))
    denied = VaultError(common_pb2.ERROR_REASON_POLICY_DENIED, "no policy permits this")
    steps = {"refused": [denied], "cut off": [*whole[:5], STALLED], "no manifest": whole[1:]}[broken]
    auditor.vault.script("Export", steps)
    done = run("export", "-o", tmp_path / "bundle.zip")
    assert (done.code, done.out) == (1 if broken == "no manifest" else 2, "")
    assert not list(tmp_path.glob("bundle*"))


def test_a_bundle_is_made_of_the_files_as_they_came(run: Any, log: Log, tmp_path: Path) -> None:
    assert run("export", "-o", tmp_path / "bundle.zip").code == 0
    (tmp_path / "expected.zip").write_bytes(zipped(log.bundle()))
    for name in ("bundle", "expected"):
        subprocess.run(["python3", "-m", "zipfile", "-e", f"{name}.zip", name], cwd=tmp_path, check=True)
    assert subprocess.run(["diff", "-r", "bundle", "expected"], cwd=tmp_path, check=False).returncode == 0
