"""What is no whole backup of this very vault is refused with a reason, and nothing is there afterwards that was not before."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from tests.backup.editing import Files, files_of, sealed, table_of, with_manifest, with_part, without_table
from tests.backup.places import IDENTITY, RECIPIENT, Result, Site, config_of, pdvault
from tests.harness import Vault, add_tenant
from tests.use_cases.inside import inside

from vault.backup.row_stream import BYTES, HEADER, LONG, TEXT, TRAILER, decode, encode


def refused(site: Site, backup: Path, vault: Vault | None = None) -> Result:
    """The refusal of a backup, which leaves the place as it was."""
    vault = vault or site.empty(f"place-{secrets.token_hex(4)}")
    before = sorted(path.name for path in vault.folder.iterdir())
    found = site.restore(backup, vault)
    assert found.code == 1
    assert sorted(path.name for path in vault.folder.iterdir()) == before
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Vault) -> Site:
    """A vault with leaves and with events that wait, which no test here changes."""
    site = Site(tmp_path_factory.mktemp("shared"), lambda name: f'sqlite_file = "{name}.db"', first=template.copy)
    site.store()
    site.grow()
    site.store(1)
    return site


@pytest.fixture(scope="module")
def good(shared: Site) -> Path:
    """A good backup of it."""
    return shared.back_up()


@pytest.fixture(scope="module")
def files(good: Path) -> Files:
    """What is in the good backup."""
    return files_of(good)


def test_a_good_backup_sealed_again_is_restored(shared: Site, files: Files) -> None:
    """So that what follows is refused for what it is."""
    shared.restored(sealed(shared.folder / "again.age", with_manifest(files, lambda _: None)))


def test_a_backup_is_checked_without_database_and_kms(shared: Site, good: Path, files: Files) -> None:
    (row,) = pdvault("backup", "check", good, "--identity", shared.identity).rows
    assert row["manifest_sha256"] == hashlib.sha256(files["manifest.json"]).hexdigest()
    assert (row["tenants"], row["schema"]) == (3, json.loads(files["manifest.json"])["schema_revision"])
    assert row["leaves"] > 0
    bad = sealed(shared.folder / "damaged.age", {**files, "tables/item/000000": b""})
    found = pdvault("backup", "check", bad, "--identity", shared.identity)
    assert found.code == 1
    assert "tables/item/000000" in found.err


def test_a_file_that_was_cut_or_changed_anywhere_is_refused(shared: Site, good: Path) -> None:
    data, path, vault = good.read_bytes(), shared.folder / "bad.age", shared.empty("cut")
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert refused(shared, path, vault).err
    for at in (30, len(data) // 3, len(data) - 5):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert "can't be decrypted" in refused(shared, path, vault).err


def test_a_file_that_is_not_encrypted_is_refused(shared: Site, good: Path) -> None:
    path = shared.folder / "plain.zip"
    path.write_bytes(pyrage.decrypt(good.read_bytes(), [IDENTITY]))
    assert "is no backup" in refused(shared, path).err


def test_a_backup_to_somebody_else_is_refused(shared: Site) -> None:
    path, other = shared.folder / "other.age", pyrage.x25519.Identity.generate().to_public()
    path.write_bytes(pyrage.encrypt(b"PK", [other]))
    assert "can't be decrypted" in refused(shared, path).err


def test_another_vaults_backup_is_refused(shared: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Site(tmp_path_factory.mktemp("other"), shared.database)
    assert "[LOG_BEHIND_ANCHOR]" in refused(shared, other.back_up()).err


def test_a_kms_that_does_not_remember_the_log_is_refused(sqlite_site: Site) -> None:
    backup = sqlite_site.back_up()
    (sqlite_site.old.folder / "keyring.anchors").unlink()
    assert "[LOG_BEHIND_ANCHOR]" in refused(sqlite_site, backup).err


def test_a_keyring_older_than_its_anchors_is_refused(sqlite_site: Site) -> None:
    keyring = sqlite_site.old.folder / "keyring"
    shutil.copy(keyring, sqlite_site.folder / "keyring.old")
    with inside(sqlite_site.old) as opened:
        add_tenant(opened.node, "initech")
    backup = sqlite_site.back_up()
    shutil.copy(sqlite_site.folder / "keyring.old", keyring)
    found = refused(sqlite_site, backup)
    assert "keyring is older than its anchors" in found.err
    assert "[INTEGRITY]" in found.err


def test_a_database_that_is_not_empty_is_refused_and_left_alone(site: Site) -> None:
    backup = site.back_up()
    with inside(site.old) as opened:
        before = opened.count()
    found = site.restore(backup, site.old)
    assert found.code == 1
    assert "[CONFLICT]" in found.err
    with inside(site.old) as opened:
        assert opened.count() == before


def test_a_schema_of_a_newer_release_is_refused(shared: Site, files: Files) -> None:
    newer = with_manifest(files, lambda manifest: manifest.update(schema_revision="9999"))
    assert "[SCHEMA_UNKNOWN]" in refused(shared, sealed(shared.folder / "b", newer)).err


@pytest.mark.parametrize("name", ["audit_log", "audit_entry", "audit_node", "audit_pending", "tenant_key", "item"])
def test_a_backup_without_one_of_its_tables_is_refused(name: str, shared: Site, files: Files) -> None:
    found = refused(shared, sealed(shared.folder / "b", without_table(files, name)))
    assert f"the table {name} is missing from it" in found.err


def emptied(name: str) -> Callable[[Files], Files]:
    """Without the rows of a table."""

    def change(files: Files) -> Files:
        return with_manifest(
            with_part(files, f"tables/{name}/000000", HEADER + TRAILER),
            lambda manifest: table_of(manifest, name).update(rows=0),
        )

    return change


def manifest_with(change: Callable[[Any], None]) -> Callable[[Files], Files]:
    return lambda files: with_manifest(files, change)


def raw_manifest(change: Callable[[bytes], bytes]) -> Callable[[Files], Files]:
    return lambda files: {**files, "manifest.json": change(files["manifest.json"])}


def add_row(files: Files) -> Files:
    """One row more of audit_lease than the manifest says."""
    path = "tables/audit_lease/000000"
    row = encode([TEXT, TEXT, LONG], [("x", "y", 1)])
    return with_part(files, path, files[path][: -len(TRAILER)] + row + TRAILER)


BAD: dict[str, tuple[Callable[[Files], Files], str]] = {
    "no manifest": (lambda files: {k: v for k, v in files.items() if k != "manifest.json"}, "there is no manifest.json"),
    "manifest is no JSON": (raw_manifest(lambda data: data[:-3]), "is not one of format"),
    "manifest spelled otherwise": (raw_manifest(lambda data: data.replace(b",", b", ", 1)), "not written as the format says"),
    "manifest says more": (manifest_with(lambda manifest: manifest.update(more=1)), "is not one of format"),
    "later format": (raw_manifest(lambda data: data.replace(b"backup/1", b"backup/2", 1)), "it has format pdvault-backup/2"),
    "part changed": (lambda files: {**files, "tables/item/000000": files["tables/item/000000"] + b"\0"}, "tables/item/000000"),
    "part missing": (lambda files: {k: v for k, v in files.items() if k != "tables/item/000000"}, "names other files"),
    "part too many": (lambda files: {**files, "tables/item/000001": b""}, "names other files"),
    "part of a name that leads away": (
        manifest_with(lambda manifest: table_of(manifest, "item")["parts"][0].update(path="../item")),
        "is not one of format",
    ),
    "more rows than said": (add_row, "has 1 rows instead of 0"),
    "rows that are none": (
        lambda files: with_part(files, "tables/item/000000", b"no rows"),
        "the rows of its table item are none",
    ),
    "columns of another schema": (
        manifest_with(lambda manifest: table_of(manifest, "item")["columns"][0].update(name="tenant")),
        "the columns of its table item",
    ),
    "no log at all": (manifest_with(lambda manifest: manifest.update(logs=[])), "there is no log in it"),
    "log left out": (manifest_with(lambda manifest: manifest["logs"].pop()), "do not hold the keys and logs"),
    "log of another size": (
        manifest_with(lambda manifest: manifest["logs"][1].update(size=10**6)),
        "do not hold the keys and logs",
    ),
    "keys of another generation": (
        manifest_with(lambda manifest: manifest["keys"][1].update(key_generation=7)),
        "do not hold the keys and logs",
    ),
    "log without its entries": (emptied("audit_entry"), "audit log"),
    "tenant without its keys": (emptied("tenant_key"), "is missing from it"),
    "tenants without their logs": (emptied("audit_log"), "do not hold the keys and logs"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_together_is_refused(name: str, shared: Site, files: Files) -> None:
    change, why = BAD[name]
    found = refused(shared, sealed(shared.folder / "b", change(files)))
    assert why in found.err
    assert "[INTEGRITY]" in found.err


def test_postgresql_refuses_rows_that_are_none_and_keeps_no_table(site: Site) -> None:
    site.grow()
    bad = with_part(files_of(site.back_up()), "tables/item/000000", b"no rows")
    vault = site.empty()
    found = site.restore(sealed(site.folder / "b", bad), vault)
    assert found.code == 1
    assert "the rows of its table item are none" in found.err
    assert site.restore(site.back_up("good.age"), vault).code == 0


def test_keys_that_were_altered_or_whose_kek_version_is_gone_are_refused(shared: Site, files: Files) -> None:
    path, kinds = "tables/tenant_key/000000", [BYTES, TEXT, LONG, LONG, BYTES, LONG, TEXT, LONG]
    rows = [list(row) for row in decode(kinds, [files[path]])]
    for row in rows:
        row[4] = row[4][:-1] + bytes([row[4][-1] ^ 1])
    bad = with_part(files, path, HEADER + encode(kinds, rows) + TRAILER)
    assert "older than the horizon" in refused(shared, sealed(shared.folder / "b", bad)).err


def test_a_missing_output_folder_or_recipient_leaves_nothing(shared: Site) -> None:
    before = sorted(shared.folder.iterdir())
    for recipient, out in ((RECIPIENT, "no/such/b.age"), ("age1nonsense", "b.age")):
        made = pdvault(
            *("backup", "create", "-o", shared.folder / out),
            *("--recipient", recipient, "--config", config_of(shared.old)),
        )
        assert made.code == 1
    assert sorted(shared.folder.iterdir()) == before
