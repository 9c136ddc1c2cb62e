"""Backups that somebody edited: opened, changed, and encrypted again to the same recipient, whose key is public."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
from tests.backup.places import IDENTITY

Files = dict[str, bytes]


def files_of(backup: Path) -> Files:
    """What is in a backup."""
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(backup.read_bytes(), [IDENTITY]))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(path: Path, files: Files) -> Path:
    """A backup that holds these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(pyrage.encrypt(data.getvalue(), [IDENTITY.to_public()]))
    return path


def with_manifest(files: Files, change: Callable[[Any], None]) -> Files:
    """The files with another manifest, written as it must be."""
    manifest = json.loads(files["manifest.json"])
    change(manifest)
    return {**files, "manifest.json": json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"}


def with_part(files: Files, path: str, data: bytes) -> Files:
    """The files with another part, and a manifest that fits it."""

    def fit(manifest: Any) -> None:
        for part in (part for table in manifest["tables"] for part in table["parts"] if part["path"] == path):
            part |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return with_manifest({**files, path: data}, fit)


def without_table(files: Files, name: str) -> Files:
    """The files without a table, and a manifest that does not name it either."""

    def drop(manifest: Any) -> None:
        manifest["tables"] = [table for table in manifest["tables"] if table["name"] != name]

    return with_manifest({path: data for path, data in files.items() if not path.startswith(f"tables/{name}/")}, drop)


def table_of(manifest: Any, name: str) -> Any:
    """What a manifest says of a table."""
    return next(table for table in manifest["tables"] if table["name"] == name)
