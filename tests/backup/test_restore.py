"""A backup is of one moment, and comes back whole, into either database; what comes back serves nothing."""

import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tests.backup.editing import files_of
from tests.backup.places import RECIPIENT, Site, config_of, integrate, pdvault, reconcile, stored
from tests.harness import Caller, Server, reveal_request, tokenize_request
from tests.use_cases.inside import inside
from tests.use_cases.requests import new_email, new_subject, reveal, tokenize

from vault.backup.create import Backup
from vault.cli.audit.bundle_file import write_bundle
from vault.store import tables as t
from vault.v1.audit_pb2 import AuditEvent


def test_all_comes_back_and_serves_once_reconciled(site: Site) -> None:
    (token, *_) = site.store()
    site.grow()
    vault = site.restored(site.back_up())
    assert reconcile(vault).code == 0
    with inside(vault) as new, inside(site.old) as old:
        assert new.ask(reveal(token)).results[0].value.text.endswith("@example.org")
        kept = set(t.metadata.sorted_tables) - {t.audit_pending, t.audit_log, t.audit_lease}
        assert all(sorted(new.rows(table), key=repr) == sorted(old.rows(table), key=repr) for table in kept)


def test_nothing_is_served_until_reconciled_though_no_log_is_behind_its_anchor(site: Site) -> None:
    site.grow()
    (token, *_) = site.store()
    site.grow()
    vault = site.restored(site.back_up())
    with inside(vault) as new:
        assert new.refused(reveal(token)) == "RESTORED_NOT_RECONCILED"
    assert reconcile(vault).code == 0
    with inside(vault) as new:
        assert new.ask(reveal(token)).results[0].value.text


def test_a_server_on_a_restored_vault_refuses_every_call_until_it_is_reconciled_and_then_needs_no_restart(
    site_of: Callable[[dict[str, str]], Site],
) -> None:
    site = site_of({"old": "sqlite", "new": "postgres"})
    (token, *_) = site.store()
    vault = site.restored(site.back_up())
    with Server(vault) as server:
        caller = server.caller("all")
        with pytest.raises(grpc.RpcError) as refusal:
            caller.call(reveal_request(token))
        assert refusal.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "pdvault restore reconcile" in refusal.value.details()
        assert reconcile(vault).code == 0
        tick = threading.Event()
        texts = (revealed(caller, token) or tick.wait(0.05) for _ in range(1200))
        assert str(next(filter(None, texts))).endswith("@example.org")


def revealed(caller: Caller, token: str) -> str | None:
    """The value, as soon as the server serves."""
    try:
        return str(caller.call(reveal_request(token)).results[0].value.text)
    except grpc.RpcError:
        return None


def test_tables_in_many_parts_come_back_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.backup.create.PART_BYTES", 100)
    monkeypatch.setattr("vault.backup.unload._PIECE", 50)
    monkeypatch.setattr("vault.backup.unload._AT_ONCE", 1)
    (token, *_) = site.store(5)
    backup = site.back_up()
    assert "tables/item/000004" in files_of(backup)
    vault = site.restored(backup)
    assert reconcile(vault).code == 0
    with inside(vault) as opened:
        assert opened.ask(reveal(token)).results[0].value.text


def test_a_role_that_may_not_read_every_table_is_told_so(
    site_of: Callable[[dict[str, str]], Site],
) -> None:
    site = site_of({"old": "postgres"})
    role, config = f"reader_{secrets.token_hex(4)}", config_of(site.old)
    with site.old.node() as node, node.engine.begin() as connection:
        connection.exec_driver_sql(f'CREATE ROLE "{role}" LOGIN')
        for table in set(t.metadata.sorted_tables) - {t.item}:
            connection.exec_driver_sql(f'GRANT SELECT ON "{table.name}", alembic_version TO "{role}"')
        url = node.engine.url.set(username=role).render_as_string(hide_password=False)
        whole = node.engine.url.render_as_string(hide_password=False)
    settings = config.read_text()
    assert whole in settings
    config.write_text(settings.replace(whole, url))
    made = pdvault("backup", "create", "-o", site.folder / "b.age", "--recipient", RECIPIENT, "--config", config)
    assert made.code == 1
    assert "the database role of this configuration may not do that" in made.err
    assert not list(site.folder.glob("b.age*"))


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_backup_of_one_kind_of_database_is_restored_into_the_other(
    source: str, target: str, site_of: Callable[[dict[str, str]], Site]
) -> None:
    site = site_of({"old": source, "new": target})
    (token, *_) = site.store()
    site.grow()
    vault = site.restored(site.back_up())
    assert reconcile(vault).code == 0
    with inside(vault) as opened:
        assert opened.ask(reveal(token)).results[0].value.text
        integrate(opened.node)


