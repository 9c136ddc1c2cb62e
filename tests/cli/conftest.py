"""The command, run in this process; and a development vault that a process of its own serves."""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from tests.forked import nursery

from vault.cli import main
from vault.cli.development import EMBEDDED, DevVault, make, write_certificates, write_config

ANY_PORT = "127.0.0.1:0"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The objects that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _run(*arguments: object, stdin: bytes = b"", environment: Mapping[str, str] | None = None, terminal: bool = False) -> Result:
    out, err = _Terminal() if terminal else io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin))
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", given), patch.dict(os.environ, environment or {}):
        code = main.run([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


Run = Callable[..., Result]


@pytest.fixture(scope="session")
def pdvault() -> Run:
    """Runs a command line: exit code, stdout and stderr."""
    return _run


@dataclass(frozen=True)
class Draft:
    """Everything a vault needs before ``pdvault init``."""

    folder: Path
    config: Path

    def path(self, name: str) -> Path:
        """A file beside the configuration."""
        return self.folder / name


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """Certificates and a configuration, and nothing made yet."""
    vault = DevVault(tmp_path / "vault")
    write_certificates(vault, ANY_PORT)
    write_config(vault.config_file, ANY_PORT, ANY_PORT, EMBEDDED)
    return Draft(vault.folder, vault.config_file)


@pytest.fixture
def initialised(draft: Draft, pdvault: Run) -> Draft:
    """The same, after ``pdvault init``."""
    assert pdvault("init", "--config", draft.config).code == 0
    return draft


@dataclass(frozen=True)
class Served:
    """A development vault being served."""

    vault: DevVault
    address: str

    def __call__(self, principal: str, *arguments: object, **more: Any) -> Result:
        """Run a command as one of the vault's principals, for the purpose ``support``."""
        environment = {**self.vault.environment(principal, self.address), "PDVAULT_PURPOSE": "support"}
        return _run(*arguments, environment={**environment, **more.pop("environment", {})}, **more)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A development vault, served for the tests of a module."""
    folder = tmp_path_factory.mktemp("served")
    vault = make(folder / "vault", ANY_PORT, ANY_PORT)
    with (folder / "server.log").open("ab") as log:
        server = nursery().fork(vault.config_file, log.fileno(), "")
    try:
        yield Served(vault, server.stdout.readline().decode().strip())
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
