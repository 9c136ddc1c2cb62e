"""The file of a local keyring: private, replaced as a whole, written by one process at a time."""

import contextlib
import fcntl
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vault.kms.key_manager import KmsDeniedError, KmsIntegrityError, KmsUnavailableError
from vault.kms.keyring import Keyring
from vault.kms.keyring_sealing import MAX_FILE_BYTES, seal_keyring, unseal_keyring
from vault.kms.keyring_secret import Argon2Parameters, KeyringSecret

LOCK_TIMEOUT_S: Final = 5.0
_LOCK_POLL_S: Final = 0.02
_OTHERS: Final = 0o077
_Stamp = tuple[int, int, int]


class KeyringFile:
    """A keyring on disk and its newest state in memory. Thread-safe.

    Every method raises KmsUnavailableError if the file cannot be read or written, KmsDeniedError if others may read it, and
    KmsIntegrityError if it was changed, is older than what was seen before, or the secret is wrong.
    """

    def __init__(self, path: Path, secret: KeyringSecret) -> None:
        self._path = path.resolve()
        self._secret = secret
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._keyring = Keyring(generation=0)
        self._parameters: Argon2Parameters | None = None

    def create(self) -> None:
        """A new file without tenants.

        Raises:
            KmsDeniedError: there is one; a keyring is never overwritten.
        """
        with self._lock, self._exclusive():
            if self._path.exists():
                raise KmsDeniedError("there is a keyring file already; it is not overwritten")
            self._replace(seal_keyring(Keyring(generation=1), self._secret, self._secret.new_parameters()))

    def current(self) -> Keyring:
        """What the file holds now; read again only if it was replaced."""
        with self._lock:
            return self._load()

    def update(self, change: Callable[[Keyring], Keyring]) -> None:
        """Replace the keyring by a changed one of the next generation; nothing is written if ``change`` returns the same."""
        with self._lock, self._exclusive():
            keyring = self._load()
            changed = change(keyring)
            if changed is not keyring:
                self._replace(seal_keyring(changed, self._secret, self._parameters))

    def _load(self) -> Keyring:
        try:
            if self._stamp is None or _stamp(self._path.stat()) != self._stamp:
                self._read()
        except OSError:
            raise KmsUnavailableError("the keyring file is missing or cannot be read") from None
        return self._keyring

    def _read(self) -> None:
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS:
                raise KmsDeniedError("the keyring must be a file of mode 0600: others can read this one")
            keyring, parameters = unseal_keyring(file.read(MAX_FILE_BYTES + 1), self._secret)
        if keyring.generation < self._keyring.generation:
            raise KmsIntegrityError("the keyring file was replaced by an older one")
        self._keyring, self._parameters, self._stamp = keyring, parameters, _stamp(status)

    def _replace(self, data: bytes) -> None:
        """Write a private temporary file beside it and rename: whoever reads sees the old or the new, never a part."""
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self._path)
            except BaseException:
                os.unlink(temporary)
                raise
            _sync_directory(self._path.parent)
        except OSError:
            raise KmsUnavailableError("the keyring file cannot be written") from None

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the lock that all writers take, in this process and in others."""
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            raise KmsUnavailableError("the keyring's directory is missing or not writable") from None
        try:
            _flock(descriptor)
            yield
        finally:
            os.close(descriptor)


def _flock(descriptor: int) -> None:
    give_up = time.monotonic() + LOCK_TIMEOUT_S
    while time.monotonic() < give_up:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_LOCK_POLL_S)
    raise KmsUnavailableError("another process is writing the keyring", retry_after_s=1.0)


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
