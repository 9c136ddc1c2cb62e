"""Re-keying gives a subject new keys, keeps what is sealed under them, and leaves events by which rows agree with the log."""

import pytest
from tests.harness import context
from tests.rotation.works import Stored, attested, found, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email

from vault.crypto.fingerprint import subject_lookup
from vault.keys import rekeying
from vault.store import tables as t
from vault.v1 import audit_pb2, field_service_pb2
from vault.v1 import key_service_pb2 as v1


def _rekey(inside: Inside, subject_id: str = "") -> v1.Attestation:
    request = v1.RekeyRequest(context=context("incident"), subject_id=subject_id)
    operation = inside.ask(request, "security").operation
    with worker(inside) as working:
        working.look()
    return attested(inside, operation.name)


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
        operation = open_vault.ask(v1.RekeyRequest(context=context("incident"), subject_id=name), "security").operation
        before = open_vault.rows(t.subject_key, **where)
        with worker(open_vault) as working:
            working.look()
        assert "WRONG_STATE" in str(found(open_vault, operation.name).error)
    assert open_vault.rows(t.subject_key, **where) == before
    assert len(before) == 2
    decrypt = field_service_pb2.DecryptRequest(context=context())
    decrypt.items.add(ciphertext=ciphertext)
    assert open_vault.ask(decrypt, "plain").results
