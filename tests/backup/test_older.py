"""A backup of an older release is restored as it was, and then brought up to date like any database of its time."""

from collections.abc import Callable
from typing import Any

from tests.backup.editing import Files, files_of, sealed, table_of, with_manifest, with_part
from tests.backup.places import Site, reconcile
from tests.use_cases.inside import inside
from tests.use_cases.requests import reveal

from vault.backup.row_stream import HEADER, TRAILER, decode, encode
from vault.store import tables as t

NEWER_TABLES = (
    "key_schedule",
    "subject_alias",
    "subject_hold",
    "erasure",
    "operation",
    "approval",
    "restoration",
    "idempotency_subject",
)
Row = tuple[Any, ...]


def as_0002(files: Files) -> Files:
    """The files as a release with schema 0002 would have made them."""
    files = {path: data for path, data in files.items() if path.split("/")[1:2] not in [[name] for name in NEWER_TABLES]}
    files = _without_columns(files, "tenant_key", ("state", "end_us"))
    files = _without_columns(files, "idempotency", ("digest_key",), keep=lambda _: False)

    def older(manifest: Any) -> None:
        manifest["schema_revision"] = "0002"
        manifest["tables"] = [table for table in manifest["tables"] if table["name"] not in NEWER_TABLES]
        table_of(manifest, "idempotency")["columns"].insert(3, {"name": "index_key_version", "kind": "bigint"})

    return with_manifest(files, older)


def _without_columns(files: Files, name: str, dropped: tuple[str, ...], keep: Callable[[Row], bool] = lambda _: True) -> Files:
    found: list[Any] = []
    with_manifest(files, lambda manifest: found.append(table_of(manifest, name)))
    columns, path = found[0]["columns"], f"tables/{name}/000000"
    kept = [number for number, column in enumerate(columns) if column["name"] not in dropped]
    rows = [row for row in decode([column["kind"] for column in columns], [files[path]]) if keep(row)]
    data = HEADER + encode([columns[number]["kind"] for number in kept], [[row[n] for n in kept] for row in rows]) + TRAILER

    def fit(manifest: Any) -> None:
        table_of(manifest, name).update(columns=[columns[number] for number in kept], rows=len(rows))

    return with_manifest(with_part(files, path, data), fit)


def test_a_backup_of_an_older_schema_is_brought_up_to_date(site: Site) -> None:
    (token, *_) = site.store()
    site.grow()
    older = sealed(site.folder / "older.age", as_0002(files_of(site.back_up())))
    vault = site.empty()
    done = site.restore(older, vault)
    assert done.code == 0, done.err
    assert reconcile(vault).code == 0
    with inside(vault) as opened, inside(site.old) as old:
        assert opened.ask(reveal(token)).results[0].value.text
        assert sorted(opened.rows(t.tenant_key)) == sorted(old.rows(t.tenant_key))
