"""A private file that is replaced as a whole, by one process at a time."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from vault.kms.key_manager import KmsDeniedError, KmsUnavailableError

LOCK_TIMEOUT_S: Final = 5.0
_LOCK_POLL_S: Final = 0.02
_OTHERS: Final = 0o077
Stamp = tuple[int, int, int, int]
"""Inode, time of change, size and mode: with another stamp, read it again."""


class FileMissingError(KmsUnavailableError):
    """The file is not there."""


class PrivateFile:
    """A file of mode 0600 and the lock beside it. Keeps nothing in memory.

    Every method raises KmsUnavailableError if the file cannot be read or written, and KmsDeniedError if others may touch it.

    Args:
        path: where it lies.
        name: what messages call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path.resolve()
        self._name = name

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def stamp(self) -> Stamp:
        """The stamp of the file that is there now.

        Raises:
            FileMissingError: there is none.
        """
        with self._readable():
            return _stamp(self.path.stat())

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, Stamp]]:
        """The file to read from, and its stamp; it stays the same file even if it is replaced meanwhile.

        Raises:
            FileMissingError: there is none.
        """
        with self._readable(), self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS:
                raise KmsDeniedError(f"the {self._name} must be a file of mode 0600: others can read this one")
            yield file, _stamp(status)

    def replace(self, data: bytes) -> None:
        """Write a draft beside it and rename it: whoever reads sees the old or the new, never a part. Hold the lock meanwhile."""
        draft = self.path.with_name(f".{self.path.name}.new")
        try:
            draft.unlink(missing_ok=True)  # of a writer that was killed
            try:
                with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, self.path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync_directory(self.path.parent)
        except OSError:
            raise KmsUnavailableError(f"the {self._name} file cannot be written") from None

    def remove(self) -> None:
        """Remove it, for good; one that is not there is no error. Hold the lock meanwhile."""
        try:
            self.path.unlink(missing_ok=True)
            _sync_directory(self.path.parent)
        except OSError:
            raise KmsUnavailableError(f"the {self._name} file cannot be removed") from None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock that all writers take, in this process and in others."""
        try:
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            raise KmsUnavailableError(f"the {self._name}'s directory is missing or not writable") from None
        try:
            self._flock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _flock(self, descriptor: int) -> None:
        give_up = time.monotonic() + LOCK_TIMEOUT_S
        while time.monotonic() < give_up:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(_LOCK_POLL_S)  # flock waits for ever or not at all
        raise KmsUnavailableError(f"another process is writing the {self._name}", retry_after_s=1.0)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FileMissingError(f"the {self._name} file is missing") from None
        except OSError:
            raise KmsUnavailableError(f"the {self._name} file cannot be read") from None


def make_private_folder(path: Path, name: str) -> None:
    """A folder of mode 0700, on disk; one that is there stays. Its parent must be there.

    Raises:
        KmsUnavailableError: it cannot be made; the message calls what lies in it ``name``.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(path.parent)
    except OSError:
        raise KmsUnavailableError(f"the folder of the {name} cannot be made") from None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
