"""What a rotation must not take along to its new keys, though whoever edits the database would like it to.

Copies of the database are the attacker's at any moment, here between any two steps, and so are the keys that are still there in the
end: what is tried is whether these open those.
"""

import struct

import pytest
from tests.erasure.working import Working, statement_of
from tests.rotation.works import attested, begin_rotation, found, phases, rotate, worker
from tests.use_cases.inside import Inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of

from vault.crypto.envelope import key_version
from vault.errors import VaultError
from vault.keys.operations import uid_of
from vault.store import tables as t
from vault.store.rows import SubjectKeyRow, SubjectRow
from vault.store.writes import insert


def _subject_of(inside: Inside, token: str) -> bytes:
    uid: bytes = inside.row(t.token, text=token).subject_uid
    return uid


def _failed(inside: Inside) -> str:
    """What the failure of a rotation says."""
    name = begin_rotation(inside).name
    with worker(inside) as working:
        working.look()
    return found(inside, name).error.message


def test_the_key_of_what_was_deleted_is_never_under_the_new_epoch(open_vault: Inside) -> None:
    kept, gone = tokens_of(open_vault.ask(tokenize(*((new_subject(), "email", new_email()) for _ in range(2)))))
    subject_uid = _subject_of(open_vault, gone)
    before = open_vault.row(t.subject_key, subject_uid=subject_uid)
    open_vault.ask(delete(gone))
    begin_rotation(open_vault)
    seen = [open_vault.row(t.subject_key, subject_uid=subject_uid) for _ in phases(open_vault, batch=1)]
    assert {row.epoch for row in seen if row.key_id == before.key_id} == {before.epoch}
    assert seen[-1].epoch == before.epoch + 1
    assert open_vault.ask(reveal(kept)).results[0].value.text


def test_what_is_deleted_while_keys_are_moved_stays_under_the_old_epoch_too(open_vault: Inside) -> None:
    tokens = tokens_of(open_vault.ask(tokenize(*((new_subject(), "email", new_email()) for _ in range(4)))))
    rows = {row.subject_uid: row for row in open_vault.rows(t.subject_key)}
    begin_rotation(open_vault)
    deleted = set[bytes]()
    seen: list[SubjectKeyRow] = []
    for phase in phases(open_vault, batch=1):
        moved = {row.subject_uid for row in open_vault.rows(t.subject_key) if row.epoch > rows.get(row.subject_uid, row).epoch}
        waiting = [token for token in tokens if _is_there(open_vault, token) and _subject_of(open_vault, token) not in moved]
        if phase == "REWRAP" and waiting and not deleted:
            deleted.add(_subject_of(open_vault, waiting[0]))
            open_vault.ask(delete(waiting[0]))
        seen += (row for row in open_vault.rows(t.subject_key) if row.subject_uid in deleted)
    assert deleted
    assert {row.epoch for row in seen if row.key_id == rows[row.subject_uid].key_id} == {rows[next(iter(deleted))].epoch}


def _is_there(inside: Inside, token: str) -> bool:
    return bool(inside.rows(t.token, text=token))


def test_whoever_gets_new_keys_leaves_no_digest_to_try_deleted_values_against(open_vault: Inside) -> None:
    request = tokenize((new_subject(), "phone", "+447700900654"))
    (gone,) = tokens_of(open_vault.ask(request))
    subject_uid = _subject_of(open_vault, gone)
    open_vault.ask(delete(gone))
    named = open_vault.rows(t.idempotency_subject, subject_uid=subject_uid)
    rotate(open_vault)
    digests = {open_vault.row(t.idempotency, request_id=row.request_id).digest for row in named}
    assert digests == {b""}
    with pytest.raises(Exception, match="not remembered any more; use a new UUID"):
        open_vault.ask(request)


def test_whose_opening_moves_on_waits_for_the_new_epoch_too(at_work: Working) -> None:
    inside = at_work.inside
    subject = new_subject()
    inside.ask(tokenize((subject, "email", new_email())))
    erasure_uid = statement_of(at_work.erase(subject)).erasure_uid
    before = inside.row(t.erasure, uid=erasure_uid)
    rotate(inside)
    after = inside.row(t.erasure, uid=erasure_uid)
    assert key_version(after.opening) == after.epoch == before.epoch + 1
    assert after.index_key_version == before.index_key_version + 1
    assert at_work.receipt(erasure_uid).statement == before.statement


@pytest.fixture
def erased_key(at_work: Working) -> SubjectKeyRow:
    """The key of somebody who was erased."""
    inside = at_work.inside
    subject = new_subject()
    (token,) = tokens_of(inside.ask(tokenize((subject, "email", new_email()))))
    key: SubjectKeyRow = inside.row(t.subject_key, subject_uid=_subject_of(inside, token))
    at_work.erase(subject)
    return key


