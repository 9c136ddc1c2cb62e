"""Reading a zip archive that nobody vouches for: bounded in memory, one member at a time, nothing ever unpacked to disk.

Python's own reader keeps an object for each member; a log of a billion leaves has eight million. Here a member is a number: where
its record stands in the central directory. Only what bundles need is read: members stored or deflated, one disk, no encryption,
no archive comment, nothing before the first member. Layout: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from vault.audit.verify_errors import UncheckedError, WrongError

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_CHUNK = 1 << 20
_LONGEST_RECORD = _RECORD.size + 3 * 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
_MANY = 0xFFFF
_ZIP64 = 0x0001
_ENCRYPTED = 0x0041
_STORED, _DEFLATED = 0, 8


class _Record(NamedTuple):
    """A member as the central directory describes it."""

    name: bytes
    flags: int
    method: int
    packed: int
    size: int
    offset: int
    length: int  # of the record itself


class Archive:
    """A zip archive in a seekable file."""

    def __init__(self, file: BinaryIO) -> None:
        """Find the central directory.

        Raises:
            UncheckedError: the file is no zip archive, or is cut off.
        """
        self._file = file  # kept, so that it stays open
        self._fd = file.fileno()
        self._start, self._end = self._directory(os.fstat(self._fd).st_size)

    def members(self) -> Iterator[tuple[str, int]]:
        """Name and number of each member, in the order of the central directory; nothing is believed of either.

        Raises:
            UncheckedError: the directory is damaged.
            WrongError: a name is not ASCII.
        """
        at, base, chunk = self._start, self._start, b""
        while at < self._end:
            if at - base + _LONGEST_RECORD > len(chunk) and base + len(chunk) < self._end:
                base, chunk = at, self._read(at, min(_CHUNK, self._end - at))
            record = _record(chunk, at - base)
            if not record.name.isascii():
                raise WrongError(f"the bundle holds a file of an unknown name: {record.name[:80]!a}")
            yield record.name.decode("ascii"), at
            at += record.length
        if at != self._end:
            raise _damaged("its directory does not end where it should")

    def read(self, number: int, limit: int) -> bytes:
        """A member's content.

        Args:
            number: as ``members`` gave it.
            limit: bytes; a larger member is refused before it is read.

        Raises:
            UncheckedError: the archive is damaged there.
            WrongError: the member is larger than the limit.
        """
        record = self._record(number)
        name = record.name.decode("ascii")
        if max(record.size, record.packed) > limit:
            raise WrongError(f"{name} has {max(record.size, record.packed)} bytes, more than the {limit} it may have")
        if record.flags & _ENCRYPTED or record.method not in (_STORED, _DEFLATED):
            raise _damaged(f"{name} is packed in a way that is not read here")
        packed = self._data(record)
        content = packed if record.method == _STORED else _inflate(name, packed, record.size)
        if len(content) != record.size:
            raise _damaged(f"{name} has {len(content)} bytes instead of {record.size}")
        return content

    def _record(self, number: int) -> _Record:
        fixed = self._read(number, _RECORD.size)
        variable = sum(_RECORD.unpack(fixed)[10:13])
        return _record(fixed + self._read(number + _RECORD.size, variable), 0)

    def _data(self, record: _Record) -> bytes:
        """A member's data as it is packed, once its own header agrees with the directory on its name."""
        named = _LOCAL.size + len(record.name)
        header = self._read(record.offset, named)
        magic, *_, name_length, extra_length = _LOCAL.unpack_from(header)
        if magic != b"PK\x03\x04" or name_length != len(record.name) or header[_LOCAL.size :] != record.name:
            raise _damaged(f"{record.name.decode('ascii')} is not where the directory says")
        return self._read(record.offset + named + extra_length, record.packed)

    def _directory(self, length: int) -> tuple[int, int]:
        """Where the central directory begins and ends."""
        if length < _END.size:
            raise _damaged("it is too short")
        at = length - _END.size
        magic, disk, first_disk, _, count, size, start, comment = _END.unpack(self._read(at, _END.size))
        if magic != b"PK\x05\x06" or comment or disk or first_disk:
            raise _damaged("it does not end as one")
        if (_IN_EXTRA in (size, start) or count == _MANY) and self._is_locator(at - _LOCATOR.size):
            at, size, start = self._directory64(at - _LOCATOR.size)
        if start + size != at:
            raise _damaged("its directory is not where it should be")
        return start, at

    def _is_locator(self, at: int) -> bool:
        return at >= 0 and self._read(at, 4) == b"PK\x06\x07"

    def _directory64(self, locator: int) -> tuple[int, int, int]:
        _, _, at, _ = _LOCATOR.unpack(self._read(locator, _LOCATOR.size))
        if at + _END64.size != locator:
            raise _damaged("it does not end as one")
        end = _END64.unpack(self._read(at, _END64.size))
        if end[0] != b"PK\x06\x06":
            raise _damaged("it does not end as one")
        return at, end[-2], end[-1]

    def _read(self, at: int, count: int) -> bytes:
        try:
            data = os.pread(self._fd, count, at)
        except (OSError, OverflowError):
            data = b""
        if len(data) != count:
            raise _damaged("it is cut off")
        return data


def _record(chunk: bytes, at: int) -> _Record:
    """The central directory's record at ``at``."""
    if len(chunk) - at < _RECORD.size:
        raise _damaged("its directory is cut off")
    magic, _, _, flags, method, _, _, _, packed, size, name_length, extra_length, comment, _, _, _, offset = _RECORD.unpack_from(
        chunk, at
    )
    start = at + _RECORD.size
    end = start + name_length + extra_length
    if magic != b"PK\x01\x02" or end + comment > len(chunk):
        raise _damaged("its directory is damaged")
    name, extra = chunk[start : start + name_length], chunk[start + name_length : end]
    if _IN_EXTRA in (size, packed, offset):
        size, packed, offset = _zip64(extra, size, packed, offset)
    return _Record(name, flags, method, packed, size, offset, end + comment - at)


def _zip64(extra: bytes, *values: int) -> Iterator[int]:
    """The values, those that did not fit into 32 bits from the extra field (APPNOTE 4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64 and at + 4 + length <= len(extra):
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            break
        at += 4 + length
    else:
        wide = iter(())
    for value in values:
        found = next(wide, None) if value == _IN_EXTRA else value
        if found is None:
            raise _damaged("its directory lacks a size")
        yield found


def _inflate(name: str, packed: bytes, size: int) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = stream.decompress(packed, size + 1)
    except zlib.error:
        raise _damaged(f"{name} can't be unpacked") from None
    if not stream.eof or stream.unused_data:
        raise _damaged(f"{name} can't be unpacked")
    return content


def _damaged(how: str) -> UncheckedError:
    return UncheckedError(f"the bundle is no zip archive that can be read: {how}")
