"""``pdvault dev``: everything in one folder, ready at once, found again at the next start."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import ANY_PORT, Run
from tests.server.conftest import until

from vault.cli.development import PRINCIPALS
from vault.server.faults.catalogue import Fault

__all__ = ["until"]

VALUE = b"+447700900123"


@contextmanager
def dev(folder: Path, *options: str) -> Iterator[dict[str, dict[str, Any]]]:
    """``pdvault dev`` running in a folder; the rows it printed, by principal."""
    command = [sys.executable, "-m", "vault.cli.main", "dev", "--address", ANY_PORT, "--metrics-address", ANY_PORT, *options]
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=err, env=_environment())
    with process:
        try:
            assert process.stdout
            rows = [json.loads(process.stdout.readline() or (folder / "err").read_bytes()) for _ in PRINCIPALS]
            yield {row["principal"]: row for row in rows}
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def variables(folder: Path, row: dict[str, Any]) -> dict[str, str]:
    """The variables that the file of a principal sets, as a shell understands it."""
    script = f". ./{row['env_file']} && env"
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True, env={"PATH": os.defpath})
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("PDVAULT_"))


def test_it_is_ready_to_be_called_as_anybody_and_remembers_everything(tmp_path: Path, pdvault: Run) -> None:
    with dev(tmp_path) as principals:
        assert {name: row["roles"] for name, row in principals.items()} == {
            "app": ["tokenizer"],
            "support": ["reader_masked"],
            "payout": ["reader_plain"],
            "admin": ["admin"],
            "auditor": ["auditor"],
            "privacy": ["privacy_officer"],
            "security": ["security_officer"],
            "security-2": ["security_officer"],
        }
        call = ("--subject", "S1", "--purpose", "payout")
        done = pdvault("tokenize", "--class", "phone", *call, stdin=VALUE, environment=variables(tmp_path, principals["app"]))
        assert done.code == 0, done.err
        token = done.rows[0]["token"]
    said = (tmp_path / "err").read_text()
    assert "FOR DEVELOPMENT ONLY" in said
    assert "Ready" in said
    with dev(tmp_path) as principals:
        reveal = ("reveal", token, "--purpose", "payout", "--form", "plain")
        assert pdvault(*reveal, environment=variables(tmp_path, principals["payout"])).rows[0]["value"] == VALUE.decode()
        assert pdvault(*reveal, environment=variables(tmp_path, principals["support"])).code == 2
        history = pdvault("audit", "timeline", "--subject-id", "S1", environment=variables(tmp_path, principals["auditor"]))
        assert history.rows[0]["action"] == "Tokenize"  # of the run before, so that it is in the log for sure


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, pdvault: Run) -> None:
    (tmp_path / "mine").touch()
    done = pdvault("dev", "--folder", tmp_path)
    assert done.code == 1
    assert "--folder" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_interrupted_first_start_leaves_nothing_half_made(tmp_path: Path, pdvault: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / ".dev"
    with monkeypatch.context() as patched:
        patched.setattr("vault.cli.development.create_tenant", power_cut)
        assert pdvault("dev", "--folder", folder).code == 1
    assert not folder.exists()
    with dev(tmp_path) as principals:
        assert principals.keys() == PRINCIPALS.keys()


@pytest.mark.parametrize(
    ("option", "address"), [("--address", "nowhere"), ("--address", "127.0.0.1:99999"), ("--metrics-address", "9464")]
)
def test_an_address_that_is_none_is_refused_before_anything_is_made(
    option: str, address: str, tmp_path: Path, pdvault: Run
) -> None:
    done = pdvault("dev", "--folder", tmp_path / ".dev", option, address)
    assert done.code == 1
    assert f"{option} must be HOST:PORT" in done.err
    assert not (tmp_path / ".dev").exists()


def test_an_address_in_use_is_named(tmp_path: Path, pdvault: Run) -> None:
    with dev(tmp_path) as principals:
        taken = variables(tmp_path, principals["app"])["PDVAULT_ADDRESS"]
        done = pdvault("dev", "--folder", tmp_path / "other", "--address", taken, "--metrics-address", ANY_PORT)
    assert done.code == 1
    assert f"server.address: can't listen on {taken}" in done.err


def switch(folder: Path, faults: str) -> None:
    """Have other faults from now on, with nothing between: a file that is just being written is empty for a moment."""
    written = folder / "faults.new"
    written.write_text(f"{faults}\n")
    written.rename(folder / ".dev" / "faults")


def test_it_begins_with_a_fault_and_others_are_switched_while_it_runs(
    tmp_path: Path, pdvault: Run, until: Callable[[Callable[[], Any]], None]
) -> None:
    with dev(tmp_path, "--fault", "kms-sealed,db-slow") as principals:
        tokenize = ("tokenize", "--class", "phone", "--subject", "S1", "--purpose", "payout", "--timeout", "2")
        app = variables(tmp_path, principals["app"])
        refused = pdvault(*tokenize, stdin=VALUE, environment=app)
        assert refused.code == 2
        assert "KMS_SEALED" in refused.err
        switch(tmp_path, "db-down")
        assert "DATABASE_UNAVAILABLE" in pdvault(*tokenize, stdin=VALUE, environment=app).err
        switch(tmp_path, "everything")
        until(lambda: "no fault 'everything': choose from kms-down" in (tmp_path / "err").read_text())
        switch(tmp_path, "")
        until(lambda: pdvault(*tokenize, stdin=VALUE, environment=app).code == 0)
    said = (tmp_path / "err").read_text()
    assert [line for line in said.splitlines() if line.startswith("Faults on purpose from now on: ")] == [
        "Faults on purpose from now on: db-slow, kms-sealed",
        "Faults on purpose from now on: db-down",
        "Faults on purpose from now on: none",
    ]


def test_a_fault_that_is_none_is_refused_before_anything_is_made(tmp_path: Path, pdvault: Run) -> None:
    done = pdvault("dev", "--folder", tmp_path / ".dev", "--fault", "kms-down,kms-gone")
    assert done.code == 1
    assert "there is no fault 'kms-gone': choose from kms-down, kms-sealed" in done.err
    assert not (tmp_path / ".dev").exists()


def test_its_help_names_every_fault(pdvault: Run) -> None:
    said = "".join(pdvault("dev", "--help").out.split())
    assert all(fault in said for fault in Fault)
