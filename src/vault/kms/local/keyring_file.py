"""The file of a local keyring, and its newest state in memory."""

import threading
from collections.abc import Callable
from pathlib import Path

from vault.crypto.keys import Key
from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError
from vault.kms.local.keyring import Keyring
from vault.kms.local.keyring_sealing import MAX_FILE_BYTES, seal_keyring, subkey, unseal_keyring
from vault.kms.local.keyring_secret import Argon2Parameters, KeyringSecret
from vault.kms.local.private_file import PrivateFile, Stamp


class KeyringFile:
    """A keyring on disk and its newest state in memory. Thread-safe.

    Every method raises KmsUnavailableError if the file cannot be read or written, KmsDeniedError if others may read it, and
    KmsIntegrityError if it was changed, is older than what was seen before, or the secret is wrong.
    """

    def __init__(self, path: Path, secret: KeyringSecret) -> None:
        self._file = PrivateFile(path, "keyring")
        self._secret = secret
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._keyring = Keyring(generation=0)
        self._parameters: Argon2Parameters | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._file.path

    def create(self) -> None:
        """A new file without tenants.

        Raises:
            KmsDeniedError: there is one; a keyring is never overwritten.
        """
        with self._lock, self._file.exclusive():
            if self._file.exists():
                raise KmsDeniedError("there is a keyring file already; it is not overwritten")
            self._file.replace(seal_keyring(Keyring(generation=1), self._secret, self._secret.new_parameters()))

    def current(self) -> Keyring:
        """What the file holds now; read again only if it was replaced."""
        with self._lock:
            return self._load()

    def subkey(self, label: str) -> Key:
        """A key that only who can open the keyring has. Argon2id does not run again."""
        with self._lock:
            self._load()
            return subkey(self._secret, self._parameters, label)

    def update(self, change: Callable[[Keyring], Keyring]) -> None:
        """Replace the keyring by a changed one of the next generation; nothing is written if ``change`` returns the same."""
        with self._lock, self._file.exclusive():
            keyring = self._load()
            changed = change(keyring)
            if changed is not keyring:
                self._file.replace(seal_keyring(changed, self._secret, self._parameters))

    def _load(self) -> Keyring:
        if self._stamp is None or self._file.stamp() != self._stamp:
            self._read()
        return self._keyring

    def _read(self) -> None:
        with self._file.opened() as (file, stamp):
            keyring, parameters = unseal_keyring(file.read(MAX_FILE_BYTES + 1), self._secret)
        if keyring.generation < self._keyring.generation:
            raise KmsIntegrityError("the keyring file was replaced by an older one")
        self._keyring, self._parameters, self._stamp = keyring, parameters, stamp
