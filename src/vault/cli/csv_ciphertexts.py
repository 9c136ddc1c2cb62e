"""A table with ciphertexts in place of values, batch by batch. Nothing is stored, so what fails is simply begun anew."""

from typing import TYPE_CHECKING, Any

from vault.cli.csv_tokens import Batch, Plan, Row

if TYPE_CHECKING:
    from pdvault_client import FieldClient


def encrypt(client: "FieldClient", batch: Batch, plan: Plan, bound_column: str | None, **options: Any) -> list[Row]:
    """The batch's rows with ciphertexts in their text form.

    Args:
        client: who calls.
        batch: what to encrypt.
        plan: what each column is.
        bound_column: the column whose cell, as UTF-8, each ciphertext of a row is bound to; None for none.
        options: of the call.

    Raises:
        ValueError: a cell that should hold base64 does not.
        VaultError: the vault refused.
    """
    from pdvault_client import FieldValue, ciphertext_to_text

    items = [
        FieldValue(
            batch.rows[position][plan.subject_column],
            column.data_class,
            column.value(batch.rows[position][column.name]),
            batch.rows[position][bound_column].encode() if bound_column else None,
            **plan.item_options,
        )
        for position, column in batch.cells
    ]
    rows = [dict(row) for row in batch.rows]
    if items:
        for (position, column), ciphertext in zip(batch.cells, client.encrypt(items, **options), strict=True):
            rows[position][column.name] = ciphertext_to_text(ciphertext)
    return rows


def reencrypt(client: "FieldClient", batch: Batch, bound_column: str | None, **options: Any) -> tuple[list[Row], int]:
    """The batch's rows with ciphertexts under their subjects' newest keys, and how many are other ones than before.

    Args:
        client: who calls.
        batch: what to move.
        bound_column: see ``encrypt``.
        options: of the call.

    Raises:
        ValueError: a cell is no ciphertext in its text form.
        VaultError: the vault refused.
    """
    from pdvault_client import ReencryptItem, ciphertext_to_text

    bound = [row[bound_column].encode() if bound_column else None for row in batch.rows]
    items = [ReencryptItem(batch.rows[position][column.name], bound[position]) for position, column in batch.cells]
    rows = [dict(row) for row in batch.rows]
    moved = client.reencrypt(items, **options) if items else []
    for (position, column), each in zip(batch.cells, moved, strict=True):
        rows[position][column.name] = ciphertext_to_text(each.ciphertext)
    return rows, sum(each.changed for each in moved)
