"""Whatever goes wrong ends in one message and an exit code: no traceback, and no text that we did not write."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from tests.cli.conftest import Run

from vault.cli import failures, main
from vault.cli.options import NEW_FILE

SECRET = "s3cr3t-value"


def raising(error: BaseException) -> click.Command:
    @click.command("fail")
    def fail() -> None:
        raise error

    return fail


@pytest.fixture
def failing(pdvault: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command that raises an error."""

    def run(error: BaseException) -> object:
        monkeypatch.setitem(main.pdvault.commands, "fail", raising(error))
        return pdvault("fail")

    return run


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "no"),
        RuntimeError(SECRET),
        sa.exc.OperationalError("INSERT", {"value": SECRET}, Exception(SECRET)),
        sa.exc.IntegrityError("INSERT", {"value": SECRET}, Exception(SECRET)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_nobody_foresaw_is_named_by_type_and_place_alone(error: Exception, failing: Run) -> None:
    done = failing(error)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert SECRET not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "ca.pem"), 1, "Error: ca.pem: No such file or directory\n"),
        (
            ModuleNotFoundError("No module", name="pdvault_client"),
            1,
            "Error: this command calls a server, for which it needs the package pdvault-client: install it\n",
        ),
        (click.ClickException("the reason"), 1, "Error: the reason\n"),
        (failures.RefusedError("the reason"), 2, "Error: the reason\n"),
        (KeyboardInterrupt(), 1, "Stopped.\n"),
        (click.Abort(), 1, "Stopped.\n"),
    ],
)
def test_an_error_with_words_for_people_is_said_in_them(error: BaseException, code: int, said: str, failing: Run) -> None:
    done = failing(error)
    assert (done.code, done.err.removeprefix("\n")) == (code, said)


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("tenant",), ("reveal", "--nothing"), ("tenant", "create")])
def test_wrong_usage_is_code_1_and_help_on_stderr(arguments: tuple[str, ...], pdvault: Run) -> None:
    done = pdvault(*arguments)
    assert (done.code, done.out) == (1, "")
    assert "Usage:" in done.err


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("tokenize", "--help")])
def test_help_is_code_0_on_stdout(arguments: tuple[str, ...], pdvault: Run) -> None:
    done = pdvault(*arguments)
    assert (done.code, done.err) == (0, "")
    assert "Usage:" in done.out


def test_a_reader_that_has_seen_enough_ends_the_command_quietly() -> None:
    code = (
        "import sys; from vault.cli import output, failures\n"
        "try:\n    output.emit('json', ({'row': 'x' * 1000} for _ in range(10_000)))\n"
        "except BaseException as error:\n    sys.exit(failures.report(error))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_file_that_can_not_be_written_is_refused_before_anybody_is_called(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="can't be written"):
        NEW_FILE.convert(str(tmp_path / "missing" / "receipt.json"), None, None)
