"""``pdvault witness``: what it prints, HTTPS, and what it refuses to start with."""

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.witness.log_twin import LogTwin
from tests.witness.witness_process import NAME, WitnessProcess

from vault.access.issuing import create_ca, issue_server
from vault.audit.note import COSIGNATURE, parse_vkey
from vault.audit.note import verifier as make_verifier
from vault.cli import main


@pytest.fixture
def log() -> LogTwin:
    return LogTwin("example.org/log")


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``pdvault witness`` in this process."""

    def run(*arguments: str) -> Done:
        code = main.run(["witness", *arguments])
        return Done(code, *capsys.readouterr())

    return run


def arguments(folder: Path, vkey: str, more: dict[str, str]) -> list[str]:
    given = {"--key-file": str(folder / "key"), "--state": str(folder / "state"), "--address": "127.0.0.1:0", "--name": NAME}
    return [part for option in (given | {"--log": vkey} | more).items() for part in option]


def test_it_prints_its_own_verifier_key_and_says_when_it_is_ready(tmp_path: Path, log: LogTwin) -> None:
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        assert witness.verifier == parse_vkey(witness.vkey)
        assert (witness.verifier.name, witness.verifier.kind) == (NAME, COSIGNATURE)
        assert f"Ready: witnessing 1 log at 127.0.0.1:{witness.port}." in witness.log
        assert witness.stop() == 0


def test_it_answers_over_https(tmp_path: Path, log: LogTwin) -> None:
    ca = create_ca("Test CA", 1)
    server = issue_server(ca, ["localhost", "127.0.0.1"], 1)
    for name, content in (("ca.pem", ca.certificate_pem), ("server.pem", server.certificate_pem), ("server.key", server.key_pem)):
        (tmp_path / name).write_bytes(content)
    tls = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    options = ("--tls-certificate", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    with WitnessProcess(tmp_path, [log.verifier], *options) as witness:
        assert witness.request("POST", "/add-checkpoint", log.submission(0, 3), tls).status == 200
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            witness.request("GET", "/", None, tls)
        with pytest.raises((OSError, http.client.HTTPException)):
            witness.get("/")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"--address": "nowhere"}, "--address must be HOST:PORT"),
        ({"--log": "example.org/log"}, "--log a verifier key has the form"),
        ({"--name": "two words"}, "a witness's name"),
        ({"--tls-key": __file__}, "--tls-certificate and --tls-key go together"),
        ({"--tls-key": __file__, "--tls-certificate": __file__}, "are no PEM certificate and its key"),
    ],
)
def test_what_it_cannot_start_with_it_says(run: Run, tmp_path: Path, log: LogTwin, more: dict[str, str], message: str) -> None:
    done = run(*arguments(tmp_path, log.verifier.vkey, more))
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_witness_key_is_no_logs_key(run: Run, tmp_path: Path, log: LogTwin) -> None:
    other = make_verifier("witness.example.net", log.verifier.public_key, COSIGNATURE)
    done = run(*arguments(tmp_path, other.vkey, {}))
    assert (done.code, "is the key of a witness" in done.err) == (1, True)


def test_a_port_that_is_taken_is_said(run: Run, tmp_path: Path, log: LogTwin) -> None:
    with WitnessProcess(tmp_path, [log.verifier]) as witness:
        second = tmp_path / "second"
        second.mkdir()
        done = run(*arguments(second, log.verifier.vkey, {"--address": f"127.0.0.1:{witness.port}"}))
        assert (done.code, done.out) == (1, "")
        assert "address already in use" in done.err.lower()
        assert "Traceback" not in done.err


def test_its_help_says_what_a_witness_is_for(run: Run) -> None:
    text = " ".join(run("--help").out.split())
    for words in (
        "can't show one history to you and another to somebody else",
        "Never restore it from a backup",
        "VKEY",
        "Examples:",
    ):
        assert words in text
