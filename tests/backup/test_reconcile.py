"""Reconciling: the erased stay erased, what is lost is said, each log goes on under a new name, and the old one never again."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from tests.audit_verify.logs import write
from tests.audit_verify.vaults import Desk
from tests.backup.places import Site, config_of, erase, head, integrate, pdvault, reconcile, stored
from tests.erasure.working import erase as erase_request
from tests.erasure.working import working
from tests.harness import Vault, flipped
from tests.use_cases.inside import Inside, inside
from tests.use_cases.requests import delete, new_email, new_subject, reveal, tokenize, tokens_of, update

from vault import principals
from vault.access.issuing import principal_uri
from vault.audit.note import parse_vkey
from vault.errors import VaultError
from vault.server import erasing
from vault.store import tables as t
from vault.v1 import common_pb2
from vault.v1.audit_pb2 import AuditEvent


def row_of(rows: list[dict[str, Any]], vault: Vault) -> dict[str, Any]:
    """What was said of the log of acme."""
    (row,) = [row for row in rows if row["tenant_uid"] == vault.tenants["acme"].uid.hex()]
    return row


def events(opened: Inside, action: str) -> list[AuditEvent]:
    """Events of acme's log, leaves or waiting."""
    uid = opened.tenant().uid
    rows = [*opened.rows(t.audit_entry, tenant_uid=uid), *opened.rows(t.audit_pending, tenant_uid=uid)]
    found = [AuditEvent.FromString(row.leaf) for row in rows]
    return [event for event in found if event.action == action]


def test_who_was_erased_after_the_backup_stays_erased(site: Site) -> None:
    kept, erased, *_ = site.store()
    site.grow()
    backup = site.back_up()
    subject_uid = erase(site.old, erased)
    vault = site.restored(backup)
    done = reconcile(vault)
    assert row_of(done.rows, vault)["erased_again"] == 1
    with inside(vault) as opened:
        assert opened.ask(reveal(kept)).results[0].value.text
        assert opened.refused(reveal(erased)) == "TOKEN_NOT_FOUND"
        for table in (t.subject_key, t.item, t.token):
            assert opened.rows(table, subject_uid=subject_uid) == []
        (event,) = events(opened, "ErasureRepeated")
        assert {touched.subject_uids for touched in event.touched} == {subject_uid}
        assert [(touched.data_class, touched.count) for touched in event.touched if touched.change] == [("email", 1)]


def test_whose_keys_were_replaced_since_the_backup_is_known_by_uid(sqlite_site: Site) -> None:
    """The anchored ids are those of the newer keys; the backup has the older ones."""
    (token, *_) = sqlite_site.store()
    backup = sqlite_site.back_up()
    with inside(sqlite_site.old) as opened:
        subject_uid = opened.row(t.token, text=token).subject_uid
        opened.edit(t.subject_key, {"subject_uid": subject_uid}, key_id=bytes(16))
    erase(sqlite_site.old, token)
    vault = sqlite_site.restored(backup)
    assert row_of(reconcile(vault).rows, vault)["erased_again"] == 1
    with inside(vault) as opened:
        assert opened.refused(reveal(token)) == "TOKEN_NOT_FOUND"


