"""The manifest of a backup: of which vault and which moment it is, and what must be found in it (docs/formats-backup.md).

Whoever knows a recipient's public key can make a backup that it opens. So nothing in a manifest is believed for being there: it is
held against the parts, against the tables they become, and against what the KMS remembers of the logs.
"""

import json
import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vault.errors import VaultError
from vault.v1 import common_pb2

FORMAT: Final = "pdvault-backup/1"
PATH: Final = "manifest.json"
MAX_BYTES = 256 * 1024 * 1024
"""A part of 16 MiB takes some 130 bytes of it, a tenant some 700."""

_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Uid = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Part(_Said):
    """One file of the archive: a piece of a table's stream of rows."""

    path: Annotated[str, Field(pattern=r"^tables/[a-z][a-z0-9_]{0,62}/[0-9]{6,9}$")]
    size: _Number
    sha256: _Sha256


class Column(_Said):
    """A column, and its kind (``row_stream``)."""

    name: _Name
    kind: Annotated[str, Field(pattern=r"^(bytea|text|bigint|smallint|boolean)$")]


class Table(_Said):
    """A table: its rows are the parts, one after the other."""

    name: _Name
    columns: list[Column]
    rows: _Number
    parts: list[Part]


class Keys(_Said):
    """Which keys a tenant had: the generation rises with every change."""

    tenant_uid: _Uid
    key_generation: _Number
    epoch: _Number
    index_key_version: _Number


class Log(_Said):
    """A log's head, and its newest checkpoint."""

    tenant_uid: _Uid
    origin: Annotated[str, Field(min_length=1, max_length=512)]
    size: _Number
    root: _Sha256
    checkpoint_size: _Number
    checkpoint: Annotated[str, Field(max_length=65_536)]


class Manifest(_Said):
    """What a backup says about itself; ``schema_revision`` is that of the tables, ``time_us`` the database's."""

    format: Literal["pdvault-backup/1"]
    schema_revision: Annotated[str, Field(pattern=r"^[0-9a-z_]{1,32}$")]
    time_us: _Number
    database: Annotated[str, Field(pattern=r"^(postgresql|sqlite)$")]
    keys: list[Keys]
    logs: list[Log]
    tables: list[Table]

    def encode(self) -> bytes:
        """The file: one line of JSON without spaces, its members in this order, then a newline."""
        return json.dumps(self.model_dump(), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Only the one spelling that ``encode`` writes is accepted.

    Raises:
        VaultError: INTEGRITY, if it is anything else.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError:
        known = re.match(rb'\{"format":"(pdvault-backup/[0-9]{1,9})"', data)
        if known and known[1].decode() != FORMAT:
            raise refusal(f"it has format {known[1].decode()}, this release knows {FORMAT}: use the release that made it") from None
        raise refusal(f"its {PATH} is not one of format {FORMAT}") from None
    if manifest.encode() != data:
        raise refusal(f"its {PATH} is not written as the format says")
    return manifest


def refusal(what: str) -> VaultError:
    """The refusal of a backup that is not whole, or not what it says."""
    return VaultError(common_pb2.ERROR_REASON_INTEGRITY, f"the backup can't be used: {what}; nothing was restored")
