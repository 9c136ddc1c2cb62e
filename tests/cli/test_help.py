"""The command teaches: every help text has examples, and they hold; and it starts fast."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vault.access import policy
from vault.cli.commands.principal import ROLES
from vault.cli.main import pdvault as group

REPOSITORY = Path(__file__).parent.parent.parent
DOCUMENT = REPOSITORY / "docs" / "cli.md"
OTHERS = [REPOSITORY / "README.md", *sorted(path for path in (REPOSITORY / "docs").glob("*.md") if path != DOCUMENT)]


def commands(command: click.Command = group, name: str = "pdvault") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for sub in command.commands.values():
            yield from commands(sub, f"{name} {sub.name}")
    else:
        yield name, command


COMMANDS = dict(commands())


def pdvault_lines(text: str) -> list[str]:
    """Every call of pdvault in a text, continued lines joined."""
    joined = re.sub(r"\\\n\s*|\|\n\s*", lambda found: " | " if found[0][0] == "|" else " ", text)
    return [found[0].rstrip("`") for found in re.finditer(r"\bpdvault (?!in\b)[a-z][^|\n`]*", joined)]


def check(line: str) -> None:
    words = shlex.split(line, comments=True)
    command: click.Command = group
    for number, word in enumerate(words[1:], 1):
        if not isinstance(command, click.Group):
            break
        assert word in command.commands, f"{line}: there is no {' '.join(words[: number + 1])}"
        command = command.commands[word]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][^ ]*", word)} <= options, line


def groups(command: click.Group = group) -> Iterator[click.Group]:
    yield command
    for sub in command.commands.values():
        if isinstance(sub, click.Group):
            yield from groups(sub)


@pytest.mark.parametrize("found", list(groups()), ids=lambda found: found.name)
def test_the_list_of_commands_says_what_each_does_in_one_line(found: click.Group) -> None:
    shown = CliRunner().invoke(found, ["--help"], terminal_width=80).output
    listed = shown.partition("Commands:")[2].split("\n\n")[0]
    assert [line for line in listed.splitlines() if line.endswith("...")] == []
    assert listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_gives_examples_that_hold(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.epilog
    lines = pdvault_lines(command.epilog)
    assert any(line.startswith(name) for line in lines)
    for line in lines:
        check(line)


def test_every_command_line_in_the_documentation_holds_and_every_command_is_there() -> None:
    text = DOCUMENT.read_text("utf-8")
    lines = pdvault_lines(text)
    for line in lines:
        check(line)
    assert [name for name in COMMANDS if not any(line.startswith(name) for line in lines)] == []


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_every_command_line_in_the_other_documents_holds(path: Path) -> None:
    for line in pdvault_lines(path.read_text("utf-8")):
        check(line)


def test_no_command_takes_a_value_or_a_secret_as_an_argument() -> None:
    arguments = {f"{name} {p.name}" for name, command in COMMANDS.items() for p in command.params if isinstance(p, click.Argument)}
    assert arguments == {
        "pdvault tenant create name",
        "pdvault tenant import-kek uid",
        "pdvault tenant trust name",
        "pdvault tenant log-key name",
        "pdvault principal add tenant",
        "pdvault principal add name",
        "pdvault principal suspend tenant",
        "pdvault principal suspend name",
        "pdvault principal resume tenant",
        "pdvault principal resume name",
        "pdvault principal list tenant",
        "pdvault reveal tokens",
        "pdvault decrypt ciphertexts",
        "pdvault reencrypt ciphertexts",
        "pdvault erase-many file",
        "pdvault erasure receipt uid",
        "pdvault erasure check uid",
        "pdvault erasure verify file",
        "pdvault erasure show file",
        "pdvault audit prove index",
        "pdvault audit verify bundle",
        "pdvault backup check file",
        "pdvault backup restore file",
        "pdvault restore lost bundle",
        "pdvault keys destroy keep_from",
        "pdvault keys wait operation",
        "pdvault keys pause operation",
        "pdvault keys resume operation",
        "pdvault keys cancel operation",
        "pdvault approval approve uid",
        "pdvault approval deny uid",
    }
    options = {option for command in COMMANDS.values() for p in command.params for option in p.opts} - {"--token"}  # a name
    assert not {option for option in options if re.search("passw|secret|value$|token$", option)}


def test_the_roles_offered_are_those_of_the_policies() -> None:
    assert set(ROLES) == policy.ROLES


def test_the_command_imports_nothing_heavy_before_it_is_needed() -> None:
    code = "import sys, vault.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"grpc", "sqlalchemy", "rich", "cryptography", "pydantic", "structlog", "cedarpy", "phonenumbers", "pdvault_client"}
    assert heavy & set(done.stdout.split()) == set()
