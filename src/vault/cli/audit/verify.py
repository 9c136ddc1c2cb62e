"""Running a verification for people: policy and memory from options, a progress bar, and the result in words or JSON.

The result goes to stdout: ``OK``, ``BAD`` or ``UNCHECKED`` and what was found. Advice goes to stderr.
"""

import json
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from vault.audit.bundle import Bundle
from vault.audit.chain import MAX_LEAF
from vault.audit.note import NoteError, encode_base64, parse_vkey
from vault.audit.policy_file import Policy, PolicyError, parse_policy, policy_of
from vault.audit.remembered import Memory
from vault.audit.tiles import width_of
from vault.audit.verify import Observer, Report, verify
from vault.audit.verify_errors import UncheckedError
from vault.audit.verify_proof import Proven, verify_proof
from vault.audit.verify_trust import FIRST_USE, Signed
from vault.cli.output import say
from vault.cli.text import clean

if TYPE_CHECKING:
    from vault.cli.audit.database import Compared, Comparison

GOOD, BAD, UNCHECKED = 0, 1, 2
"""Exit codes."""

Fields = dict[str, object]
Result = TypeVar("Result")
_MAX_PROOF = 1 << 22


def read_policy(file: Path | None, log_keys: Sequence[str], witnesses: Sequence[str], quorum: int | None) -> Policy:
    """The policy in a file, or the one that these keys make; without ``quorum``, every witness must have cosigned.

    Raises:
        UncheckedError: a key or the file is malformed.
        OSError: the file can't be read.
    """
    try:
        if file is not None:
            return parse_policy(file.read_bytes())
        needed = len(witnesses) if quorum is None else quorum
        return policy_of(map(parse_vkey, log_keys), map(parse_vkey, witnesses), needed)
    except (PolicyError, NoteError) as error:
        raise UncheckedError(f"{file or 'the keys given'}: {error}") from None


def run_verification(bundle: Bundle, policy: Policy, memory: Memory, *, older: bool, observe: Observer | None = None) -> Report:
    """Verify a bundle with a progress bar on stderr, if that is a terminal.

    Raises:
        WrongError, UncheckedError, OSError: as ``verify``.
    """
    steps = verify(bundle, policy, memory, time.time_ns() // 1000, older=older, observe=observe)
    total = sum(width_of(0, index, bundle.manifest.size) for index in bundle.bundle_indexes())
    return with_progress("Verifying", steps, total)


def run_comparison(comparison: "Comparison", report: Report) -> "Compared":
    """Compare what no single entry decides, with a progress bar.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    return with_progress("Comparing tokens", comparison.finish(report, time.time_ns() // 1000), None)


def with_progress(what: str, steps: Generator[int, None, Result], total: int | None) -> Result:
    """Run steps that yield how much is done; their result."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total)
        while True:
            try:
                progress.update(task, completed=next(steps))
            except StopIteration as end:
                result: Result = end.value
                return result


def run_proof(file: Path, leaf_hash: bytes, policy: Policy, memory: Memory) -> Proven:
    """Verify a proof file.

    Raises:
        WrongError, UncheckedError, OSError: as ``verify_proof``.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_PROOF).decode()
    except UnicodeDecodeError:
        raise UncheckedError(f"{file} is no proof file: it is not UTF-8") from None
    return verify_proof(text, leaf_hash, policy, memory)


def read_leaf(file: Path) -> bytes:
    """The bytes of a leaf.

    Raises:
        UncheckedError: there are more than a leaf can have.
        OSError: the file can't be read.
    """
    with file.open("rb") as opened:
        leaf = opened.read(MAX_LEAF + 1)
    if len(leaf) > MAX_LEAF:
        raise UncheckedError(f"{file} is no leaf: it has more than {MAX_LEAF} bytes")
    return leaf


def print_good(output: str, signed: Signed, fields: Fields, sentences: Sequence[str]) -> None:
    """Print that all is good: one line that programs can rely on, then what was found in words; or one JSON object."""
    checkpoint = signed.checkpoint
    origin, root = checkpoint.origin, encode_base64(checkpoint.root)
    if output == "json":
        whole = {"result": "OK", "origin": origin, "size": checkpoint.size, "root": root, **_signed_fields(signed), **fields}
        click.echo(json.dumps(whole))
    else:
        for line in (f"OK {origin} {checkpoint.size} {root}", *sentences, *_signed_sentences(signed)):
            click.echo(clean(line))
    if signed.source == FIRST_USE:
        say(
            "Nothing was known of this log before, so the key in the bundle was believed. Compare it, by another way, with the key "
            f"that the operator publishes; from now on it is remembered:\n  {clean(signed.log_key.vkey)}"
        )


def print_bad(output: str, result: str, problems: Sequence[str], more: int = 0) -> None:
    """Print what is wrong, or why it could not be checked; ``more`` is how many further problems are not listed."""
    if output == "json":
        click.echo(json.dumps({"result": result, "problems": problems, "more": more}))
        return
    for problem in problems:
        click.echo(clean(f"{result} {problem}"))
    if more:
        click.echo(f"{result} and {more} more")


def bundle_fields(report: Report) -> Fields:
    """What was checked of a bundle, for programs."""
    boots = {f"boots_{name}" if name != "boots" else name: count for name, count in report.boots._asdict().items()}
    return {
        "start_index": report.start,
        "end_index": report.end,
        "entries": report.entries,
        **boots,
        "seen_size": report.seen_size,
    }


def bundle_sentences(report: Report) -> Iterator[str]:
    """The same for people."""
    boots = report.boots
    beside = report.entries - (report.end - report.start)
    also = f", and {beside} beside them that their chains begin with or end in" if beside else ""
    yield f"entries: {report.end - report.start} from index {report.start} on{also}" if report.entries else "entries: none"
    yield f"boots: {boots.boots}; {boots.ended} ended cleanly, {boots.open} are open, {boots.unendorsed} were never endorsed"
    if boots.cut:
        yield f"  {boots.cut} of their chains go on after the last entry here, which only a later entry signs"
    if boots.outside:
        yield f"  {boots.outside} more occur beside the range only; their chains were not checked"
    if report.seen_size is None:
        yield "consistency: this log was not seen before"
    else:
        yield f"consistency: with the checkpoint of size {report.seen_size} seen before"


def database_fields(compared: "Compared") -> Fields:
    """What was compared with the database, for programs."""
    return {f"database_{name}": count for name, count in compared._asdict().items()}


def database_sentences(compared: "Compared") -> list[str]:
    """The same for people."""
    return [
        f"database: {compared.entries} entries ({compared.newer} newer than the bundle), {compared.pending} pending events and "
        f"{compared.tokens} tokens with their items are as the log says"
    ]


def _signed_fields(signed: Signed) -> Fields:
    return {
        "log_key": signed.log_key.vkey,
        "log_key_source": signed.source,
        "cosignatures": [{"witness": key.name, "time": _iso(time_s)} for key, time_s in signed.cosignatures],
    }


def _signed_sentences(signed: Signed) -> Iterator[str]:
    yield f"signed by: {signed.log_key.vkey} ({signed.source})"
    yield f"cosignatures: {len(signed.cosignatures)}"
    for key, time_s in signed.cosignatures:
        yield f"  {key.name} at {_iso(time_s)}"


def _iso(time_s: int) -> str | None:
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return None
