"""Rows under a MAC: every row that says what something means, or who may do what, ends in a MAC over all its other columns.

A database administrator can delete rows; a row that was edited, moved to another subject or given to another tenant fails
here. A row put back to an older state of itself does not: finding that is the audit log's work.
"""

from typing import Any, TypeVar, cast

from vault.crypto.keys import Key
from vault.crypto.mac import mac, verify
from vault.errors import VaultError
from vault.store.rows import TABLES, SealedRow
from vault.v1 import common_pb2

AnyRow = TypeVar("AnyRow", bound=SealedRow)

_NULLABLE = {kind: [column.name for column in table.columns if column.nullable] for kind, table in TABLES.items()}


def sealed(key: Key, row: AnyRow) -> AnyRow:
    """The row with the MAC (32 bytes) of its other columns under the tenant's authority key."""
    return cast(AnyRow, row._replace(mac=mac(key, _label(row), *_fields(row))))


def check(key: Key, row: SealedRow) -> None:
    """Refuse a row whose MAC does not fit.

    Raises:
        VaultError: INTEGRITY.
    """
    if not _fits(key, row):
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"a stored {TABLES[type(row)].name} row was altered or moved; nothing of it is used; the operator must investigate",
        )


def _fits(key: Key, row: SealedRow) -> bool:
    try:
        return verify(key, row.mac, _label(row), *_fields(row))
    except (TypeError, ValueError):  # a negative number, or a value of another type than its column's: never written by us
        return False


def _label(row: SealedRow) -> str:
    return f"pdvault/v1/row/{TABLES[type(row)].name}"


def _fields(row: SealedRow) -> list[bytes | int | str]:
    """All columns but the MAC, then the names of those that are NULL, which else could be taken for empty ones."""
    nulls = [name for name in _NULLABLE[type(row)] if getattr(row, name) is None]
    return [*map(_field, row[:-1]), ",".join(nulls)]


def _field(value: Any) -> bytes | int | str:
    if value is None:
        return b""
    return int(value) if isinstance(value, bool) else value
