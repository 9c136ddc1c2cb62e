"""What the command prints to be typed next can be typed as it stands; and Ctrl-C says what goes on, and how to look at it."""

import re
import secrets
import shlex
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Served, _run

_LINE = re.compile(r"\bpdvault (?!in\b)(.*)$", re.MULTILINE)


def hinted(result: Result) -> list[list[str]]:
    """The command lines on stderr, without ``pdvault``."""
    assert result.code == 0, result.err
    return [shlex.split(found[1]) for found in _LINE.finditer(result.err)]


def typed(served: Served, principal: str, line: list[str]) -> Result:
    """Type such a line in an environment that names no purpose."""
    return _run(*line, environment={**served.vault.environment(principal, served.address), "PDVAULT_PURPOSE": ""})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits presses Ctrl-C."""

    def pressed(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", pressed)


@pytest.fixture
def subject(served: Served) -> str:
    """Somebody of whom there is a value."""
    name = f"customer-{secrets.token_hex(6)}"
    stored = served("app", "tokenize", "--class", "email", "--subject", name, stdin=b"li.na@example.org")
    assert stored.code == 0, stored.err
    return name


def test_what_unsealing_takes_is_printed_line_by_line(served: Served) -> None:
    sealed = served("security", "keys", "seal", "--yes", "--purpose", "incident")
    (ask,) = hinted(sealed)
    approve, unseal = hinted(typed(served, "security", ask))
    assert typed(served, "security-2", approve).code == 0
    assert typed(served, "security", unseal).code == 0
    assert served("security", "keys", "status").rows[0]["tenant_state"] == "ACTIVE"


def test_what_ending_old_keys_takes_is_printed_line_by_line(served: Served) -> None:
    version = served("security", "keys", "rotate").rows[0]["kek_version"]
    approve, destroy = hinted(served("security", "keys", "destroy", version))
    assert typed(served, "security-2", approve).code == 0
    done = typed(served, "security", [*destroy, "--confirm", f"dev {version}"])
    assert (done.code, done.rows[0]["state"]) == (0, "DONE")


def test_how_to_look_at_work_again_is_printed(served: Served) -> None:
    (wait,) = hinted(served("security", "keys", "rekey", "--all", "--detach"))
    assert typed(served, "security", wait).rows[0]["state"] == "DONE"


@pytest.mark.usefixtures("impatient")
def test_ctrl_c_ends_the_looking_and_says_how_to_look_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (wait,) = hinted(served("security", "keys", "rotate"))
    monkeypatch.undo()
    assert typed(served, "security", wait).rows[0]["state"] == "DONE"


def test_options_that_say_where_the_vault_is_are_printed_again(served: Served) -> None:
    files = served.vault.environment("security", served.address)
    where = {"--address": "PDVAULT_ADDRESS", "--ca": "PDVAULT_CACERT", "--cert": "PDVAULT_CERT", "--key": "PDVAULT_KEY"}
    options = [word for option, name in where.items() for word in (option, files[name])]
    (wait,) = hinted(_run("keys", "rekey", "--all", "--detach", "--purpose", "incident", *options))
    assert _run(*wait).rows[0]["state"] == "DONE"


@pytest.mark.usefixtures("impatient")
def test_ctrl_c_while_the_proof_is_waited_for_says_that_it_is_done_and_how_to_get_the_receipt(
    served: Served, subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a receipt.json"
    erased = served("privacy", "erase", "--subject", subject, "--out", out, "--yes", "--purpose", "erasure")
    (receipt,) = hinted(erased)
    assert (erased.rows[0]["proven"], "It is erased" in erased.err) == (False, True)
    assert erased.rows[0]["erasure_uid"] in receipt
    monkeypatch.undo()
    (row,) = typed(served, "privacy", receipt).rows
    assert Path(str(row["receipt"])).parent == tmp_path
    assert subject in Path(str(row["receipt"])).read_text("utf-8")


def test_ctrl_c_before_the_answer_says_that_it_goes_on_and_how_to_get_the_receipt(
    served: Served, subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pdvault_client import SubjectClient

    erase = SubjectClient.erase

    def pressed(*arguments: object, **options: object) -> None:
        erase(*arguments, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(SubjectClient, "erase", pressed)
    arguments = ("erase", "--subject", subject, "--out", tmp_path / "receipt.json", "--yes")
    stopped = served("privacy", *arguments)
    assert (stopped.code, "goes on by itself" in stopped.err) == (1, True)
    assert subject not in stopped.err
    (request_id,) = re.findall(r"--request-id (\S+),", stopped.err)
    monkeypatch.undo()
    assert served("privacy", *arguments, "--request-id", request_id).rows[0]["items"] == 1


def test_a_receipt_that_can_t_be_written_is_not_lost(
    served: Served, subject: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vault.durable.create_file", full)
    arguments = ("erase", "--subject", subject, "--out", tmp_path / "receipt.json", "--yes")
    failed = served("privacy", *arguments)
    assert (failed.code, "No space left" in failed.err) == (1, True)
    (request_id,) = re.findall(r"--request-id (\S+),", failed.err)
    monkeypatch.undo()
    assert served("privacy", *arguments, "--request-id", request_id).code == 0


def test_a_refused_erasure_promises_nothing(served: Served, subject: str, tmp_path: Path) -> None:
    refused = served("app", "erase", "--subject", subject, "--out", tmp_path / "receipt.json", "--yes")
    assert (refused.code, "goes on" in refused.err) == (2, False)
