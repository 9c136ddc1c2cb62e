"""Names and contents of the files a log is served as (C2SP tlog-tiles): hash tiles and entry bundles."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""

MAX_ENTRY = 65_535
"""Bytes: a bundle gives each entry a 16-bit length."""

_MAX_LEVEL = 63
_MAX_INDEX = 2**64 - 1
_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True)
class Tile:
    """What a path names; ``level`` is None for an entry bundle, ``width`` 256 for a full one."""

    level: int | None
    index: int
    width: int

    def is_within(self, size: int) -> bool:
        """Whether a tree of ``size`` leaves has all of it."""
        return self.index * TILE_WIDTH + self.width <= size >> 8 * (self.level or 0)

    @property
    def path(self) -> str:
        """The file's name in its one spelling; raises ValueError if a number is out of range."""
        return entries_path(self.index, self.width) if self.level is None else tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """For example ``tile/0/x001/x234/067.p/8``.

    Args:
        level: 0 to 63.
        index: of the tile in its level, from 0.
        width: hashes in it, 1 to 256.

    Raises:
        ValueError: one of them is out of range.
    """
    if not 0 <= level <= _MAX_LEVEL:
        raise ValueError(f"no tile level {level}: it must be from 0 to {_MAX_LEVEL}")
    return f"tile/{level}/{_number(index, width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """For example ``tile/entries/x001/x234/067.p/8``.

    Raises:
        ValueError: index or width is out of range.
    """
    return f"tile/entries/{_number(index, width)}"


def parse_path(path: str) -> Tile:
    """What ``tile_path`` or ``entries_path`` was given. Only the one spelling they write is accepted.

    Raises:
        ValueError: the path is none of a tile.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("not the path of a tile: expected tile/<level>/<index>[.p/<width>] or tile/entries/<index>[.p/<width>]")
    level = None if match[1] == "entries" else int(match[1])
    tile = Tile(level, int(match[2].replace("/", "").replace("x", "")), int(match[3] or TILE_WIDTH))
    if tile.width == TILE_WIDTH and match[3]:
        raise ValueError("a full tile's path has no width")
    if tile.path != path:
        raise ValueError("a tile's index has no leading groups of zeros")
    return tile


def width_of(level: int, index: int, size: int) -> int:
    """How many hashes a tile of a tree of ``size`` leaves has, or entries its bundle; 0 or less if the tree has no such tile."""
    return min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)


def bundles(start: int, end: int) -> range:
    """The indexes of the bundles that entries [start, end) are in."""
    return range(start // TILE_WIDTH, -(-end // TILE_WIDTH) if end > start else 0)


def tiles(size: int, lowest: int = 0) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of the tiles of a tree of ``size`` leaves from level ``lowest`` up; there are no empty ones."""
    level, size = lowest, size >> 8 * lowest
    while size > 0:
        full, partial = divmod(size, TILE_WIDTH)
        for index in range(full):
            yield level, index, TILE_WIDTH
        if partial:
            yield level, full, partial
        level, size = level + 1, full


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length as u16 big-endian.

    Raises:
        ValueError: not 1 to 256 entries, or one is longer than 65,535 bytes.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise ValueError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"an entry of {len(entry)} bytes exceeds {MAX_ENTRY}")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        ValueError: it ends within an entry, or has not 1 to 256 of them.
    """
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at + 1 < end and len(entries) <= TILE_WIDTH:
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1])
        entries.append(data[start:at])
    if len(entries) > TILE_WIDTH:
        raise ValueError(f"the bundle holds more than {TILE_WIDTH} entries")
    if at != end:
        raise ValueError(f"the bundle ends within entry {len(entries) - (at > end)}")
    if not entries:
        raise ValueError("the bundle is empty")
    return entries


def _number(index: int, width: int) -> str:
    if not 0 <= index <= _MAX_INDEX:
        raise ValueError(f"no tile {index}: the index must be from 0 to 2**64 - 1")
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"no tile of width {width}: it must be from 1 to {TILE_WIDTH}")
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    return name if width == TILE_WIDTH else f"{name}.p/{width}"