def test_a_subject_with_more_tokens_than_fit_has_more_events(sqlite_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.backup.reconcile._TOKENS", 2)
    with inside(sqlite_site.old) as opened:
        subject_id = new_subject()
        many = opened.ask(tokenize(*((subject_id, "email", new_email()) for _ in range(5))))
    (other, *_) = sqlite_site.store()
    backup = sqlite_site.back_up()
    erase(sqlite_site.old, tokens_of(many)[0])
    erase(sqlite_site.old, other)
    vault = sqlite_site.restored(backup)
    assert row_of(reconcile(vault).rows, vault)["erased_again"] == 2
    with inside(vault) as opened:
        found = events(opened, "ErasureRepeated")
        assert sorted(sum(touched.count for touched in event.touched) for event in found) == [1, 1, 2, 2]
        assert len({event.details["erasure"] for event in found}) == 2


def test_lost_leaves_are_numbered_and_the_log_goes_on_under_a_new_name(site: Site) -> None:
    site.store()
    site.grow()
    backup, before = site.back_up(), head(site.old)
    site.store()
    site.grow()
    after = head(site.old)
    vault = site.restored(backup)
    done = reconcile(vault)
    said = row_of(done.rows, vault)
    assert (said["first_lost"], said["last_lost"]) == (before.size, after.size - 1)
    assert f"{after.size - before.size + system_lost(done.rows)} leaves are lost" in done.err
    assert parse_vkey(said["log_key"]).name == f"{before.origin}/r1"
    with inside(vault) as opened:
        (event,) = events(opened, "RestoreReconciled")
        assert (event.details["old_origin"], event.details["anchored_size"]) == (before.origin, str(after.size))
        assert (event.details["restored_size"], event.details["lost_leaves"]) == (str(before.size), str(after.size - before.size))
        stored(opened)
        integrate(opened.node)
    assert head(vault).origin == f"{before.origin}/r1"
    assert head(vault).size > before.size


def system_lost(rows: list[dict[str, Any]]) -> int:
    """Lost leaves of the other logs."""
    lost = [row["anchored_size"] - row["restored_size"] for row in rows]
    return sum(lost) - max(lost)


def test_a_bundle_over_a_restore_verifies_offline(site: Site, tmp_path: Path) -> None:
    """The boots that wrote before the backup, and were cut off by it, are none the worse for that."""
    with inside(site.old) as opened:
        desk = Desk(opened)
        desk.work()
        desk.integrate()
        stored(opened, tenant=desk.name)
        (erased,) = stored(opened, 1, tenant=desk.name)
        backup, before = site.back_up(), opened.row(t.audit_log, tenant_uid=desk.tenant.uid).size
        desk.work()
        desk.integrate()
    erase(site.old, erased, desk.name)
    vault = site.restored(backup)
    assert reconcile(vault).code == 0
    with inside(vault) as opened:
        desk.inside = opened
        desk.work()
        desk.integrate()
        files = desk.bundle()
        found, compared = desk.compared(files, tmp_path / "state")
        assert found == []
        assert compared.entries > before > 0
        assert b"/r1\n" in files["checkpoint"]


def test_reconciling_again_changes_nothing(sqlite_site: Site) -> None:
    sqlite_site.grow()
    vault = sqlite_site.restored(sqlite_site.back_up())
    assert len(reconcile(vault).rows) == 3
    before = head(vault)
    again = reconcile(vault)
    assert (again.code, again.rows) == (0, [])
    assert "nothing to reconcile" in again.err
    assert head(vault) == before


def test_a_vault_that_was_never_restored_is_left_alone(site: Site) -> None:
    site.store()
    site.grow()
    before = head(site.old)
    assert reconcile(site.old).rows == []
    assert head(site.old) == before


def test_a_database_put_back_by_other_means_is_reconciled_once_it_is_behind(sqlite_site: Site) -> None:
    old = sqlite_site.old
    kept, erased, *_ = sqlite_site.store()
    sqlite_site.grow()
    copies = {path: path.read_bytes() for path in old.folder.glob("old.db*")}
    erase(old, erased)
    sqlite_site.store()
    sqlite_site.grow()
    for path in old.folder.glob("old.db*"):
        path.unlink()
    for path, data in copies.items():
        path.write_bytes(data)
    with inside(old) as opened:
        assert opened.refused(reveal(kept)) == "LOG_BEHIND_ANCHOR"
    assert row_of(reconcile(old).rows, old)["erased_again"] == 1
    with inside(old) as opened:
        assert opened.ask(reveal(kept)).results[0].value.text
        assert opened.refused(reveal(erased)) == "TOKEN_NOT_FOUND"


def test_somebody_who_is_back_in_a_log_that_is_not_behind_is_erased_again(sqlite_site: Site) -> None:
    """The database was put back by other means to a moment after which no leaf was anchored."""
    old = sqlite_site.old
    kept, erased, *_ = sqlite_site.store()
    sqlite_site.grow()
    copies = {path: path.read_bytes() for path in old.folder.glob("old.db*")}
    erase(old, erased)
    for path in old.folder.glob("old.db*"):
        path.unlink()
    for path, data in copies.items():
        path.write_bytes(data)
    assert row_of(reconcile(old).rows, old)["erased_again"] == 1
    assert reconcile(old).rows == []
    with inside(old) as opened:
        assert opened.ask(reveal(kept)).results[0].value.text
        assert opened.refused(reveal(erased)) == "TOKEN_NOT_FOUND"


def begun(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Somebody whose erasure the KMS has its note of and that was cut off then, by uid."""
    name = new_subject()
    with working(vault) as at_work, monkeypatch.context() as patch:
        at_work.ask(tokenize((name, "email", new_email())), "all")
        patch.setattr(erasing, "blank_next", _cut_off)
        assert at_work.refused(erase_request(name)).reason_name == "DATABASE_UNAVAILABLE"
        (row,) = at_work.inside.rows(t.subject, state="ERASING")
    return bytes(row.uid)


def _cut_off(*_: Any) -> int:
    raise VaultError(common_pb2.ERROR_REASON_DATABASE_UNAVAILABLE, "the database does not answer")


def test_an_erasure_under_way_is_left_to_the_servers(sqlite_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    subject_uid = begun(sqlite_site.old, monkeypatch)
    assert reconcile(sqlite_site.old).rows == []
    with inside(sqlite_site.old) as opened:
        assert opened.row(t.subject, uid=subject_uid).state == "ERASING"


def test_somebody_is_erased_again_whose_erasure_only_an_altered_row_calls_begun(
    sqlite_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject_uid = begun(sqlite_site.old, monkeypatch)
    with inside(sqlite_site.old) as opened:
        opened.edit(t.erasure, {"subject_uid": subject_uid}, begin_us=1)
    assert row_of(reconcile(sqlite_site.old).rows, sqlite_site.old)["erased_again"] == 1
    with inside(sqlite_site.old) as opened:
        assert opened.rows(t.subject, uid=subject_uid) == []


def test_somebody_is_erased_again_whom_nothing_but_the_subjects_row_calls_erasing(sqlite_site: Site) -> None:
    (token, *_) = sqlite_site.store()
    sqlite_site.grow()
    with inside(sqlite_site.old) as opened:
        subject_uid = opened.row(t.token, text=token).subject_uid
        opened.reseal(t.subject, {"uid": subject_uid}, state="ERASING")
        text = json.dumps({"time_us": 1, "subject_uid": subject_uid.hex(), "key_ids": []})
        opened.node.key_manager.note_destroyed(opened.tenant().uid, bytes(16), text)
    assert row_of(reconcile(sqlite_site.old).rows, sqlite_site.old)["erased_again"] == 1
    with inside(sqlite_site.old) as opened:
        assert opened.refused(reveal(token)) == "TOKEN_NOT_FOUND"


def test_the_vault_that_was_backed_up_serves_no_more(site: Site) -> None:
    (token, *_) = site.store()
    site.grow()
    vault = site.restored(site.back_up())
    assert reconcile(vault).code == 0
    with inside(site.old) as opened:
        assert opened.refused(reveal(token)) == "LOG_BEHIND_ANCHOR"


def test_a_log_that_its_anchor_contradicts_is_refused(sqlite_site: Site) -> None:
    """Somebody replaced an entry and all hashes above it: what the backup holds was never anchored."""
    sqlite_site.store()
    sqlite_site.grow()
    vault = sqlite_site.restored(sqlite_site.back_up())
    uid = vault.tenants["acme"].uid
    with inside(vault) as opened:
        size = opened.row(t.audit_log, tenant_uid=uid).size
        opened.edit(t.audit_entry, {"tenant_uid": uid, "leaf_index": size - 1}, leaf_hash=bytes(32))
    before = head(vault)
    refused = reconcile(vault)
    assert refused.code == 1
    assert "[INTEGRITY]" in refused.err or "[LOG_BEHIND_ANCHOR]" in refused.err
    assert head(vault) == before


def test_a_leaf_that_was_edited_is_found_though_its_hash_was_not(sqlite_site: Site) -> None:
    sqlite_site.store()
    sqlite_site.grow()
    vault = sqlite_site.restored(sqlite_site.back_up())
    uid = vault.tenants["acme"].uid
    with inside(vault) as opened:
        leaf = opened.row(t.audit_entry, tenant_uid=uid, leaf_index=0).leaf
        opened.edit(t.audit_entry, {"tenant_uid": uid, "leaf_index": 0}, leaf=flipped(leaf))
    refused = reconcile(vault)
    assert refused.code == 1
    assert "[INTEGRITY]" in refused.err


def test_an_erasure_that_cannot_be_read_stops_it(sqlite_site: Site) -> None:
    vault = sqlite_site.restored(sqlite_site.back_up())
    with inside(sqlite_site.old) as opened:
        opened.node.key_manager.note_destroyed(opened.tenant().uid, bytes(16), '{"subject_uid": "", "key_ids": []}')
    refused = reconcile(vault)
    assert refused.code == 1
    assert "the erasure 00000000000000000000000000000000 can't be read" in refused.err
    with inside(vault) as opened:
        assert opened.refused(reveal("eml_00000000000000000000000000000000000")) != "TOKEN_NOT_FOUND"


def test_cosignatures_under_the_old_name_are_dropped(sqlite_site: Site) -> None:
    uid = sqlite_site.old.tenants["acme"].uid
    with inside(sqlite_site.old) as opened, opened.engine.begin() as connection:
        values = {"witness": "w", "size": 0, "checkpoint": "", "line": "", "time_us": 1, "problem": ""}
        connection.execute(t.audit_cosignature.insert().values(tenant_uid=uid, **values))
    vault = sqlite_site.restored(sqlite_site.back_up())
    assert reconcile(vault).code == 0
    with inside(vault) as opened:
        assert opened.rows(t.audit_cosignature, tenant_uid=uid) == []


def test_a_bundle_says_what_lost_leaves_said(site: Site) -> None:
    with inside(site.old) as opened:
        desk = Desk(opened)
        gone, updated, kept = stored(opened, tenant=desk.name)
        desk.integrate()
        backup, before = site.back_up(), opened.row(t.audit_log, tenant_uid=desk.tenant.uid).size
        opened.ask(delete(gone), tenant=desk.name)
        opened.ask(update((updated, new_email())), tenant=desk.name)
        opened.ask(reveal(kept), tenant=desk.name)
        stored(opened, 2, tenant=desk.name)
        opened.node.act(principals.suspend(desk.tenant.uid, principal_uri(desk.name, "plain")))
        desk.integrate()
        bundle = write(site.folder / "bundle.zip", desk.bundle())
    vault = site.restored(backup)
    assert reconcile(vault).code == 0
    said = pdvault("restore", "lost", bundle, "--from", before, "--config", config_of(vault))
    assert [(row["what"], row["token"]) for row in said.rows if row["what"] != "TenantCreated"] == [
        ("deleted", gone),
        ("updated", updated),
        ("PrincipalSuspended", None),
    ]
    assert "2 tokens were made" in said.err
    changed = write(site.folder / "changed.zip", {**desk_files(bundle), "checkpoint": b"other\n"})
    assert pdvault("restore", "lost", changed, "--from", before, "--config", config_of(vault)).code == 1


def desk_files(bundle: Path) -> dict[str, bytes]:
    """What is in a bundle."""
    with ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
