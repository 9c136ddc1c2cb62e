"""docs/audit.md and docs/formats-log.md: what an auditor is told to type works, with no program of ours."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.audit_verify.logs import Log, Witness, grown, key_of, write

from vault.audit.bundle_manifest import parse_manifest
from vault.audit.merkle import leaf_hash
from vault.audit.note import encode_base64, parse_vkey

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "".join((DOCS / name).read_text("utf-8") for name in ("audit.md", "formats-log.md"))
BLOCKS = dict(re.findall(r"^```(?:sh|python|json) (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
WITNESS = Witness("witness.example.org", key_of(7))


@pytest.fixture(params=[2, 200, 256, 1000])
def log(request: pytest.FixtureRequest) -> Log:
    """A log whose first entries are in a partial bundle, or a full one."""
    return grown(request.param)


@pytest.fixture
def unzipped(log: Log, tmp_path: Path) -> Path:
    """A whole log's bundle, unpacked."""
    folder = tmp_path / "bundle"
    with zipfile.ZipFile(write(tmp_path / "bundle.zip", log.bundle(witnesses=[WITNESS]))) as archive:
        archive.extractall(folder)
    return folder


def typed(block: str, folder: Path) -> list[str]:
    """The lines that a block prints in a shell."""
    done = subprocess.run(["bash", "-eu", "-c", BLOCKS[block]], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_openssl_verifies_the_checkpoint(unzipped: Path) -> None:
    assert typed("checkpoint", unzipped)[-1] == "Signature Verified Successfully"
    note = (unzipped / "checkpoint").read_text()
    (unzipped / "checkpoint").write_text(note.replace("pdvault", "pdvaulx"))
    with pytest.raises(subprocess.CalledProcessError):
        typed("checkpoint", unzipped)


def test_sha256sum_finds_the_hash_that_is_in_the_tree(unzipped: Path, log: Log) -> None:
    first, second = typed("leaf", unzipped)
    assert first.split()[0] == second == leaf_hash(log.leaves[0]).hex()


def test_a_few_lines_of_python_find_the_root(unzipped: Path, log: Log) -> None:
    printed = subprocess.run([sys.executable, "-I", "-c", BLOCKS["root"]], cwd=unzipped, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [str(len(log.leaves)), encode_base64(log.checkpoint().root)]


def test_the_manifest_shown_is_one() -> None:
    manifest = parse_manifest(BLOCKS["manifest"].encode())
    assert parse_vkey(manifest.log_key).name == manifest.origin
