"""A bundle: what an auditor takes home of a log, in the layout of C2SP tlog-tiles inside a zip archive (docs/formats-log.md).

Read without believing it: names that a bundle of this size can't have, names there twice and files too large are refused, missing
ones are named. Memory is 16 bytes a file, so 16 for each 128 entries, and one file at a time.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from vault.audit.bundle_manifest import parse_manifest
from vault.audit.bundle_zip import Archive
from vault.audit.note import NoteError
from vault.audit.proof_file import parse_hash_lines
from vault.audit.tiles import MAX_ENTRY, TILE_WIDTH, bundles, decode_bundle, entries_path, parse_path, tile_path, tiles, width_of
from vault.audit.verify_errors import UncheckedError, WrongError

MANIFEST, CHECKPOINT, CONSISTENCY = "manifest.json", "checkpoint", "consistency"

_HASH = 32
_LIMITS = {MANIFEST: 1 << 14, CHECKPOINT: 1 << 20, CONSISTENCY: 1 << 12}
_ENTRIES_LIMIT = TILE_WIDTH * (MAX_ENTRY + 2)


class Bundle:
    """One bundle, opened and found to be complete. Contents are unverified, but have the right lengths."""

    def __init__(self, file: BinaryIO) -> None:
        """Open a bundle.

        Args:
            file: a regular file, open for reading; stays the caller's.

        Raises:
            UncheckedError: it can't be read, or a part is missing.
            WrongError: it holds what a bundle can't hold, or something twice.
        """
        self._archive = Archive(file)
        self._files: dict[str, int] = {}
        self._tiles: dict[int | None, _Shelf] = {}
        self.manifest = parse_manifest(self._archive.read(self._find(MANIFEST), _LIMITS[MANIFEST]))
        self._sort()
        self._check_complete()

    def checkpoint(self) -> str:
        """The signed note.

        Raises:
            WrongError: it is not UTF-8.
        """
        try:
            return self._archive.read(self._files[CHECKPOINT], _LIMITS[CHECKPOINT]).decode()
        except UnicodeDecodeError:
            raise WrongError("checkpoint is not UTF-8") from None

    def consistency(self) -> tuple[bytes, ...]:
        """The hashes that lead from ``manifest.known_size`` to ``manifest.size``; 32 bytes each.

        Raises:
            WrongError: the file does not hold hashes, one base64 line each.
        """
        data = self._archive.read(self._files[CONSISTENCY], _LIMITS[CONSISTENCY])
        try:
            text = data.decode("ascii")
            if text and not text.endswith("\n"):
                raise WrongError("consistency does not end with a newline")
            return parse_hash_lines(text.split("\n")[:-1])
        except (UnicodeDecodeError, NoteError):
            raise WrongError("consistency does not hold hashes, one base64 line each") from None

    def has_tile(self, level: int, index: int) -> bool:
        """Whether a tile is there; all of level 1 and above are."""
        return level in self._tiles and self._tiles[level].find(index) is not None

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, 32 bytes each, as many as the tree's size says.

        Raises:
            UncheckedError: it is missing.
            WrongError: it has another length.
        """
        width = width_of(level, index, self.manifest.size)
        path = tile_path(level, index, width)
        data = self._read(level, index, path, TILE_WIDTH * _HASH)
        if len(data) != width * _HASH:
            raise WrongError(f"{path} has {len(data)} bytes instead of {width * _HASH}")
        return data

    def lone_tiles(self) -> Iterator[int]:
        """Which tiles of level 0 are there without their entries, ascending."""
        entries = self._tiles.get(None)
        for index in self._tiles[0].indexes if 0 in self._tiles else ():
            if entries is None or entries.find(index) is None:
                yield index

    def bundle_indexes(self) -> Sequence[int]:
        """Which entry bundles are there, ascending."""
        return self._tiles[None].indexes if None in self._tiles else ()

    def entries(self, index: int) -> list[bytes]:
        """The entries of an entry bundle, as many as the tree's size says.

        Raises:
            WrongError: the file is not made of so many entries.
        """
        width = width_of(0, index, self.manifest.size)
        path = entries_path(index, width)
        try:
            entries = decode_bundle(self._read(None, index, path, _ENTRIES_LIMIT))
        except ValueError as error:
            raise WrongError(f"{path}, entries from {index * TILE_WIDTH}: {error}") from None
        if len(entries) != width:
            raise WrongError(f"{path} holds {len(entries)} entries instead of {width}, from {index * TILE_WIDTH}")
        return entries

    def _read(self, level: int | None, index: int, path: str, limit: int) -> bytes:
        number = self._tiles[level].find(index) if level in self._tiles else None
        if number is None:
            raise _missing(path)
        return self._archive.read(number, limit)

    def _find(self, name: str) -> int:
        found = next((number for member, number in self._archive.members() if member == name), None)
        if found is None:
            raise _missing(name)
        return found

    def _sort(self) -> None:
        """Note where every file is, having checked that a bundle of this size can have it."""
        for name, number in self._archive.members():
            if name in _LIMITS:
                if name in self._files:
                    raise _twice(name)
                self._files[name] = number
            else:
                level, index = self._place(name)
                self._tiles.setdefault(level, _Shelf()).add(index, number)
        for level, shelf in self._tiles.items():
            twice = shelf.sort()
            if twice is not None:
                raise _twice(entries_path(twice) if level is None else tile_path(level, twice))
        if CONSISTENCY in self._files and not self.manifest.known_size:
            raise WrongError(f"the bundle holds {CONSISTENCY}, though its manifest names no known_size")

    def _place(self, name: str) -> tuple[int | None, int]:
        try:
            tile = parse_path(name)
        except ValueError:
            raise WrongError(f"the bundle holds a file of an unknown name: {name[:80]!a}") from None
        if tile.width != width_of(tile.level or 0, tile.index, self.manifest.size):
            raise WrongError(f"the bundle holds {name}, which a log of {self.manifest.size} entries does not have")
        return tile.level, tile.index

    def _check_complete(self) -> None:
        for name in (CHECKPOINT, CONSISTENCY) if self.manifest.known_size else (CHECKPOINT,):
            if name not in self._files:
                raise _missing(name)
        for level, index, width in self._needed_tiles():
            if not self.has_tile(level, index):
                raise _missing(tile_path(level, index, width))
        start, end, size = self.manifest.start_index, self.manifest.end_index, self.manifest.size
        there = self.bundle_indexes()
        for index in bundles(start, end):
            at = bisect_left(there, index)
            if at == len(there) or there[at] != index:
                raise _missing(entries_path(index, width_of(0, index, size)))

    def _needed_tiles(self) -> Iterator[tuple[int, int, int]]:
        """(level, index, width) of all tiles of level 1 and above, the partial one of level 0, and those of the entries there."""
        size = self.manifest.size
        for index in self.bundle_indexes():
            yield 0, index, width_of(0, index, size)
        if size % TILE_WIDTH:
            yield 0, size // TILE_WIDTH, size % TILE_WIDTH
        yield from tiles(size, 1)


class _Shelf:
    """Where the files of one kind are: index of the tile → number of the zip's member. 16 bytes each."""

    def __init__(self) -> None:
        self.indexes = array("Q")
        self._numbers = array("Q")

    def add(self, index: int, number: int) -> None:
        self.indexes.append(index)
        self._numbers.append(number)

    def sort(self) -> int | None:
        """Sort by index, if it isn't; the first index that is there twice, if any."""
        pairs = zip(self.indexes, self.indexes[1:], strict=False)
        if any(first >= second for first, second in pairs):
            order = sorted(range(len(self.indexes)), key=self.indexes.__getitem__)
            self.indexes = array("Q", (self.indexes[at] for at in order))
            self._numbers = array("Q", (self._numbers[at] for at in order))
        return next((first for first, second in zip(self.indexes, self.indexes[1:], strict=False) if first == second), None)

    def find(self, index: int) -> int | None:
        at = bisect_left(self.indexes, index)
        return self._numbers[at] if at < len(self.indexes) and self.indexes[at] == index else None


def _missing(path: str) -> UncheckedError:
    return UncheckedError(f"the bundle is incomplete: {path} is missing")


def _twice(path: str) -> WrongError:
    return WrongError(f"the bundle holds {path} twice")
