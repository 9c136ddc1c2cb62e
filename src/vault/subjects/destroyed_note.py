"""What the KMS is told of an erasure before anything is destroyed (docs/formats.md, "Erasure receipt")."""

import json

from vault.store.rows import ErasureRow
from vault.v1.subject_service_pb2 import DestroyedKey, ErasureStatement

MAX_KEYS = 1800
"""Key ids in one note: with them it is shorter than ``vault.kms.arguments.MAX_DESTROYED_BYTES``."""


def note_of(row: ErasureRow) -> str:
    """The note of an erasure that has begun: the same text whoever writes it, since it is written once.

    It names the store keys, then as many field keys as there is room for. Whoever erases again finds the subject by its uid; the
    ids are for those who look whether a key is back.
    """
    keys = sorted(ErasureStatement.FromString(row.statement).keys, key=_is_for_callers)[:MAX_KEYS]
    said = {"time_us": row.begin_us, "subject_uid": row.subject_uid.hex(), "key_ids": [key.key_id.hex() for key in keys]}
    return json.dumps(said)


def _is_for_callers(key: DestroyedKey) -> bool:
    return key.kind != "store"
