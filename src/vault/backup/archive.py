"""A backup's archive as it is read: its manifest first, then its parts, each only once it is what the manifest says."""

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from vault.audit.bundle_zip import Archive
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.backup.manifest import MAX_BYTES, PATH, Part, Table, parse_manifest, refusal


class BackupArchive:
    """The zip archive of a backup, decrypted; nobody vouches for it yet.

    Attributes:
        manifest: what the backup says about itself.
        manifest_sha256: of the manifest's bytes, 32 bytes; names the backup.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Open it; ``file`` is seekable.

        Raises:
            VaultError: INTEGRITY, if it is no archive, is cut short, has a file twice, or no manifest that can be read.
        """
        try:
            self._archive = Archive(file)
            members = list(self._archive.members())
        except (UncheckedError, WrongError):
            raise refusal("it is no archive, or cut short") from None
        self._numbers = dict(members)
        if len(self._numbers) != len(members):
            raise refusal("its archive holds a file twice")
        if PATH not in self._numbers:
            raise refusal(f"there is no {PATH} in it")
        data = self._read(PATH, MAX_BYTES)
        self.manifest = parse_manifest(data)
        self.manifest_sha256 = hashlib.sha256(data).digest()

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return sum(part.size for part in self._parts())

    def check(self, tell: Callable[[int], None] = lambda _: None) -> None:
        """Read every part, and hold it against the manifest.

        Args:
            tell: told how many bytes are checked, from time to time.

        Raises:
            VaultError: INTEGRITY, if a part is missing, one is there that the manifest does not name, or one is not as it says.
        """
        named = [part.path for part in self._parts()]
        if sorted([*named, PATH]) != sorted(self._numbers):
            raise refusal(f"its {PATH} names other files than are in it")
        done = 0
        for part in self._parts():
            self._part(part)
            done += part.size
            tell(done)

    def chunks(self, table: Table) -> Iterator[bytes]:
        """A table's stream of rows (``row_stream``).

        Raises:
            VaultError: INTEGRITY, if a part is not what the manifest says.
        """
        return map(self._part, table.parts)

    def _parts(self) -> Iterator[Part]:
        return (part for table in self.manifest.tables for part in table.parts)

    def _part(self, part: Part) -> bytes:
        data = self._read(part.path, part.size)
        if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
            raise refusal(f"{part.path} is not what its {PATH} says")
        return data

    def _read(self, path: str, limit: int) -> bytes:
        try:
            return self._archive.read(self._numbers[path], limit)
        except (UncheckedError, WrongError):
            raise refusal(f"{path} is damaged, or not of the size it must have") from None
