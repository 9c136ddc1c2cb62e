"""The newest checkpoint seen of each log, kept between verifications: what makes a rewound or forked log visible.

One JSON file a log in a folder of the auditor's. Whoever can write there can make the verifier forget.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vault.audit.checkpoint import Checkpoint, open_checkpoint
from vault.audit.note import NoteError, Verifier, decode_base64, encode_base64, parse_vkey
from vault.audit.verify_errors import UncheckedError, WrongError
from vault.durable import replace_file

FORMAT = "pdvault-audit-state/1"


@dataclass(frozen=True)
class Remembered:
    """What is known of a log.

    Args:
        log_key: whose signature its checkpoints have.
        note: the newest checkpoint seen, as it was signed; the proof, should another one turn up.
        checkpoint: the same, parsed.
        seen: (size, root) of every checkpoint found signed, and consistent with those before, by size.
    """

    log_key: Verifier
    note: str
    checkpoint: Checkpoint
    seen: dict[int, bytes]


class Memory:
    """The folder. Made when something is first kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, origin: str) -> Path:
        """Where what is known of a log is kept; named by the origin's SHA-256, as witnesses name it (C2SP tlog-witness)."""
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"

    def recall(self, origin: str) -> Remembered | None:
        """What is known of a log; None if nothing is.

        Raises:
            UncheckedError: the file is damaged.
            OSError: it can't be read.
        """
        path = self.path(origin)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _parse(data, origin)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UncheckedError(f"{path} is damaged, so what was seen of this log before is not known; restore it") from None

    def keep(self, log_key: Verifier, note: str, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint found good and consistent with what was remembered; an older one is only added to ``seen``.

        Raises:
            WrongError: another verification has meanwhile seen another tree of the same size.
            UncheckedError: the file is damaged.
            OSError: it can't be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            known = self.recall(checkpoint.origin)
            seen = dict(known.seen) if known else {}
            if seen.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                raise WrongError(f"fork: there are two trees of {checkpoint.size} entries of {checkpoint.origin}")
            if known and known.checkpoint.size > checkpoint.size:
                log_key, note = known.log_key, known.note
            members = {
                "format": FORMAT,
                "log_key": log_key.vkey,
                "checkpoint": note,
                "seen": [[size, encode_base64(seen[size])] for size in sorted(seen)],
            }
            replace_file(self.path(checkpoint.origin), json.dumps(members, ensure_ascii=False, indent=1) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _parse(data: bytes, origin: str) -> Remembered:
    members = json.loads(data)
    log_key = parse_vkey(members["log_key"])
    checkpoint, _ = open_checkpoint(members["checkpoint"], log_key)
    seen = {int(size): decode_base64(root) for size, root in members["seen"]}
    if members["format"] != FORMAT or checkpoint.origin != origin or seen.get(checkpoint.size) != checkpoint.root:
        raise NoteError("not what was kept")
    return Remembered(log_key, members["checkpoint"], checkpoint, seen)
