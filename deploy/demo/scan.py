"""Looks for many known texts in files, byte by byte, in any form in which they could lie there.

Every text is cut into patterns of 6 to 48 bytes: as it is, in hexadecimal, in base64 at each of the three alignments, and escaped
as JSON and Python do. A pattern that begins at byte p shows at whichever of p and p+1 is even, so it is enough to take the four
bytes at every even place of a file and look whether any pattern has them first or second; what does is then compared whole.
"""

import contextlib
import json
import secrets
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_BYTES = 6
"""Shorter texts are not looked for: random bytes would hold them by chance."""
MAX_BYTES = 48
"""The longest pattern. Longer texts are looked for in pieces, since storage may cut them at the end of a page."""

_PIECE = 32
_CHUNK = 1 << 20
_ANCHOR = 4


@dataclass(frozen=True)
class Hit:
    """A text that was found: where, and which one. Not the text."""

    path: Path
    offset: int
    label: str


class Scanner:
    """Finds the texts that were added."""

    def __init__(self) -> None:
        self._labels: dict[bytes, str] = {}
        self._heads: dict[bytes, list[bytes]] = {}
        self._anchors: set[int] = set()

    def __len__(self) -> int:
        """The number of patterns."""
        return len(self._labels)

    def add(self, text: bytes, label: str) -> None:
        """Look for a text, in all its forms, from now on.

        Raises:
            ValueError: it is shorter than MIN_BYTES.
        """
        if len(text) < MIN_BYTES:
            raise ValueError(f"only texts of {MIN_BYTES} bytes or more can be told from chance")
        for form in forms(text):
            for pattern in _pieces(form):
                self._add(pattern, label)

    def scan(self, path: Path) -> Iterator[Hit]:
        """What is found in a file."""
        with path.open("rb") as file:
            offset, data = 0, file.read(_CHUNK)
            while len(data) == _CHUNK:
                # What begins near the end may reach into the next chunk: it is left for that one.
                size = _CHUNK - MAX_BYTES
                yield from (Hit(path, offset + place, label) for place, label in self.find(data) if place < size)
                offset, data = offset + size, data[size:] + file.read(size)
            yield from (Hit(path, offset + place, label) for place, label in self.find(data))

    def find(self, data: bytes) -> list[tuple[int, str]]:
        """Place and label of everything in ``data``."""
        found = {}
        for place in self._candidates(data):
            for begin in (place, place - 1):
                for pattern in self._heads.get(data[begin : begin + MIN_BYTES], ()) if begin >= 0 else ():
                    if data.startswith(pattern, begin):
                        found[begin] = self._labels[pattern]
        return sorted(found.items())

    def misses(self, texts: Iterable[bytes]) -> int:
        """How many forms of texts that were added it does not find among random bytes, where it should find all."""
        missed = 0
        for number, form in enumerate(form for text in texts for form in forms(text)):
            before = 1 + number % 7
            data = secrets.token_bytes(before) + form + secrets.token_bytes(16)
            missed += before not in [place for place, _ in self.find(data)]
        return missed

    def _add(self, pattern: bytes, label: str) -> None:
        if pattern in self._labels:
            return
        self._labels[pattern] = label
        self._heads.setdefault(pattern[:MIN_BYTES], []).append(pattern)
        for begin in (0, 1):
            self._anchors.add(int.from_bytes(pattern[begin : begin + _ANCHOR], sys.byteorder))

    def _candidates(self, data: bytes) -> Iterator[int]:
        """The even places where some pattern may begin, or have begun one byte before."""
        anchors = self._anchors
        for begin in (0, 2):
            size = max(0, len(data) - begin) // _ANCHOR * _ANCHOR
            windows = memoryview(data)[begin : begin + size].cast("I")
            yield from (begin + _ANCHOR * number for number, window in enumerate(windows) if window in anchors)


def forms(text: bytes) -> set[bytes]:
    """The text as it is, and as it would look in hexadecimal, base64, JSON and a Python representation."""
    digits = text.hex().encode()
    found = {text, digits, digits.upper(), repr(text)[2:-1].encode()}
    for shift in range(3):
        encoded = _base64(text, shift)
        found |= {encoded, encoded.translate(_URL_SAFE)}
    with contextlib.suppress(UnicodeDecodeError):  # bytes have no form in JSON but those above
        found.add(json.dumps(text.decode())[1:-1].encode())
    return found


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64(text: bytes, shift: int) -> bytes:
    """The text in base64 behind ``shift`` other bytes, without the characters that it shares with what is around it."""
    encoded = b64encode(bytes(shift) + text).rstrip(b"=")
    shared = 0 if (shift + len(text)) % 3 == 0 else 1
    return encoded[(0, 2, 3)[shift] : len(encoded) - shared]


def _pieces(form: bytes) -> Iterator[bytes]:
    if len(form) <= MAX_BYTES:
        yield form
        return
    for begin in range(0, len(form) - _PIECE, _PIECE):
        yield form[begin : begin + _PIECE]
    yield form[-_PIECE:]
