"""Verifying bundles in tests: what a verification says, and what to change so that it says something else."""

import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.audit_verify.logs import NOW_US, Files, Log, zipped

from vault.audit.bundle import Bundle
from vault.audit.policy_file import Policy, policy_of
from vault.audit.remembered import Memory
from vault.audit.tiles import TILE_WIDTH, decode_bundle, encode_bundle, entries_path
from vault.audit.verify import Report, verify
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.cli import failures
from vault.cli.commands.audit_verify import verify as command

ANYBODY = policy_of([], [], 0)


def verified(files: Mapping[str, bytes], folder: Path, policy: Policy = ANYBODY, *, older: bool = False) -> Report:
    """Verify a bundle, remembering in ``folder``.

    Raises:
        WrongError, UncheckedError: what is wrong.
    """
    with TemporaryFile() as file:
        file.write(zipped(files))
        file.flush()
        return drained(verify(Bundle(file), policy, Memory(folder), NOW_US, older=older))


def drained(steps: Generator[int, None, Report]) -> Report:
    """The result of steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report


def verdict(files: Mapping[str, bytes], folder: Path, policy: Policy = ANYBODY, *, older: bool = False) -> str:
    """``OK``, or ``BAD`` or ``UNCHECKED`` and why."""
    try:
        verified(files, folder, policy, older=older)
    except WrongError as error:
        return f"BAD {error}"
    except UncheckedError as error:
        return f"UNCHECKED {error}"
    return "OK"


def with_entries(files: Files, index: int, entries: Sequence[bytes]) -> Files:
    """The bundle with other entries in one of its entry bundles, and all hashes as they were."""
    (old,) = [path for path in files if path.startswith(entries_path(index))]
    return {**files, old: encode_bundle(entries)}


def entries_of(files: Files, index: int) -> list[bytes]:
    """The entries of one entry bundle."""
    (path,) = [path for path in files if path.startswith(entries_path(index))]
    return decode_bundle(files[path])


def rebuilt(leaves: Sequence[bytes]) -> Log:
    """A log that its operator has made of other leaves, hashed and signed as it must be: only what leaves say can tell."""
    log = Log()
    log.append(leaves)
    return log


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    """The bytes with one bit changed."""
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def bundle_of(entry: int) -> int:
    """The entry bundle that holds an entry."""
    return entry // TILE_WIDTH


@dataclass(frozen=True)
class Result:
    """What the command left behind."""

    code: int
    out: str
    err: str


def run(*arguments: object, state: Path) -> Result:
    """Run ``pdvault audit verify`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    given = [str(argument) for argument in (*arguments, "--state", state)]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code: Any = command.main(given, prog_name="pdvault", standalone_mode=False)
        except Exception as error:  # noqa: BLE001  as vault.cli.main does
            code = failures.report(error)
    return Result(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())
