"""Erasures and rotations as the vault itself does them, before and after a backup."""

from tests.audit_verify.logs import write
from tests.audit_verify.vaults import Desk
from tests.backup.places import Site, config_of, pdvault, reconcile
from tests.erasure.working import statement_of, working
from tests.harness import context
from tests.rotation.works import rotate, worker
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize, tokens_of

from vault.store import tables as t
from vault.v1.key_service_pb2 import RekeyRequest
from vault.v1.subject_service_pb2 import GetSubjectRequest, ListSubjectsRequest, RestrictRequest


def test_receipts_from_before_the_backup_are_given_again_and_who_was_erased_since_is_erased_again(site: Site) -> None:
    before, since, kept = new_subject(), new_subject(), new_subject()
    with working(site.old) as old:
        tokens = tokens_of(old.ask(tokenize(*((one, "email", new_email()) for one in (before, since, kept))), "all"))
        first = statement_of(old.erase(before))
        old.integrate()
        backup = site.back_up()
        second = statement_of(old.erase(since))
        old.integrate()
    vault = site.restored(backup)
    done = reconcile(vault)
    assert done.code == 0, done.err
    assert sum(row["erased_again"] for row in done.rows) == 1
    with working(vault) as new:
        new.integrate()
        assert statement_of(new.receipt(first.erasure_uid)) == first
        assert new.left(second.subject_uid) == new.left(first.subject_uid) == {}
        assert new.inside.ask(reveal(tokens[2])).results[0].value.text
        assert [new.inside.refused(reveal(token)) for token in tokens[:2]] == ["TOKEN_NOT_FOUND"] * 2
        assert new.refused(reveal(tokens[1]), "all").reason_name == "TOKEN_NOT_FOUND"
        back = tokens_of(new.ask(tokenize((since, "email", new_email())), "all"))
        assert new.inside.ask(reveal(*back)).results[0].value.text


def test_an_erasure_that_was_under_way_at_the_backup_is_finished(sqlite_site: Site) -> None:
    subject_id = new_subject()
    with working(sqlite_site.old) as old:
        tokens_of(old.ask(tokenize((subject_id, "email", new_email())), "all"))
        backups = []
        note = old.node.key_manager.note_destroyed

        def noted(tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
            note(tenant_uid, erasure_uid, text)
            backups.append(sqlite_site.back_up())

        old.node.key_manager.note_destroyed = noted  # type: ignore[method-assign]
        statement = statement_of(old.erase(subject_id))
    vault = sqlite_site.restored(backups[0])
    assert reconcile(vault).code == 0
    with working(vault) as new:
        new.resume()
        new.integrate()
        assert new.left(statement.subject_uid) == {}
        assert statement_of(new.receipt(statement.erasure_uid)).subject_uid == statement.subject_uid


def test_of_what_is_lost_only_what_changed_something_and_is_not_done_again_anyhow_is_shown(sqlite_site: Site) -> None:
    with working(sqlite_site.old) as old:
        desk = Desk(old.inside)
        erased, kept = new_subject(), new_subject()
        old.inside.ask(tokenize((erased, "email", new_email()), (kept, "email", new_email())), tenant=desk.name)
        desk.integrate()
        backup, before = sqlite_site.back_up(), old.inside.row(t.audit_log, tenant_uid=desk.tenant.uid).size
        receipt = old.erase(erased, tenant=desk.name)
        old.receipt(statement_of(receipt).erasure_uid, tenant=desk.name)
        old.ask(ListSubjectsRequest(context=context()), tenant=desk.name)
        old.ask(RestrictRequest(context=context(), subject_id=kept), tenant=desk.name)
        old.inside.ask(RekeyRequest(context=context("incident")), "security", desk.name)
        with worker(old.inside) as working_on:
            working_on.look()
        uid = old.ask(GetSubjectRequest(context=context(), subject_id=kept), tenant=desk.name).subject.subject_uid
        desk.integrate()
        bundle = write(sqlite_site.folder / "bundle.zip", desk.bundle())
    vault = sqlite_site.restored(backup)
    assert reconcile(vault).code == 0
    said = pdvault("restore", "lost", bundle, "--from", before, "--config", config_of(vault))
    assert [(row["what"], row["subject_uids"]) for row in said.rows] == [("Restrict", [uid.hex()]), ("Rekey", [])]


def test_a_vault_restored_from_before_two_rotations_reads_all_and_rotates_again(sqlite_site: Site) -> None:
    with working(sqlite_site.old) as old:
        (token,) = tokens_of(old.ask(tokenize((new_subject(), "email", new_email())), "all"))
        backup = sqlite_site.back_up()
        rotate(old.inside)
        rotate(old.inside)
    vault = sqlite_site.restored(backup)
    assert reconcile(vault).code == 0
    with working(vault) as new:
        assert new.inside.ask(reveal(token)).results[0].value.text
        rotate(new.inside)
        assert new.inside.ask(reveal(token)).results[0].value.text
