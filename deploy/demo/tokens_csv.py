"""People become rows, and rows become a CSV file with tokens in place of values: what an application would keep."""

import csv
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from deploy.demo.people import Person
from deploy.demo.plaintexts import CLASSES, values
from pdvault_client import VaultClient
from vault.cli.csv_tokens import Column, Plan, Row, batches, tokenise

PURPOSES = ("customer-care", "payout")
"""What the demo's values are collected for."""

_SUBJECT = "subject_id"
_COLUMNS = [Column(name, data_class, "base64" if name == "face" else "text") for name, data_class in CLASSES.items()]


def write(client: VaultClient, people: Sequence[Person], path: Path, done: Callable[[int], None]) -> int:
    """Tokenise everybody and write the CSV; the number of tokens.

    Args:
        client: who calls; may tokenise.
        people: whom to store.
        path: the file to write.
        done: told after each call how many people it stored.
    """
    plan = Plan(_SUBJECT, _COLUMNS, {"purposes": PURPOSES})
    series, tokens = uuid.uuid4(), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [_SUBJECT, *CLASSES], lineterminator="\n")
        writer.writeheader()
        for batch in batches(_rows(people), plan):
            writer.writerows(tokenise(client, batch, plan, series, purpose=PURPOSES[0]))
            tokens += len(batch.cells)
            done(len(batch.rows))
    return tokens


def _rows(people: Sequence[Person]) -> Iterator[Row]:
    for person in people:
        found = dict(values(person))
        yield {_SUBJECT: person.subject_id, **{name: _cell(found.get(name, "")) for name in CLASSES}}


def _cell(value: str | bytes) -> str:
    return b64encode(value).decode() if isinstance(value, bytes) else value
