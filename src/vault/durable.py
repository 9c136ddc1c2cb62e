"""Files that are there after a power cut once the call returns, and never half there."""

import os
from pathlib import Path

_PRIVATE = 0o600


def replace_file(path: Path, text: str) -> None:
    """Put a file with this text in the place of ``path``: written, synced, renamed, and the folder synced. One writer at a time.

    Raises:
        OSError: it can't be written; ``path`` is then what it was, or, if only the last step failed, new.
    """
    new = path.with_name(path.name + ".new")
    _write(new, text, os.O_TRUNC)
    os.replace(new, path)
    _sync_folder(path.parent)


def create_file(path: Path, text: str) -> None:
    """A new file that only its owner can read.

    Raises:
        FileExistsError: there is one; nothing is ever overwritten.
        OSError: it can't be written.
    """
    _write(path, text, os.O_EXCL)
    _sync_folder(path.parent)


def _write(path: Path, text: str, flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
