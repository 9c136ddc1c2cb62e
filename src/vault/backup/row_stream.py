"""Rows as PostgreSQL's COPY has them in binary ("Binary Format" in its documentation): the same bytes on either database.

Pure. PostgreSQL makes and takes the stream by itself; this is for SQLite, and for looking into a stream of which nobody knows who
wrote it.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

BYTES, TEXT, LONG, SHORT, TRUTH = "bytea", "text", "bigint", "smallint", "boolean"
"""The kinds of columns, as PostgreSQL calls them."""

MAX_FIELD = 64 * 1024 * 1024
"""Bytes: a longer field is none of ours."""

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, no flags, no extension."""
TRAILER = b"\xff\xff"

_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_LONG = struct.Struct(">q")
_SHORT = struct.Struct(">h")
_NULL = _LENGTH.pack(-1)


class StreamError(Exception):
    """The bytes are no rows of these columns. The text says where, never what."""


def kind_of(column_type: "sa.types.TypeEngine[Any]") -> str:
    """The kind of a column.

    Raises:
        ValueError: it is of none that the vault's tables have.
    """
    for kind, types in _KINDS:
        if isinstance(column_type, types):
            return kind
    raise ValueError(f"no column of the vault's tables is of type {column_type}")


def encode(kinds: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """The rows, without header and trailer."""
    writers = [_WRITERS[kind] for kind in kinds]
    count, parts = _COUNT.pack(len(kinds)), list[bytes]()
    for row in rows:
        parts.append(count)
        for write, cell in zip(writers, row, strict=True):
            if cell is None:
                parts.append(_NULL)
            else:
                field = write(cell)
                parts += (_LENGTH.pack(len(field)), field)
    return b"".join(parts)


def decode(kinds: Sequence[str], chunks: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    """The rows of a whole stream, header and trailer included.

    Args:
        kinds: of the columns.
        chunks: the stream, cut anywhere.

    Raises:
        StreamError: it is cut short, goes on after its end, or holds anything but rows of these columns.
    """
    source, readers, number = _Source(chunks), [_READERS[kind] for kind in kinds], 0
    if source.take(len(HEADER)) != HEADER:
        raise StreamError("it does not begin as a stream of rows")
    while (count := _COUNT.unpack(source.take(_COUNT.size))[0]) != -1:
        if count != len(readers):
            raise StreamError(f"row {number} has {count} fields instead of {len(readers)}")
        yield tuple(_field(source, read, number) for read in readers)
        number += 1
    if not source.is_over():
        raise StreamError("it goes on after its end")


def _field(source: "_Source", read: Callable[[bytes], Any], number: int) -> Any:
    (length,) = _LENGTH.unpack(source.take(_LENGTH.size))
    if length == -1:
        return None
    if not 0 <= length <= MAX_FIELD:
        raise StreamError(f"row {number} has a field of an impossible length")
    try:
        return read(source.take(length))
    except (ValueError, KeyError, struct.error):
        raise StreamError(f"row {number} has a field that is not of its column's kind") from None


class _Source:
    """Bytes that come in chunks, taken in pieces."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held, self._at = b"", 0

    def take(self, size: int) -> bytes:
        """The next bytes, exactly so many."""
        while len(self._held) - self._at < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise StreamError("it is cut short")
            self._held, self._at = self._held[self._at :] + chunk, 0
        start, self._at = self._at, self._at + size
        return self._held[start : self._at]

    def is_over(self) -> bool:
        """Whether nothing follows."""
        return self._at == len(self._held) and not any(self._chunks)


def _text(field: bytes) -> str:
    if b"\0" in field:  # which PostgreSQL has no text for
        raise ValueError
    return field.decode()


_KINDS: tuple[tuple[str, Any], ...] = (  # Boolean and SmallInteger first: they are Integers too
    (TRUTH, sa.Boolean),
    (SHORT, sa.SmallInteger),
    (LONG, sa.Integer),
    (BYTES, sa.LargeBinary),
    (TEXT, sa.String),
)
_WRITERS: dict[str, Callable[[Any], bytes]] = {
    BYTES: bytes,
    TEXT: str.encode,
    LONG: _LONG.pack,
    SHORT: _SHORT.pack,
    TRUTH: lambda cell: b"\1" if cell else b"\0",
}
_READERS: dict[str, Callable[[bytes], Any]] = {
    BYTES: bytes,
    TEXT: _text,
    LONG: lambda field: _LONG.unpack(field)[0],
    SHORT: lambda field: _SHORT.unpack(field)[0],
    TRUTH: {b"\1": True, b"\0": False}.__getitem__,
}
