"""Rows under a MAC: every row that says what something means, or who may do what, ends in a MAC over what it says.

A database administrator can delete rows; a row that was edited, moved to another subject or given to another tenant fails
here. A row put back to an older state of itself does not: finding that is the audit log's work. The column names the format, so
that tables can gain columns, and the version of the authority key, so that it can be replaced (docs/formats.md, "Row MACs").
"""

import struct
from typing import Any, TypeVar, cast

from vault.crypto.mac import mac, verify
from vault.errors import VaultError
from vault.kms.tenant_keys import Authority, TenantKeys
from vault.store.reads import Rows
from vault.store.rows import (
    TABLES,
    AliasRow,
    ApprovalRow,
    CaRow,
    ErasureRow,
    HoldRow,
    IdempotencyRow,
    ItemRow,
    KeyScheduleRow,
    OperationRow,
    PrincipalRow,
    SealedRow,
    SubjectRow,
    TenantRow,
    TokenRow,
)
from vault.v1 import common_pb2

AnyRow = TypeVar("AnyRow", bound=SealedRow)

_HEAD = struct.Struct(">BI")
_FORMAT = 1
_COVERED: dict[type[SealedRow], str] = {
    TenantRow: "uid name state key_generation epoch index_key_version authority_version",
    CaRow: "sha256 tenant_uid certificate",
    PrincipalRow: "tenant_uid name uid kind state roles authority_version",
    SubjectRow: "tenant_uid uid lookup index_key_version store_key_version subject_id state rekey_due",
    ItemRow: "tenant_uid subject_uid uid data_class taxonomy_edition normaliser_version index_key_version purposes provenance "
    "lenient revision store_key_version fingerprint deterministic envelope_sha256 envelope_size create_us update_us",
    TokenRow: "tenant_uid subject_uid uid item_uid text recipient expire_us max_reveals reveals_used",
    IdempotencyRow: "tenant_uid request_id principal_uid digest_key digest results expire_us",
    KeyScheduleRow: "tenant_uid rotate_every_s restore_window_s snapshot_retention_s former_copies_s lower_us",
    AliasRow: "tenant_uid subject_uid uid lookup index_key_version subject_id",
    HoldRow: "tenant_uid subject_uid uid reference principal_uid create_us expire_us",
    ErasureRow: "tenant_uid uid subject_uid state statement epoch index_key_version begin_us end_us horizon_us operation_uid",
    OperationRow: "tenant_uid uid kind request principal_uid create_us",
    ApprovalRow: "tenant_uid uid action digest summary asked_by ask_us expire_us state decided_by decide_us",
}
"""What format 1 covers, in order. An item's envelope is covered by its hash, so that it need not be read to be trusted."""
_COLUMNS = {kind: names.split() for kind, names in _COVERED.items()}


def sealed(authority: Authority, row: AnyRow) -> AnyRow:
    """The row with its MAC column (37 bytes) under the tenant's current authority key."""
    tag = mac(authority.keys[authority.current], _label(row), *_fields(row, authority.current))
    return cast(AnyRow, row._replace(mac=_HEAD.pack(_FORMAT, authority.current) + tag))


def check(authority: Authority, row: SealedRow) -> None:
    """Refuse a row whose MAC does not fit.

    Raises:
        VaultError: INTEGRITY.
    """
    if not fits(authority, row):
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"a stored {TABLES[type(row)].name} row was altered or moved; nothing of it is used; the operator must investigate",
        )


def tenant_of(rows: Rows, keys: TenantKeys) -> TenantRow:
    """The row of a call's tenant.

    Raises:
        VaultError: INTEGRITY, if it is missing or was altered.
    """
    if rows.tenant is None:
        raise VaultError(common_pb2.ERROR_REASON_INTEGRITY, "the tenant's row is missing; the operator must investigate")
    check(keys.authority, rows.tenant)
    return rows.tenant


def fits(authority: Authority, row: SealedRow) -> bool:
    """Whether a row is as it was written, for those who go on without one that is not."""
    try:
        row_format, version = _HEAD.unpack_from(row.mac)
        key = authority.keys.get(version)
        if row_format != _FORMAT or key is None:
            return False
        return verify(key, row.mac[_HEAD.size :], _label(row), *_fields(row, version))
    except (TypeError, ValueError, struct.error):  # a value that is none of its column's: never written by us
        return False


def _label(row: SealedRow) -> str:
    return f"pdvault/v1/row/{TABLES[type(row)].name}"


def _fields(row: SealedRow, version: int) -> list[bytes | int | str]:
    """Format, key version, the covered columns, then the names of those that are NULL, which else could pass for empty ones."""
    names = _COLUMNS[type(row)]
    values = [getattr(row, name) for name in names]
    nulls = [name for name, value in zip(names, values, strict=True) if value is None]
    return [_FORMAT, version, *map(_field, values), ",".join(nulls)]


def _field(value: Any) -> bytes | int | str:
    if value is None:
        return b""
    return int(value) if isinstance(value, bool) else value
