"""What a witness has cosigned: the newest checkpoint of each log, in a folder that is the witness's memory.

    vkey                    the witness's verifier key: whose memory this is
    lock                    held while a witness runs
    <sha256 of origin>      the newest checkpoint: the note with the log's signatures and the cosignature
    <sha256 of origin>.fork two checkpoints of one size, ``cosigned`` and ``other``, if the log has ever signed such

A witness without its memory would cosign a fork. So a key whose folder is gone is refused, not started anew.
"""

import fcntl
import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vault.audit.checkpoint import Checkpoint, parse_checkpoint
from vault.audit.cosignature import verify_cosignature
from vault.audit.note import NoteError, Verifier, parse_note
from vault.durable import replace_file
from vault.witness import key_file
from vault.witness.errors import WitnessError
from vault.witness.key_file import WitnessKey


class State:
    """The memory of one witness. Thread-safe; no two processes have the same one."""

    def __init__(self, folder: Path, witness: Verifier, origins: Sequence[str]) -> None:
        self._folder = folder
        self._witness = witness
        self._locks = {origin: threading.Lock() for origin in origins}
        self._origins = {_file_name(origin): origin for origin in self._locks}

    @contextmanager
    def only_one(self, origin: str) -> Iterator[None]:
        """Nobody else looks at what was cosigned of this log, or changes it, until the block ends."""
        with self._locks[origin]:
            yield

    def newest(self, origin: str) -> Checkpoint | None:
        """The newest checkpoint cosigned of this log.

        Raises:
            WitnessError: the file is not what this witness has written.
            OSError: it can't be read.
        """
        text = self.newest_note(_file_name(origin))
        if text is None:
            return None
        try:
            note = parse_note(text)
            checkpoint = parse_checkpoint(note.text)
            if verify_cosignature(note, self._witness) is None or checkpoint.origin != origin:
                raise NoteError("another's")
        except NoteError:
            path = self._folder / _file_name(origin)
            raise WitnessError(f"{path}: this witness has not written that; its state is damaged") from None
        return checkpoint

    def newest_note(self, origin_hash: str) -> str | None:
        """The note of the newest checkpoint by the origin's SHA-256 in hex; None if there is none.

        Raises:
            OSError: it can't be read.
        """
        if origin_hash not in self._origins:
            return None
        try:
            return (self._folder / origin_hash).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def remember(self, origin: str, note: str) -> None:
        """Make this the newest checkpoint of its log; it survives a power cut once this returns.

        Raises:
            OSError: it can't be written.
        """
        replace_file(self._folder / _file_name(origin), note)

    def keep_fork(self, origin: str, note: str) -> None:
        """Keep a checkpoint beside the newest one: they prove that the log has signed two trees of one size. The first two stay.

        Raises:
            OSError: it can't be written.
        """
        folder = self._folder / f"{_file_name(origin)}.fork"
        if not (folder / "other").exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            replace_file(folder / "cosigned", self.newest_note(_file_name(origin)) or "")
            replace_file(folder / "other", note)


@contextmanager
def open_state(folder: Path, key_path: Path, name: str, origins: Sequence[str]) -> Iterator[tuple[WitnessKey, State]]:
    """A witness's key and memory; at the first start both are made.

    Args:
        folder: of the state.
        key_path: of the key file.
        name: the witness's name, or empty for the one it has.
        origins: of the logs it knows.

    Raises:
        WitnessError: another witness runs on this folder, or key and folder do not belong together.
        OSError: files can't be read or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WitnessError(f"{folder}: another witness runs on this folder") from None
        key = _existing(folder, key_path) if key_path.exists() else _first(folder, key_path, name)
        if name not in ("", key.verifier.name):
            raise WitnessError(
                f"{key_path} is the key of {key.verifier.name}; another name needs a key file and a folder of its own"
            )
        state = State(folder, key.verifier, origins)
        for origin in origins:
            state.newest(origin)
        yield key, state


def _existing(folder: Path, key_path: Path) -> WitnessKey:
    key = key_file.read(key_path)
    owner = _owner(folder)
    if owner is None:
        raise WitnessError(
            f"{folder}: what the witness of {key_path} has cosigned should be here and is not. Without it, it could cosign a fork:"
            " give it its folder back, or begin with a new key and tell the logs"
        )
    if owner != key.verifier.vkey:
        raise WitnessError(f"{folder} belongs to another key than that of {key_path}")
    return key


def _first(folder: Path, key_path: Path, name: str) -> WitnessKey:
    if _owner(folder) is not None:
        raise WitnessError(f"{key_path}: the key of the witness of {folder} is missing; restore it, or begin with another folder")
    if not name:
        raise WitnessError(f"there is no key file {key_path} yet: to make one, a name is needed, such as witness.example.org")
    key = key_file.generate(name)
    replace_file(folder / "vkey", key.verifier.vkey + "\n")
    try:
        key_file.write(key_path, key)
    except BaseException:
        (folder / "vkey").unlink()
        raise
    return key


def _owner(folder: Path) -> str | None:
    try:
        return (folder / "vkey").read_text("utf-8").removesuffix("\n")
    except FileNotFoundError:
        return None


def _file_name(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