def test_a_backup_is_of_one_moment_however_much_is_written_while_it_is_made(site: Site) -> None:
    """Each call writes a subject, an item, a token and an event: of whichever calls the backup has one, it has all."""
    path = site.folder / "b.age"
    with inside(site.old) as opened:
        stored(opened)

        def pieces() -> Iterator[tuple[str, bytes]]:
            for piece in Backup(opened.engine).pieces():
                stored(opened, 1)
                yield piece

        write_bundle(path, pieces(), [RECIPIENT])
        assert opened.count()["item"] > 20
    _is_of_one_moment(site, path, 3)


def test_a_backup_is_made_beside_a_server_that_writes_to_the_same_file(sqlite_site: Site) -> None:
    begun, ended = threading.Event(), threading.Event()
    with Server(sqlite_site.old) as server:
        caller = server.caller("app")

        def write() -> None:
            while not ended.is_set():
                caller.call(tokenize_request((new_subject(), "email", new_email())))
                begun.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert begun.wait(60)
        backup = sqlite_site.back_up()
        ended.set()
        writer.join()
    _is_of_one_moment(sqlite_site, backup)


def _is_of_one_moment(site: Site, backup: Path, calls: int | None = None) -> None:
    with inside(site.restored(backup)) as opened:
        rows = opened.count()
        leaves = [AuditEvent.FromString(row.leaf) for table in (t.audit_entry, t.audit_pending) for row in opened.rows(table)]
        items = sum(touched.count for leaf in leaves for touched in leaf.touched if leaf.action == "Tokenize")
        assert 0 < rows["item"] == rows["token"] == rows["subject"] == items
        assert calls in (None, items)


def test_a_backup_holds_no_value_and_no_subject_id(sqlite_site: Site) -> None:
    with inside(sqlite_site.old) as opened:
        subject_id, address = new_subject(), new_email()
        opened.ask(tokenize((subject_id, "email", address)))
    held = b"".join(files_of(sqlite_site.back_up()).values())
    assert b"email" in held
    assert subject_id.encode() not in held
    assert address.encode() not in held


def test_a_restored_vault_can_be_backed_up_once_reconciled(sqlite_site: Site) -> None:
    sqlite_site.grow()
    vault = sqlite_site.restored(sqlite_site.back_up())
    refused = pdvault(
        "backup", "create", "-o", sqlite_site.folder / "b", "--new-identity", sqlite_site.folder / "i", "--config", config_of(vault)
    )
    assert refused.code == 1
    assert "RESTORED_NOT_RECONCILED" in refused.err
    assert reconcile(vault).code == 0
    second = sqlite_site.restored(sqlite_site.back_up("second.age", vault), "third")
    (row,) = [row for row in reconcile(second).rows if row["tenant_uid"] == sqlite_site.old.tenants["acme"].uid.hex()]
    assert row["old_origin"].endswith("/r1")
    assert "/r2+" in row["log_key"]
    with inside(second) as opened:
        stored(opened)


def test_a_new_identity_is_for_its_owner_only_and_opens_the_backup(sqlite_site: Site) -> None:
    identity, out = sqlite_site.folder / "new.key", sqlite_site.folder / "b.age"
    made = pdvault("backup", "create", "-o", out, "--new-identity", identity, "--config", config_of(sqlite_site.old))
    assert made.code == 0
    assert identity.stat().st_mode & 0o777 == out.stat().st_mode & 0o777 == 0o600
    vault = sqlite_site.empty()
    assert pdvault("backup", "restore", out, "--identity", identity, "--config", config_of(vault)).code == 0
    again = pdvault("backup", "create", "-o", out, "--new-identity", identity, "--config", config_of(sqlite_site.old))
    assert again.code == 1
    assert "not overwritten" in again.err


def test_there_is_no_backup_without_encryption(sqlite_site: Site) -> None:
    out = sqlite_site.folder / "plain"
    made = pdvault("backup", "create", "-o", out, "--config", config_of(sqlite_site.old))
    assert made.code == 1
    assert "always encrypted" in made.err
    assert not out.exists()
