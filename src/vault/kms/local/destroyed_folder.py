"""The folder of a local keyring's notes of destroyed keys: a folder a tenant, a file an erasure, each written once."""

import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from vault.crypto.keys import Key
from vault.kms.arguments import check_destroyed, check_erasure_uid, check_tenant_uid
from vault.kms.key_manager import KmsIntegrityError, KmsUnavailableError
from vault.kms.local.destroyed import KEY_LABEL, MAX_NOTE_BYTES, StoredNote, decode, encode
from vault.kms.local.keyring_file import KeyringFile
from vault.kms.local.private_file import FileMissingError, PrivateFile, make_private_folder

_SUFFIX: Final = ".destroyed"
_NAME: Final = "note of destroyed keys"
_UID: Final = re.compile(r"[0-9a-f]{32}")


class DestroyedFolder:
    """The notes beside a keyring. Thread-safe.

    Methods raise KmsUnavailableError if a file cannot be read or written, KmsDeniedError if others may read it, and
    KmsIntegrityError if it was changed, or belongs to another keyring.
    """

    def __init__(self, keyring: KeyringFile) -> None:
        self._keyring = keyring
        self._path = keyring.path.with_name(keyring.path.name + _SUFFIX)
        self._whole = PrivateFile(self._path, _NAME)

    def exists(self) -> bool:
        """Whether there is such a folder."""
        return self._whole.exists()

    def note(self, tenant_uid: bytes, erasure_uid: bytes, text: str) -> None:
        """See ``KeyManager.note_destroyed``."""
        check_tenant_uid(tenant_uid)
        check_destroyed(erasure_uid, text)
        file = self._file(tenant_uid, erasure_uid)
        with self._whole.exclusive():
            try:
                found = self._read(tenant_uid, erasure_uid)
            except FileMissingError:
                make_private_folder(self._path, _NAME)
                make_private_folder(file.path.parent, _NAME)
                file.replace(encode(StoredNote(text, time.time_ns() // 1000), tenant_uid, erasure_uid, self._key()))
                return
        if found.text != text:
            raise KmsIntegrityError("something else was noted for this erasure already: somebody must investigate")

    def one(self, tenant_uid: bytes, erasure_uid: bytes) -> str | None:
        """See ``KeyManager.destroyed_by``."""
        check_tenant_uid(tenant_uid)
        check_erasure_uid(erasure_uid)
        try:
            return self._read(tenant_uid, erasure_uid).text
        except FileMissingError:
            return None

    def all(self, tenant_uid: bytes) -> dict[bytes, str]:
        """See ``KeyManager.destroyed``."""
        return {uid: note.text for uid, note in self._notes(tenant_uid)}

    def forget(self, tenant_uid: bytes, erasure_uids: Collection[bytes]) -> int:
        """See ``KeyAdministrator.forget_destroyed``."""
        with self._whole.exclusive():
            old = self.uids(tenant_uid).intersection(erasure_uids)
            for uid in old:
                self._file(tenant_uid, uid).remove()
        return len(old)

    def _notes(self, tenant_uid: bytes) -> Iterator[tuple[bytes, StoredNote]]:
        """Each note; one that is forgotten between the list and its reading is left out."""
        for uid in self.uids(tenant_uid):
            try:
                yield uid, self._read(tenant_uid, uid)
            except FileMissingError:
                continue

    def uids(self, tenant_uid: bytes) -> frozenset[bytes]:
        """See ``KeyManager.noted``. Other names are those of drafts, which a writer that was killed left behind."""
        check_tenant_uid(tenant_uid)
        try:
            names = [each.name for each in self._folder(tenant_uid).iterdir()]
        except FileNotFoundError:
            return frozenset()
        except OSError:
            raise KmsUnavailableError("the notes of destroyed keys cannot be read") from None
        return frozenset(bytes.fromhex(name) for name in names if _UID.fullmatch(name))

    def _read(self, tenant_uid: bytes, erasure_uid: bytes) -> StoredNote:
        with self._file(tenant_uid, erasure_uid).opened() as (file, _):
            return decode(file.read(MAX_NOTE_BYTES + 1), tenant_uid, erasure_uid, self._key())

    def _folder(self, tenant_uid: bytes) -> Path:
        return self._path / tenant_uid.hex()

    def _file(self, tenant_uid: bytes, erasure_uid: bytes) -> PrivateFile:
        return PrivateFile(self._folder(tenant_uid) / erasure_uid.hex(), _NAME)

    def _key(self) -> Key:
        return self._keyring.subkey(KEY_LABEL)
