"""The demo as a newcomer runs it; and what it says when there is plaintext to be found."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from deploy.demo import search
from deploy.demo.__main__ import _make_anew
from deploy.demo.people import Person, people
from deploy.demo.plaintexts import CLASSES
from deploy.demo.run import TOKENS_FILE
from deploy.demo.story import Story

from vault.crypto.token import generate

ROOT = Path(__file__).parent.parent.parent
SEED = 7


def command(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    arguments = [sys.executable, "-m", "deploy.demo", "--folder", str(folder), "--seed", str(SEED), *more]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def told(folder: Path, *more: str) -> str:
    with command(folder, *more) as process:
        out, err = process.communicate()
    assert process.returncode == 0, f"{out}\n{err}"
    return out


@pytest.mark.parametrize("stack", ["local", "full"])
def test_the_demo_tells_its_story_and_finds_no_plaintext(stack: str, tmp_path: Path) -> None:
    out = told(tmp_path / "demo", "--people", "60", "--stack", stack)
    for said in ("POLICY_DENIED", "PURPOSE_NOT_COLLECTED", "TOKEN_USED_UP", "PrincipalAdded", "It found none of the values"):
        assert said in out
    for said in ("support tried to reveal the bank account (PLAIN)", "OK pdvault.invalid/", "BAD entry"):
        assert said in out
    for said in ("TOKEN_NOT_FOUND", "can't be taken back unnoticed", "nothing is left under epoch 1 or index key 1"):
        assert said in out
    assert ("permission denied for table audit_pending" in out) == (stack == "full")
    text = (tmp_path / "demo" / TOKENS_FILE).read_text()
    header, *rows = text.splitlines()
    assert header == ",".join(["subject_id", *CLASSES])
    assert len(rows) == 60
    for person in people(SEED, 60):
        assert person.phone not in text
        assert person.name not in text


def test_the_demo_is_made_anew_and_leaves_other_peoples_folders_alone(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    _make_anew(demo)
    (demo / "old").touch()
    _make_anew(demo)
    assert not (demo / "old").exists()
    (tmp_path / "mine").touch()
    with pytest.raises(click.ClickException, match="--folder"):
        _make_anew(tmp_path)
    assert (tmp_path / "mine").exists()


def test_the_demos_server_ends_with_it(tmp_path: Path) -> None:
    log, lock = tmp_path / "demo" / "server.log", tmp_path / "demo" / "vault" / "vault.db.lock"
    with command(tmp_path / "demo", "--people", "50000") as process:
        while process.poll() is None and not (log.exists() and "serving" in log.read_text()):
            time.sleep(0.05)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate()
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while a server has it


@pytest.fixture
def crowd() -> list[Person]:
    return list(people(SEED, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder like the demo's, with tokens and other bytes in it."""
    rows = ["subject_id,name", *(f"customer-{number:06},{generate('nam')}" for number in range(20))]
    (tmp_path / TOKENS_FILE).write_text("\n".join(rows))
    (tmp_path / "vault.db").write_bytes(os.urandom(10_000))
    return tmp_path


def test_where_there_is_no_plaintext_none_is_found(folder: Path, crowd: list[Person]) -> None:
    assert search.everywhere(Story(), crowd, [folder], folder / TOKENS_FILE)


@pytest.mark.parametrize(
    "form",
    [str.encode, lambda text: text.encode().hex().encode(), lambda text: b64encode(text.encode())],
    ids=["UTF-8", "hexadecimal", "base64"],
)
@pytest.mark.parametrize("field", ["name", "resident_id", "phone", "email", "bank_account", "card", "note"])
def test_a_plaintext_is_found_and_named_but_not_shown(
    form: Callable[[str], bytes], field: str, folder: Path, crowd: list[Person], capsys: pytest.CaptureFixture[str]
) -> None:
    value = getattr(crowd[0], field)
    (folder / "server.log").write_bytes(b'{"event": "' + form(value) + b'"}\n')
    assert not search.everywhere(Story(), crowd, [folder], folder / TOKENS_FILE)
    out = capsys.readouterr().out
    assert f"{field} of {crowd[0].subject_id}" in out
    assert value not in out


def test_a_part_of_a_face_is_found(folder: Path, crowd: list[Person]) -> None:
    assert crowd[0].face
    (folder / "core").write_bytes(os.urandom(100) + crowd[0].face[512:640] + os.urandom(100))
    assert not search.everywhere(Story(), crowd, [folder], folder / TOKENS_FILE)


def test_a_scanner_that_finds_nothing_at_all_is_not_believed(folder: Path, crowd: list[Person], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(search.BlindScannerError):
        search.everywhere(Story(), crowd, [tmp_path / "empty"], folder / TOKENS_FILE)