def test_no_rotation_begins_while_somebody_is_back_who_was_erased(at_work: Working, erased_key: SubjectKeyRow) -> None:
    inside = at_work.inside
    before = inside.row(t.tenant, uid=erased_key.tenant_uid)
    _put(inside, erased_key)
    assert "restore reconcile" in _failed(inside)
    assert inside.row(t.tenant, uid=erased_key.tenant_uid) == before
    inside.remove(t.subject_key, subject_uid=erased_key.subject_uid)
    rotate(inside)


@pytest.mark.parametrize("with_subject", [False, True])
def test_the_key_of_somebody_erased_moves_nowhere_and_keeps_the_old_keys_from_being_retired(
    at_work: Working, erased_key: SubjectKeyRow, with_subject: bool
) -> None:
    inside = at_work.inside
    name = begin_rotation(inside).name
    going = phases(inside, batch=1)
    assert next(phase for phase in going if phase == "REKEY")
    _put(inside, erased_key)
    subject = SubjectRow(erased_key.tenant_uid, erased_key.subject_uid, bytes(32), 1, 1, b"", "ACTIVE", rekey_due=False)
    if with_subject:
        with inside.engine.begin() as connection:
            insert(connection, t.subject, [subject])
    with pytest.raises(VaultError) as refusal:
        list(going)
    assert refusal.value.reason_name == "INTEGRITY"
    assert inside.rows(t.tenant_key, tenant_uid=erased_key.tenant_uid, kind="epoch", state="OLD")
    assert inside.row(t.subject_key, subject_uid=erased_key.subject_uid) == erased_key
    inside.remove(t.subject_key, subject_uid=erased_key.subject_uid)
    if with_subject:
        inside.remove(t.subject, uid=subject.uid)
    _go_on(inside, name)


def _go_on(inside: Inside, name: str) -> None:
    """Let another worker end what one has left."""
    inside.edit(t.operation, {"uid": uid_of(name)}, until_us=0)
    with worker(inside, "key-worker:another") as working:
        working.look()
    assert attested(inside, name).retired_epochs


@pytest.mark.parametrize("phase", ["KEYS", "REKEY", "REWRAP", "RETIRE"])
def test_a_rotation_retires_nothing_by_a_place_that_somebody_wrote(open_vault: Inside, phase: str) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    uid = open_vault.tenant().uid
    rotate(open_vault)
    before = [row for row in open_vault.rows(t.tenant_key, tenant_uid=uid) if row.kind != "authority" and row.wrapped]
    tenant, kek = open_vault.row(t.tenant, uid=uid), open_vault.node.key_manager.kek(uid)
    name = begin_rotation(open_vault).name
    back = 0 if phase == "KEYS" else 2
    forged = struct.pack(">III", kek.latest - 1, tenant.epoch - back, tenant.index_key_version - back)
    open_vault.edit(t.operation, {"uid": uid_of(name)}, phase=phase, cursor=forged)
    with worker(open_vault) as working:
        working.look()
    assert "rotate anew" in found(open_vault, name).error.message
    assert [row for row in open_vault.rows(t.tenant_key, tenant_uid=uid) if row.kind != "authority" and row.wrapped] == before
    assert open_vault.ask(reveal(token)).results[0].value.text


def test_an_attestation_names_the_keys_that_were_retired(open_vault: Inside) -> None:
    uid = open_vault.tenant().uid
    old = {
        (row.kind, row.version) for row in open_vault.rows(t.tenant_key, tenant_uid=uid, state="ACTIVE") if row.kind != "authority"
    }
    attestation = rotate(open_vault)
    named = {("epoch", version) for version in attestation.retired_epochs}
    assert named | {("index", version) for version in attestation.retired_index_keys} == old


def _put(inside: Inside, key: SubjectKeyRow) -> None:
    with inside.engine.begin() as connection:
        insert(connection, t.subject_key, [key])


def test_a_row_that_names_a_retired_epoch_ends_the_rotation_as_an_altered_one_does(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    old = open_vault.row(t.subject_key, subject_uid=_subject_of(open_vault, token))
    rotate(open_vault)
    _put(open_vault, old._replace(version=9))
    assert "altered" in _failed(open_vault)
    open_vault.remove(t.subject_key, subject_uid=old.subject_uid, version=9)
    rotate(open_vault)
    assert open_vault.ask(reveal(token)).results[0].value.text


def test_a_key_is_moved_by_the_epoch_that_it_is_under_and_not_by_what_its_row_says(open_vault: Inside) -> None:
    (token,) = tokens_of(open_vault.ask(tokenize((new_subject(), "email", new_email()))))
    where = {"subject_uid": _subject_of(open_vault, token)}
    epoch = open_vault.row(t.subject_key, **where).epoch
    open_vault.edit(t.subject_key, where, epoch=epoch + 1)
    name = begin_rotation(open_vault).name
    with worker(open_vault) as working:
        working.look()
    assert attested(open_vault, name).left["subject_keys"] == 0
    row = open_vault.row(t.subject_key, **where)
    assert (row.epoch, key_version(row.wrapped)) == (epoch + 1, epoch + 1)
    assert open_vault.ask(reveal(token)).results[0].value.text
