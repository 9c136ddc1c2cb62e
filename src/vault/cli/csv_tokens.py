"""A table with tokens in place of values, batch by batch, so that what fails in the middle can be taken up again.

Each batch is one call, all or nothing. Its request id follows from the series and the batch's number: run again with the same
series, over the same table and within 24 hours, batches that were stored answer the tokens they have, and nothing is stored twice.
"""

import uuid
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pdvault_client import NewValue, VaultClient

Row = dict[str, str]

MAX_BATCH_ITEMS = 500
MAX_BATCH_BYTES = 2 << 20
"""A call takes 4 MiB, and values are not all of it."""


@dataclass(frozen=True)
class Column:
    """A column to work on: its name, the data class of its values, which ciphertexts say themselves, and what its cells hold."""

    name: str
    data_class: str
    encoding: Literal["text", "base64", "ciphertext"] = "text"

    def value(self, cell: str) -> str | bytes:
        """What a cell says.

        Raises:
            ValueError: it should be base64, or a ciphertext in its text form, and is not.
        """
        if self.encoding == "ciphertext":
            from pdvault_client import ciphertext_from_text

            return ciphertext_from_text(cell)
        return cell if self.encoding == "text" else b64decode(cell, validate=True)


@dataclass(frozen=True)
class Plan:
    """What becomes of a table. ``item_options`` are further fields of each item that is sent. Empty cells stay empty.

    ``subject_column`` is empty where the cells themselves say whom they are about. ``other_columns`` are needed too, though nothing
    becomes of them.
    """

    subject_column: str
    columns: Sequence[Column]
    item_options: dict[str, Any]
    other_columns: Sequence[str] = ()


@dataclass(frozen=True)
class Batch:
    """Rows of one call, the first one's number in the table (from 1), and the cells whose values are sent, in order."""

    first: int
    rows: list[Row]
    cells: list[tuple[int, Column]]


def batches(rows: Iterable[Row], plan: Plan) -> Iterator[Batch]:
    """The rows, cut into calls."""
    batch, size = Batch(1, [], []), 0
    for number, row in enumerate(rows, 1):
        filled = [column for column in plan.columns if row[column.name]]
        row_size = sum(len(row[column.name].encode()) for column in filled)
        if batch.rows and (len(batch.cells) + len(filled) > MAX_BATCH_ITEMS or size + row_size > MAX_BATCH_BYTES):
            yield batch
            batch, size = Batch(number, [], []), 0
        batch.cells.extend((len(batch.rows), column) for column in filled)
        batch.rows.append(row)
        size += row_size
    if batch.rows:
        yield batch


def tokenise(client: "VaultClient", batch: Batch, plan: Plan, series: uuid.UUID, **options: Any) -> list[Row]:
    """The batch's rows with tokens.

    Args:
        client: who calls.
        batch: what to store.
        plan: what each column is.
        series: the same for all batches of a table, and for its repetition.
        options: of the call.

    Raises:
        ValueError: a cell that should hold base64 does not.
        VaultError: the vault refused; nothing of this batch is stored. ``where`` translates its violations.
    """
    items = [_item(batch, position, column, plan) for position, column in batch.cells]
    rows = [dict(row) for row in batch.rows]
    if items:
        issued = client.tokenize(items, request_id=str(uuid.uuid5(series, str(batch.first))), **options)
        for (position, column), token in zip(batch.cells, issued, strict=True):
            rows[position][column.name] = token.token
    return rows


def where(batch: Batch, item: int) -> str:
    """The cell of the batch's item, for people."""
    position, column = batch.cells[item]
    return f"row {batch.first + position}, column {column.name}"


def _item(batch: Batch, position: int, column: Column, plan: Plan) -> "NewValue":
    from pdvault_client import NewValue

    row = batch.rows[position]
    return NewValue(row[plan.subject_column], column.data_class, column.value(row[column.name]), **plan.item_options)
