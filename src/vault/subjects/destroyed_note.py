"""What the KMS is told of an erasure before anything is destroyed (docs/formats.md, "Erasure receipt")."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from vault.errors import VaultError
from vault.store.reads import STORE
from vault.store.returned import Erased
from vault.store.rows import ErasureRow
from vault.v1 import common_pb2
from vault.v1.subject_service_pb2 import DestroyedKey, ErasureStatement

MAX_KEYS = 1800
"""Key ids in one note: with them it is shorter than ``vault.kms.arguments.MAX_DESTROYED_BYTES``."""

_UID_BYTES = 16


class DestroyedNote(NamedTuple):
    """Who was erased, and ids of the keys that were destroyed; 16 bytes each."""

    subject_uid: bytes
    key_ids: tuple[bytes, ...]


def note_of(row: ErasureRow) -> str:
    """The note of an erasure that has begun: the same text whoever writes it, since it is written once.

    It names the store keys, then as many field keys as there is room for. Whoever erases again finds the subject by its uid; the
    ids are for those who look whether a key is back.
    """
    keys = sorted(ErasureStatement.FromString(row.statement).keys, key=_is_for_callers)[:MAX_KEYS]
    said = {"time_us": row.begin_us, "subject_uid": row.subject_uid.hex(), "key_ids": [key.key_id.hex() for key in keys]}
    return json.dumps(said)


def read_note(erasure_uid: bytes, text: str) -> DestroyedNote:
    """What the KMS remembers of an erasure.

    Raises:
        VaultError: INTEGRITY, if it is no note: then nothing may be done on the strength of the others either.
    """
    try:
        said = json.loads(text)
        note = DestroyedNote(bytes.fromhex(said["subject_uid"]), tuple(bytes.fromhex(key_id) for key_id in said["key_ids"]))
        if any(len(uid) != _UID_BYTES for uid in (note.subject_uid, *note.key_ids)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise VaultError(
            common_pb2.ERROR_REASON_INTEGRITY,
            f"what the KMS remembers of the erasure {erasure_uid.hex()} can't be read; nothing was erased again, and nothing is "
            "served; the operator must investigate",
        ) from None
    return note


def read_notes(destroyed: Mapping[bytes, str]) -> Erased:
    """What the KMS remembers of all erasures.

    Args:
        destroyed: by erasure uid, as ``KeyManager.destroyed`` gives it.

    Raises:
        VaultError: INTEGRITY, as ``read_note``.
    """
    notes = {erasure_uid: read_note(erasure_uid, text) for erasure_uid, text in destroyed.items()}
    key_ids = frozenset(key_id for note in notes.values() for key_id in note.key_ids)
    return Erased({note.subject_uid: erasure_uid for erasure_uid, note in notes.items()}, key_ids)


def _is_for_callers(key: DestroyedKey) -> bool:
    return key.kind != STORE
