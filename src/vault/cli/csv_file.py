"""A CSV file with tokens or ciphertexts in place of values. Written beside its final place and put there when it is whole."""

import csv
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli.calling import Calling, in_client_words
from vault.cli.clients import field_client, vault_client
from vault.cli.csv_ciphertexts import encrypt, reencrypt
from vault.cli.csv_tokens import Batch, Plan, Row, batches, tokenise, where
from vault.cli.failures import RefusedError
from vault.cli.output import Fields

if TYPE_CHECKING:
    from pdvault_client import VaultError

_MAX_CELL = 1 << 21
_ITEM = re.compile(r"\bitems\[([0-9]+)\](\.value)?")


def tokenise_file(source: Path, out: Path, plan: Plan, series: uuid.UUID, calling: Calling) -> Fields:
    """Write ``out`` (0600): the table in ``source`` with tokens; what was done, to print.

    Raises:
        ClickException: the table is not as it should be (nothing is stored then), or ``out`` exists.
        RefusedError: the vault refused, or can't be reached; the message says how to go on.
        OSError: a file can't be read or written.
    """

    def how_to_go_on(batch: Batch) -> str:
        before = (
            f"Rows 1 to {batch.first - 1} are stored, their tokens are in {_draft(out)}" if batch.first > 1 else "No row is stored"
        )
        return f"{before}. To go on, run the same command again with --request-id {series} within 24 hours."

    with vault_client(calling) as client:
        work = partial(tokenise, client, plan=plan, series=series, **calling.context)
        return _convert(source, out, plan, "tokens", work, how_to_go_on)


def encrypt_file(source: Path, out: Path, plan: Plan, bound_column: str | None, calling: Calling) -> Fields:
    """Write ``out`` (0600): the table in ``source`` with ciphertexts; what was done, to print.

    Raises:
        ClickException: the table is not as it should be, or ``out`` exists.
        RefusedError: the vault refused, or can't be reached.
        OSError: a file can't be read or written.
    """
    with field_client(calling) as client:
        work = partial(encrypt, client, plan=plan, bound_column=bound_column, **calling.context)
        return _convert(source, out, plan, "ciphertexts", work, lambda _batch: _anew(out))


def reencrypt_file(source: Path, out: Path, plan: Plan, bound_column: str | None, calling: Calling) -> Fields:
    """Write ``out`` (0600): the table in ``source`` with ciphertexts under the newest keys; what was done, to print.

    Raises:
        ClickException: the table is not as it should be, a cell is no ciphertext, or ``out`` exists.
        RefusedError: the vault refused, or can't be reached.
        OSError: a file can't be read or written.
    """
    changed = 0

    def work(batch: Batch) -> list[Row]:
        nonlocal changed
        rows, moved = reencrypt(client, batch, bound_column, **calling.context)
        changed += moved
        return rows

    with field_client(calling) as client:
        done = _convert(source, out, plan, "ciphertexts", work, lambda _batch: _anew(out))
    return {**done, "changed": changed}


def _convert(
    source: Path, out: Path, plan: Plan, into: str, work: Callable[[Batch], list[Row]], how_to_go_on: Callable[[Batch], str]
) -> Fields:
    from rich.console import Console
    from rich.progress import track

    begin, made = time.monotonic(), 0
    names, count = _check(source, plan)
    with _written(out, names) as writer:
        rows = track(_rows(source), f"Making {into}", total=count, console=Console(stderr=True))
        for batch in batches(rows, plan):
            with _explained(batch, how_to_go_on), in_client_words():
                done = work(batch)
            writer.writerows(done)
            made += len(batch.cells)
    return {"out": str(out), "rows": count, into: made, "seconds": round(time.monotonic() - begin, 2)}


def _check(source: Path, plan: Plan) -> tuple[list[str], int]:
    """The header, and how many rows there are, each as long as the header and with a subject."""
    names: list[str] = []
    count = 0
    for count, row in enumerate(_rows(source), 1):
        names = names or list(row)
        if None in row or None in row.values():
            raise click.ClickException(f"{source}: row {count} has not as many fields as the header")
        if count == 1:
            needed = {plan.subject_column, *plan.other_columns, *(column.name for column in plan.columns)} - {""}
            missing = needed - set(names)
            if missing:
                raise click.ClickException(f"{source} has no column {', '.join(sorted(missing))}")
        if plan.subject_column and not row[plan.subject_column]:
            raise click.ClickException(f"{source}: row {count} has no subject in column {plan.subject_column}")
        _check_cells(source, count, row, plan)
    if not count:
        raise click.ClickException(f"{source} has no rows below a header")
    return names, count


def _check_cells(source: Path, number: int, row: Row, plan: Plan) -> None:
    for column in (column for column in plan.columns if row[column.name]):
        try:
            column.value(row[column.name])
        except ValueError:
            raise click.ClickException(f"{source}: row {number}, column {column.name} is no {column.encoding}") from None


def _rows(source: Path) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CELL)
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = reader.fieldnames or []
            if len(set(names)) < len(names):
                raise click.ClickException(f"{source} has two columns of one name")
            yield from reader
    except UnicodeDecodeError:  # its text would quote the file
        problem = "is not UTF-8"
    except csv.Error:
        problem = "is no CSV"
    else:
        return
    raise click.ClickException(f"{source} {problem}")


@contextmanager
def _written(out: Path, names: list[str]) -> "Iterator[csv.DictWriter[str]]":
    draft = _draft(out)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        yield writer
    os.rename(draft, out)


def _anew(out: Path) -> str:
    return f"Nothing is stored. Run the same command again: it begins anew, and writes over {_draft(out)}."


def _draft(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


@contextmanager
def _explained(batch: Batch, how_to_go_on: Callable[[Batch], str]) -> Iterator[None]:
    """Say a refusal in the words of the table, and how to go on after it."""
    from pdvault_client import VaultError

    try:
        yield
    except VaultError as error:
        text = _in_the_table(error, batch)
    else:
        return
    raise RefusedError(f"{text}\n{how_to_go_on(batch)}")


def _in_the_table(error: "VaultError", batch: Batch) -> str:
    def cell(found: "re.Match[str]") -> str:
        item = int(found[1])
        return where(batch, item) if item < len(batch.cells) else found[0]

    return _ITEM.sub(cell, str(error))
