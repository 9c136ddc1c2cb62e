"""What an erasure notes as destroyed: the subject's own keys and nobody else's, however many they are."""

import json
import secrets

import pytest
from tests.erasure.test_erase import stored, uid_of
from tests.erasure.test_interrupted import interrupted
from tests.erasure.working import Working, erase, statement_of
from tests.harness import context
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.backup.erasures import erase_again
from vault.crypto import binding
from vault.crypto.keys import LABEL_WRAP, Key, wrap
from vault.errors import VaultError
from vault.store import tables as t
from vault.store.rows import SubjectKeyRow
from vault.store.writes import insert
from vault.subjects import destroyed_note
from vault.v1.subject_service_pb2 import BulkEraseRequest


def field_keys(at_work: Working, uid: bytes, count: int) -> list[SubjectKeyRow]:
    """So many more field keys of a subject, each opening in its place."""
    keys = at_work.inside.keys()
    epoch = at_work.inside.row(t.subject_key, subject_uid=uid, kind="store").epoch
    kek, rows = keys.epoch(epoch).derive(LABEL_WRAP), []
    for version in range(1, count + 1):
        place = (keys.tenant_uid, uid, "field", version, secrets.token_bytes(16), epoch)
        rows.append(SubjectKeyRow(*place, wrap(kek, epoch, Key.generate(), binding.subject_key(*place))))
    with at_work.node.engine.begin() as connection:
        insert(connection, t.subject_key, rows)
    return rows


def noted(at_work: Working, erasure_uid: bytes) -> dict[str, object]:
    """What the KMS remembers of an erasure."""
    found: dict[str, object] = json.loads(at_work.node.key_manager.destroyed(at_work.inside.tenant().uid)[erasure_uid])
    return found


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_key_row_copied_from_somebody_else_goes_and_is_neither_listed_nor_noted(at_work: Working, is_begun: bool) -> None:
    subject_id, other = new_subject(), new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    theirs = stored(at_work, other)
    own = at_work.inside.row(t.subject_key, subject_uid=uid)
    foreign = at_work.inside.row(t.subject_key, subject_uid=uid_of(at_work, theirs[0]))._replace(subject_uid=uid, version=77)
    request = interrupted(at_work, subject_id) if is_begun else erase(subject_id)
    with at_work.node.engine.begin() as connection:
        insert(connection, t.subject_key, [foreign])
    with at_work.inside.events() as events:
        said = statement_of(at_work.ask(request).receipt)
    assert ([key.key_id for key in said.keys], said.unopened_keys) == ([own.key_id], 1)
    (erased,) = [event for event in events if event.action == "Erased"]
    assert (erased.details["keys"], erased.details["unopened_keys"]) == ("1", "1")
    assert noted(at_work, said.erasure_uid)["key_ids"] == [own.key_id.hex()]
    assert at_work.left(uid) == {}
    assert len(at_work.ask(reveal(*theirs), "all").results) == 3


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("damage", [{"wrapped": b""}, {"wrapped": bytes(66)}, {"key_id": bytes(16)}, {"key_id": b"x"}])
def test_whose_only_key_was_damaged_is_erased_all_the_same(at_work: Working, damage: dict[str, bytes], is_begun: bool) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    request = interrupted(at_work, subject_id) if is_begun else erase(subject_id)
    at_work.inside.edit(t.subject_key, {"subject_uid": uid}, **damage)
    said = statement_of(at_work.ask(request).receipt)
    assert (len(said.keys), said.unopened_keys) == (1 if is_begun else 0, 1)
    assert {each.data_class: each.count for each in said.items} == {"email": 2, "phone": 1}
    assert at_work.left(uid) == {}
    assert at_work.verify(said.erasure_uid).anchored


