"""Bundles are written whole or not at all, and read by those they were encrypted to."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from vault.audit.verify_errors import UncheckedError
from vault.cli.audit.bundle_file import opened_bundle, write_bundle

PIECES = [("manifest.json", b"{}"), ("tile/0/000", b"1" * 3_000_000), ("tile/0/000", b"2" * 10), ("empty", b"")]
CONTENT = {"manifest.json": b"{}", "tile/0/000": b"1" * 3_000_000 + b"2" * 10, "empty": b""}


def content(path: Path, *identities: Path) -> dict[str, bytes]:
    """What a bundle holds."""
    with opened_bundle(path, identities) as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def age(tmp_path: Path) -> tuple[str, Path]:
    """A recipient, and the file with its identity."""
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "age.txt"
    path.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n")
    return str(identity.to_public()), path


@pytest.fixture
def ssh(tmp_path: Path) -> tuple[str, Path]:
    """The same with an SSH key."""
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "id_ed25519"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " auditor@example.org\n", path


def test_a_plain_bundle_is_a_zip_archive_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    write_bundle(path, iter(PIECES))
    assert content(path) == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_recipient_can_decrypt_it_and_nobody_else(tmp_path: Path, age: tuple[str, Path], ssh: tuple[str, Path]) -> None:
    path = tmp_path / "bundle.zip.age"
    write_bundle(path, PIECES, [age[0], ssh[0]])
    data = path.read_bytes()
    assert data.startswith(b"age-encryption.org/v1\n")
    assert b"manifest.json" not in data
    assert content(path, age[1]) == content(path, ssh[1]) == CONTENT
    other = tmp_path / "other.txt"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    assert content(path, other, age[1]) == CONTENT
    with pytest.raises(UncheckedError, match="encrypted to other keys"):
        content(path, other)
    with pytest.raises(UncheckedError, match="give the key that decrypts it with --identity"):
        content(path)


def test_what_age_itself_decrypts_is_the_bundle(tmp_path: Path, age: tuple[str, Path]) -> None:
    """In both of age's forms: binary, as we write it, and armoured, as somebody may have mailed it."""
    path, mailed = tmp_path / "bundle.zip.age", tmp_path / "mailed.age"
    write_bundle(path, PIECES, [age[0]])
    plain = pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.from_str(age[1].read_text().splitlines()[-1])])
    mailed.write_bytes(pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(age[0])], armored=True))
    assert content(mailed, age[1]) == CONTENT


@pytest.mark.parametrize("keep", [30, 150, 5000, 70_000, -1])
def test_an_encrypted_bundle_that_was_cut_is_no_verdict(keep: int, tmp_path: Path, age: tuple[str, Path]) -> None:
    path = tmp_path / "bundle.zip.age"
    write_bundle(path, PIECES, [age[0]])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UncheckedError, match="can't be decrypted"):
        content(path, age[1])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UncheckedError, match="can't be decrypted"):
        content(path, age[1])


def test_a_key_file_that_holds_none_is_named(tmp_path: Path, age: tuple[str, Path]) -> None:
    path, empty = tmp_path / "bundle.zip.age", tmp_path / "key.txt"
    write_bundle(path, PIECES, [age[0]])
    for text in ("", "# nothing\n", "AGE-SECRET-KEY-1X", "-----BEGIN OPENSSH PRIVATE KEY-----\nx", "\xff\n"):
        empty.write_text(text)
        with pytest.raises(UncheckedError, match=r"key.txt holds no age identity"):
            content(path, empty)


@pytest.mark.parametrize("recipient", ["", "age1", "nobody@example.org", "ssh-ed25519 AAAA"])
def test_nothing_is_written_to_somebody_who_is_no_recipient(recipient: str, tmp_path: Path, age: tuple[str, Path]) -> None:
    with pytest.raises(click.ClickException, match="a recipient is an age recipient"):
        write_bundle(tmp_path / "bundle", PIECES, [age[0], recipient])
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("encrypted", [False, True])
def test_an_export_that_breaks_off_leaves_nothing_and_its_error_is_passed_on(
    encrypted: bool, tmp_path: Path, age: tuple[str, Path]
) -> None:
    def broken() -> Iterator[tuple[str, bytes]]:
        yield from PIECES
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError, match="lost"):
        write_bundle(tmp_path / "bundle", broken(), [age[0]] if encrypted else [])
    assert [path.name for path in tmp_path.iterdir()] == ["age.txt"]


def test_no_bundle_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_text("precious")
    with pytest.raises(click.ClickException, match="is not overwritten"):
        write_bundle(path, PIECES)
    assert path.read_text() == "precious"


def test_what_is_decrypted_has_no_name_on_disk(tmp_path: Path, age: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, temporary = tmp_path / "bundle.age", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write_bundle(path, PIECES, [age[0]])
    with opened_bundle(path, [age[1]]) as file:
        assert file.fileno() >= 0
        assert list(temporary.iterdir()) == []
