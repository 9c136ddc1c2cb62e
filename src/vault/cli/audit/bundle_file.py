"""Bundles as files: a zip archive, plain or encrypted with age (age-encryption.org/v1) to whoever is to check it.

Both ways are streams: no bundle is ever in memory, and what is decrypted goes to a temporary file that has no name.
"""

import itertools
import operator
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import click
import pyrage

from vault.audit.verify_errors import UncheckedError
from vault.cli import options

Pieces = Iterable[tuple[str, bytes]]
"""(path in the bundle, next piece of that file): files one after the other, as AuditService.Export streams them."""

_MAGIC = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
_CHUNK = 1 << 20
_MAX_IDENTITY = 1 << 16
_PRIVATE = 0o600


def write_bundle(path: Path, pieces: Pieces, recipients: Sequence[str] = ()) -> None:
    """Write a bundle, readable for its owner only; ``path`` appears when it is whole.

    Args:
        path: must not exist.
        pieces: see ``Pieces``; what they raise is passed on.
        recipients: age recipients (``age1...``) or SSH public keys (``ssh-ed25519 ...``, ``ssh-rsa ...``); each can decrypt it with
            ``age --decrypt``. None: it is not encrypted.

    Raises:
        ClickException: the path exists, or a recipient is none.
        OSError: it can't be written.
    """
    options.NEW_FILE.convert(path, None, None)
    keys = [_recipient(text) for text in recipients]
    draft = path.with_name(path.name + ".partial")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(_Zipping(pieces), file, keys)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def opened_bundle(path: Path, identity_files: Sequence[Path] = ()) -> Iterator[BinaryIO]:
    """A bundle's zip archive, decrypted if need be; seekable.

    Args:
        path: the file.
        identity_files: files with age identities (``AGE-SECRET-KEY-1...``) or SSH private keys without a passphrase.

    Raises:
        UncheckedError: it is encrypted, and none of the identities is among its recipients; or it is damaged.
        OSError: a file can't be read.
    """
    with path.open("rb") as file:
        if not is_encrypted(path):
            yield file
            return
        with tempfile.TemporaryFile() as plain:
            _decrypt(file, plain, identity_files)
            yield plain


def is_encrypted(path: Path) -> bool:
    """Whether a file says that it is encrypted with age.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return file.read(max(map(len, _MAGIC))).startswith(_MAGIC)


def _write(zipping: "_Zipping", file: IO[bytes], keys: list[Any]) -> None:
    if not keys:
        while chunk := zipping.read(_CHUNK):
            file.write(chunk)
        return
    try:
        pyrage.encrypt_io(zipping, file, keys)
    except Exception:  # pyrage wraps what its reader raises, and says nothing of it
        if zipping.error:
            raise zipping.error from None
        raise


def _decrypt(file: BinaryIO, plain: IO[bytes], identity_files: Sequence[Path]) -> None:
    if not identity_files:
        raise UncheckedError("the file is encrypted with age: give the key that decrypts it with --identity FILE")
    identities = [identity for path in identity_files for identity in _identities(path)]
    try:
        pyrage.decrypt_io(file, plain, identities)
    except pyrage.DecryptError:
        raise UncheckedError("the file can't be decrypted: it is damaged, or encrypted to other keys than those given") from None
    except OSError as error:
        if error.errno is not None:  # of the file system
            raise
        raise UncheckedError("the file can't be decrypted: it is damaged or cut off") from None
    plain.flush()


def _recipient(text: str) -> Any:
    for kind in (pyrage.x25519, pyrage.ssh):
        try:
            return kind.Recipient.from_str(text.strip())
        except pyrage.RecipientError:
            continue
    raise click.ClickException("a recipient is an age recipient (age1...) or an SSH public key (ssh-ed25519 ..., ssh-rsa ...)")


def _identities(path: Path) -> list[Any]:
    with path.open("rb") as file:
        data = file.read(_MAX_IDENTITY)
    try:
        if data.startswith(b"-----BEGIN"):
            found = [pyrage.ssh.Identity.from_buffer(data)]
        else:
            lines = (line.strip() for line in data.decode("ascii", "replace").splitlines())
            found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise UncheckedError(f"{path} holds no age identity (AGE-SECRET-KEY-1...) and no SSH private key without passphrase")
    return found


class _Zipping:
    """A zip archive made as it is read."""

    def __init__(self, pieces: Pieces) -> None:
        self._made = self._make(pieces)
        self._sink = _Sink()
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many; none at the end."""
        try:
            while size < 0 or len(self._sink.data) < size:
                if not next(self._made, False):
                    break
        except BaseException as error:
            self.error = error
            raise
        size = len(self._sink.data) if size < 0 else size
        taken = bytes(self._sink.data[:size])
        del self._sink.data[:size]
        return taken

    def _make(self, pieces: Pieces) -> Iterator[bool]:
        """True for each piece that was added, and for the end."""
        with zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED) as archive:  # hashes and random bytes hardly get smaller
            for path, same in itertools.groupby(pieces, operator.itemgetter(0)):
                with archive.open(zipfile.ZipInfo(path), "w") as member:
                    for _, data in same:
                        member.write(data)
                        yield True
        yield True


class _Sink:
    """Takes what the archive writes; can't be sought, so the archive does not look back."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""
