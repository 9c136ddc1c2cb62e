"""The note of an erasure in the KMS is read as it was written; what is none is refused, by the erasure and nothing of its text."""

import json

import pytest

from vault.errors import VaultError
from vault.store.rows import ErasureRow
from vault.subjects.destroyed_note import MAX_KEYS, DestroyedNote, note_of, read_note
from vault.v1.subject_service_pb2 import DestroyedKey, ErasureStatement

ERASURE, SUBJECT = b"\x01" * 16, b"\x02" * 16


def erasure(keys: list[DestroyedKey]) -> ErasureRow:
    """An erasure that has begun."""
    said = ErasureStatement(keys=keys).SerializeToString()
    return ErasureRow(b"\x03" * 16, ERASURE, SUBJECT, "BEGUN", said, 1, 1, 7, 0, 0, None, None, None, None)


def test_a_note_is_read_as_it_was_written_store_keys_first() -> None:
    field, store = DestroyedKey(kind="field", key_id=b"\x04" * 16), DestroyedKey(kind="store", key_id=b"\x05" * 16)
    assert read_note(ERASURE, note_of(erasure([field, store]))) == DestroyedNote(SUBJECT, (store.key_id, field.key_id))


def test_a_note_has_no_more_keys_than_fit_and_all_store_keys_are_among_them() -> None:
    fields = [DestroyedKey(kind="field", key_id=number.to_bytes(16, "big")) for number in range(MAX_KEYS)]
    read = read_note(ERASURE, note_of(erasure([*fields, DestroyedKey(kind="store", key_id=b"\x05" * 16)])))
    assert (len(read.key_ids), read.key_ids[0]) == (MAX_KEYS, b"\x05" * 16)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        json.dumps({"subject_uid": SUBJECT.hex()}),
        json.dumps({"key_ids": [SUBJECT.hex()]}),
        json.dumps({"subject_uid": SUBJECT.hex()[2:], "key_ids": []}),
        json.dumps({"subject_uid": SUBJECT.hex(), "key_ids": ["c0ffee"]}),
        json.dumps({"subject_uid": SUBJECT.hex(), "key_ids": [7]}),
        json.dumps({"subject_uid": SUBJECT.hex(), "key_ids": 7}),
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(VaultError, match=ERASURE.hex()) as refusal:
        read_note(ERASURE, text)
    assert refusal.value.reason_name == "INTEGRITY"
    assert SUBJECT.hex() not in str(refusal.value)
    assert "c0ffee" not in str(refusal.value)