@pytest.mark.parametrize("is_numbered_anew", [False, True])
def test_whose_current_key_is_not_there_is_no_stranger_and_is_erased_all_the_same(at_work: Working, is_numbered_anew: bool) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    if is_numbered_anew:
        at_work.inside.edit(t.subject_key, {"subject_uid": uid}, version=7)
    else:
        with at_work.node.engine.begin() as connection:
            connection.execute(t.subject_key.delete().where(t.subject_key.c.subject_uid == uid))
    refusal = at_work.refused(tokenize((subject_id, "email", new_email())), "all")
    assert refusal.reason_name == "INTEGRITY"
    said = statement_of(at_work.ask(erase(subject_id)).receipt)
    assert (len(said.keys), said.unopened_keys) == (0, int(is_numbered_anew))
    assert {each.data_class: each.count for each in said.items} == {"email": 2, "phone": 1}
    assert at_work.left(uid) == {}


def test_a_key_is_listed_under_the_epoch_that_wrapped_it_whatever_the_column_says(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    own = at_work.inside.row(t.subject_key, subject_uid=uid)
    at_work.inside.edit(t.subject_key, {"subject_uid": uid}, epoch=99)
    said = statement_of(at_work.erase(subject_id))
    assert [(key.key_id, key.epoch) for key in said.keys] == [(own.key_id, own.epoch)]
    assert not said.unopened_keys


def test_a_note_that_names_the_key_of_somebody_who_lives_erases_nobody(at_work: Working) -> None:
    living = stored(at_work, new_subject())
    key = at_work.inside.row(t.subject_key, subject_uid=uid_of(at_work, living[0]))
    text = json.dumps({"time_us": 1, "subject_uid": secrets.token_hex(16), "key_ids": [key.key_id.hex()]})
    with at_work.node.engine.begin() as connection, pytest.raises(VaultError) as refused:
        erase_again(connection, key.tenant_uid, {secrets.token_bytes(16): text})
    assert refused.value.reason_name == "INTEGRITY"
    assert len(at_work.ask(reveal(*living), "all").results) == 3


def test_a_key_that_is_back_without_its_subject_goes_again(at_work: Working) -> None:
    subject_id = new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    key = at_work.inside.row(t.subject_key, subject_uid=uid)
    erasure_uid = statement_of(at_work.erase(subject_id)).erasure_uid
    notes = at_work.node.key_manager.destroyed(key.tenant_uid)
    with at_work.node.engine.begin() as connection:
        insert(connection, t.subject_key, [key])
        (again,) = erase_again(connection, key.tenant_uid, notes)
    assert (again.erasure_uid, again.subject_uid) == (erasure_uid, uid)
    assert at_work.left(uid) == {}


def test_more_keys_than_the_kms_takes_a_note_of_go_all_the_same_and_hold_up_nobody(at_work: Working) -> None:
    subject_id, other = new_subject(), new_subject()
    uid = uid_of(at_work, stored(at_work, subject_id)[0])
    stored(at_work, other)
    store = at_work.inside.row(t.subject_key, subject_uid=uid).key_id
    field_keys(at_work, uid, destroyed_note.MAX_KEYS + 200)
    said = statement_of(at_work.erase(subject_id))
    assert len(said.keys) == destroyed_note.MAX_KEYS + 201
    note = noted(at_work, said.erasure_uid)
    ids = note["key_ids"]
    assert isinstance(ids, list)
    assert (note["subject_uid"], len(ids), ids[0]) == (uid.hex(), destroyed_note.MAX_KEYS, store.hex())
    assert at_work.left(uid) == {}
    assert at_work.verify(said.erasure_uid).anchored


def test_an_erasure_that_fails_for_no_known_reason_holds_up_no_other(at_work: Working) -> None:
    first, second = new_subject(), new_subject()
    stuck, uid = (uid_of(at_work, stored(at_work, name)[0]) for name in (first, second))
    note = at_work.node.key_manager.note_destroyed

    def broken(tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        if stuck.hex() in text:
            raise ValueError("out of the blue")
        note(tenant_uid, erasure_uid, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_work.node.key_manager, "note_destroyed", broken)
        operation = at_work.ask(BulkEraseRequest(context=context(), subject_ids=[first, second])).operation
        at_work.resume()
        row = at_work.inside.row(t.operation, uid=bytes.fromhex(operation.name.partition("/")[2]))
        assert (row.state, row.done, row.total) == ("RUNNING", 1, 2)
        assert not at_work.left(uid)
    at_work.resume()
    assert at_work.inside.row(t.operation, uid=row.uid).state == "DONE"
    assert not at_work.left(stuck)
