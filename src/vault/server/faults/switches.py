"""Which faults are on: a file with one name a line, read before each use of KMS or database. So they change without a restart."""

import threading
from collections.abc import Callable, Set
from pathlib import Path
from typing import Final

from vault.server.faults.catalogue import MEANINGS, Fault, UnknownFaultError, parse

_HEAD: Final = "# Which faults this vault has, one a line. Take the # away to switch one on; this file is looked at all the time.\n"
_MAX_BYTES: Final = 64 * 1024


class Switches:
    """The faults that are on. Safe to share between threads."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Begin without faults, whatever the file holds.

        Args:
            path: of the file.
            tell: told, in a sentence, each time the faults change, or can't be read.
        """
        self._path = path
        self._tell = tell
        self._lock = threading.Lock()
        self._on: frozenset[Fault] = frozenset()
        self._said = ""
        self.write(())

    def write(self, names: Set[Fault] | tuple[()]) -> None:
        """Write the file anew: with these faults on, and all others to choose from."""
        lines = [f"{'  ' if fault in names else '# '}{fault:<18}# {meaning}\n" for fault, meaning in MEANINGS.items()]
        self._path.write_text(_HEAD + "".join(lines))

    def on(self) -> frozenset[Fault]:
        """The faults that are on at this moment (``catalogue.Faults``). What is wrong with the file changes none, and is told."""
        with self._lock:
            try:
                on = _read(self._path)
            except ValueError as error:
                self._say(f"{self._path}: {error}; faults stay as they were ({_listed(self._on)})")
            else:
                if on != self._on or self._said:
                    self._say(f"Faults on purpose from now on: {_listed(on)}")
                self._on, self._said = on, ""
            return self._on

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._tell(sentence)


def _read(path: Path) -> frozenset[Fault]:
    """The faults that a file names; none if there is no file.

    Raises:
        ValueError: it can't be read, or names something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES).decode()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ValueError(f"{error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("is no text") from None
    try:
        return parse(word for line in text.splitlines() if (word := line.partition("#")[0].strip()))
    except UnknownFaultError as error:
        raise ValueError(str(error)) from None


def _listed(on: Set[Fault]) -> str:
    return ", ".join(sorted(on)) or "none"
