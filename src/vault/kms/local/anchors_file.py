"""The file of a local keyring's anchors, and its newest state in memory."""

import threading
from typing import Final

from vault.kms.key_manager import Anchored, AnchorMovedError, KmsIntegrityError
from vault.kms.local.anchors import HEAD_BYTES, KEY_LABEL, MAX_FILE_BYTES, Anchors, decode, encode
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.private_file import FileMissingError, PrivateFile, Stamp

_SUFFIX: Final = ".anchors"


class AnchorsFile:
    """The anchors beside a keyring. Thread-safe.

    Methods raise KmsUnavailableError if a file cannot be read or written, KmsDeniedError if others may read it, and
    KmsIntegrityError if it was changed, belongs to another keyring, is older than what was seen before, or disappeared.
    """

    def __init__(self, keyring: KeyringFile) -> None:
        self._keyring = keyring
        self._file = PrivateFile(keyring.path.with_name(keyring.path.name + _SUFFIX), "anchors")
        self._lock = threading.Lock()
        self._seen: tuple[Stamp, bytes] | None = None
        self._anchors = Anchors()

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self._file.exists()

    def current(self) -> Anchors:
        """What the file holds now; read again only if it was replaced. None at all if there is no file."""
        with self._lock:
            return self._load()

    def write(self, tenant_uid: bytes, text: str, version: int) -> int:
        """See ``KeyManager.write_anchor``."""
        with self._lock, self._file.exclusive():
            anchors = self._load()
            found = anchors.by_tenant.get(tenant_uid)
            if (found.version if found else 0) != version:
                raise AnchorMovedError
            self._replace(anchors.with_anchor(tenant_uid, Anchored(text, version + 1)))
        return version + 1

    def note_generation(self) -> None:
        """Let no keyring older than the present one be opened from now on."""
        with self._lock, self._file.exclusive():
            anchors = self._load()
            if self._generation(anchors) > anchors.generation:
                self._replace(anchors)

    def check_keyring(self) -> None:
        """Refuse a keyring that is older than these anchors.

        Raises:
            KmsIntegrityError: it is.
        """
        self._generation(self.current())

    def _generation(self, anchors: Anchors) -> int:
        """The keyring's generation. Looked at after the anchors, which are written after it."""
        generation = self._keyring.current().generation
        if generation < anchors.generation:
            raise KmsIntegrityError("the keyring is older than its anchors: a newer one was put back by an old copy")
        return generation

    def _load(self) -> Anchors:
        """The stamp alone could be that of an earlier file: a replaced file's inode is soon used again."""
        key = self._keyring.subkey(KEY_LABEL)
        try:
            with self._file.opened() as (file, stamp):
                head = file.read(HEAD_BYTES)
                if self._seen != (stamp, head):
                    anchors = decode(head + file.read(MAX_FILE_BYTES + 1 - HEAD_BYTES), key)
                    self._accept(anchors)
                    self._seen = stamp, head
        except FileMissingError:
            if self._anchors.sequence:
                raise KmsIntegrityError("the anchors file is gone, but was there before") from None
        return self._anchors

    def _accept(self, anchors: Anchors) -> None:
        if anchors.sequence < self._anchors.sequence:
            raise KmsIntegrityError("the anchors file was replaced by an older one")
        self._anchors = anchors

    def _replace(self, anchors: Anchors) -> None:
        """Write the next one. The next look reads it back, so that memory never holds what the disk does not."""
        written = anchors.next(self._generation(anchors))
        self._file.replace(encode(written, self._keyring.subkey(KEY_LABEL)))
