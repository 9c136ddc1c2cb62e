"""Re-keying gives a subject new keys, keeps what is sealed under them, and leaves events by which rows agree with the log."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from google.longrunning import operations_pb2
from tests.harness import context
from tests.rotation.works import Stored, attested, desk, found, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email

from vault.crypto.fingerprint import subject_lookup
from vault.keys import rekeying
from vault.server.key_worker.held_operation import HeldOperation
from vault.server.key_worker.rekey import Rekey
from vault.store import tables as t
from vault.store.rotation.progress import take
from vault.v1 import audit_pb2, common_pb2, field_service_pb2
from vault.v1 import key_service_pb2 as v1


def _asked(inside: Inside, subject_id: str = "") -> operations_pb2.Operation:
    """A re-keying, as it has ended."""
    request = v1.RekeyRequest(context=context("incident"), subject_id=subject_id)
    operation = inside.ask(request, "security").operation
    with worker(inside) as working:
        working.look()
    return found(inside, operation.name)


def _rekey(inside: Inside, subject_id: str = "") -> v1.Attestation:
    return attested(inside, _asked(inside, subject_id).name)


def _subject(inside: Inside, subject_id: str):
    keys = inside.keys()
    lookups = [subject_lookup(key, subject_id) for key in keys.indexes.values()]
    (row,) = [row for lookup in lookups for row in inside.rows(t.subject, tenant_uid=inside.tenant().uid, lookup=lookup)]
    return row


def _key_ids(inside: Inside, subject_id: str) -> set[bytes]:
    uid = _subject(inside, subject_id).uid
    return {row.key_id for row in inside.rows(t.subject_key, tenant_uid=inside.tenant().uid, subject_uid=uid)}


def test_one_subject_gets_new_keys_and_the_others_keep_theirs(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=3)
    first, *others = stored.names
    before = {name: _key_ids(open_vault, name) for name in stored.names}
    assert _rekey(open_vault, first).done["subjects_rekeyed"] == 1
    assert not before[first] & _key_ids(open_vault, first)
    assert {name: _key_ids(open_vault, name) for name in others} == {name: before[name] for name in others}
    stored.check()


def test_all_subjects_get_new_keys(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=3)
    before = {name: _key_ids(open_vault, name) for name in stored.names}
    _rekey(open_vault)
    assert not any(before[name] & _key_ids(open_vault, name) for name in stored.names)
    stored.check()


def test_each_new_envelope_is_in_the_log(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    uid = _subject(open_vault, stored.names[0]).uid
    with open_vault.events() as events:
        _rekey(open_vault, stored.names[0])
    (event,) = [event for event in events if event.action == "Rekeyed"]
    hashes = {
        event_touched.token_uids[16 * n : 16 * n + 16]: event_touched.envelope_hashes[32 * n : 32 * n + 32]
        for event_touched in event.touched
        if event_touched.change == audit_pb2.CHANGE_UPDATED
        for n in range(event_touched.count)
    }
    items = {row.uid: row.envelope_sha256 for row in open_vault.rows(t.item, subject_uid=uid)}
    assert hashes == {row.uid: items[row.item_uid] for row in open_vault.rows(t.token, subject_uid=uid)}


def test_nobody_unknown_is_rekeyed(open_vault: Inside) -> None:
    request = v1.RekeyRequest(context=context("incident"), subject_id="nobody-of-this-name")
    assert open_vault.refused(request, "security") == "SUBJECT_NOT_FOUND"


def test_the_operation_names_the_subject_by_its_uid_alone(open_vault: Inside) -> None:
    stored = Stored(open_vault, people=1)
    _rekey(open_vault, stored.names[0])
    requests = [row.request for row in open_vault.rows(t.operation, tenant_uid=open_vault.tenant().uid)]
    assert not [request for request in requests if stored.names[0].encode() in request]


def test_a_subject_gets_so_many_field_keys_and_a_refusal_instead_of_more(open_vault: Inside) -> None:
    (name,) = Stored(open_vault, people=1).names
    request = field_service_pb2.EncryptRequest(context=context())
    request.items.add(subject_id=name, data_class="email").value.text = new_email()
    ciphertext = open_vault.ask(request).results[0].ciphertext
    where = {"subject_uid": _subject(open_vault, name).uid, "kind": "field"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rekeying, "MAX_FIELD_KEYS", 2)
        _rekey(open_vault, name)
        before = open_vault.rows(t.subject_key, **where)
        assert "WRONG_STATE" in str(_asked(open_vault, name).error)
    assert open_vault.rows(t.subject_key, **where) == before
    assert len(before) == 2
    decrypt = field_service_pb2.DecryptRequest(context=context())
    decrypt.items.add(ciphertext=ciphertext)
    assert open_vault.ask(decrypt, "plain").results


def _encrypt(inside: Inside, subject_id: str) -> None:
    """Let a subject have a field key."""
    request = field_service_pb2.EncryptRequest(context=context())
    request.items.add(subject_id=subject_id, data_class="email").value.text = new_email()
    inside.ask(request)


def test_all_get_new_store_keys_also_who_may_have_no_further_field_key_and_the_result_counts_them(open_vault: Inside) -> None:
    names = Stored(open_vault, people=2).names
    for name in names:
        _encrypt(open_vault, name)
    _rekey(open_vault, names[0])
    before = {name: _key_ids(open_vault, name) for name in names}
    counted = Counter(row.subject_uid for row in open_vault.rows(t.subject_key, kind="field"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rekeying, "MAX_FIELD_KEYS", 2)
        attestation = _rekey(open_vault)
    assert attestation.done["field_keys_kept"] == sum(count == 2 for count in counted.values())
    kept = [len(before[name] & _key_ids(open_vault, name)) for name in names]
    assert kept == [2, 1]
    assert [len(_key_ids(open_vault, name)) for name in names] == [3, 3]


DAMAGES: list[tuple[sa.Table, dict[str, Any]]] = [
    (t.subject_key, {"wrapped": b""}),
    (t.subject_key, {"key_id": b"x"}),
    (t.subject_key, {"epoch": 99}),
    (t.subject, {"state": "ERASING"}),
    (t.subject, {"subject_id": b"x"}),
    (t.item, {"envelope": b"x"}),
]


@pytest.mark.parametrize(("table", "damage"), DAMAGES, ids=[f"{table.name}-{next(iter(d))}" for table, d in DAMAGES])
def test_whose_rows_were_altered_keeps_its_keys_is_named_and_holds_up_nobody(
    open_vault: Inside, table: sa.Table, damage: dict[str, Any]
) -> None:
    stored = Stored(open_vault, people=3)
    subjects = {name: _subject(open_vault, name) for name in stored.names}
    hurt = stored.names[1]
    uid = subjects[hurt].uid
    where = {"uid" if table is t.subject else "subject_uid": uid}
    before, rows = {name: _key_ids(open_vault, name) for name in stored.names}, open_vault.rows(table, **where)
    open_vault.edit(table, where, **damage)
    with open_vault.events() as events:
        attestation = _rekey(open_vault)
    assert attestation.left["subjects_altered"] == 1
    assert list(attestation.altered_subjects) == [uid]
    (refused,) = [event for event in events if event.action == "Rekeyed" and event.reason]
    assert (refused.reason, [each.subject_uids for each in refused.touched]) == (common_pb2.ERROR_REASON_INTEGRITY, [uid])
    assert not any(before[name] & _key_ids(open_vault, name) for name in stored.names if name != hurt)
    for row in rows:
        open_vault.edit(table, {"subject_uid": uid, "uid": row.uid} if table is t.item else where, **row._asdict())
    stored.check()


def test_one_subject_that_is_asked_for_and_was_altered_ends_the_operation_and_is_named(open_vault: Inside) -> None:
    (name,) = Stored(open_vault, people=1).names
    uid = _subject(open_vault, name).uid
    key = open_vault.row(t.subject_key, subject_uid=uid)
    open_vault.edit(t.subject_key, {"subject_uid": uid}, wrapped=bytes(66))
    error = _asked(open_vault, name).error
    assert "INTEGRITY" in str(error)
    assert uid.hex() in error.message
    open_vault.edit(t.subject_key, {"subject_uid": uid}, wrapped=key.wrapped)


def test_a_rekeying_that_is_taken_over_still_tells_whom_the_one_before_left_out(open_vault: Inside) -> None:
    uid = _subject(open_vault, Stored(open_vault, people=1).names[0]).uid
    key = open_vault.row(t.subject_key, subject_uid=uid)
    open_vault.edit(t.subject_key, {"subject_uid": uid}, wrapped=bytes(66))
    operation = open_vault.ask(v1.RekeyRequest(context=context("incident")), "security").operation
    with desk(open_vault) as first:
        row = open_vault.row(t.operation, live_kind="Rekey")
        assert take(open_vault.engine, row, first.name)
        steps = Rekey(HeldOperation(first, row), batch=500)
        while steps.step():
            pass
    open_vault.edit(t.operation, {"uid": row.uid}, until_us=0)
    with worker(open_vault, "key-worker:another") as working:
        working.look()
    assert list(attested(open_vault, operation.name).altered_subjects) == [uid]
    open_vault.edit(t.subject_key, {"subject_uid": uid}, wrapped=key.wrapped)
