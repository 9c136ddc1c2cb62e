"""Archives are read whoever wrote them, and refused, within bounds, where they are not what they say."""

import io
import random
import struct
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit_verify.logs import Files, grown, zipped

from vault.audit.bundle import Bundle
from vault.audit.bundle_zip import Archive
from vault.audit.tiles import entries_path
from vault.audit.verify_errors import UncheckedError, WrongError

LIMIT = 1 << 20
FILES = {"a": b"", "b/c": b"x" * 70_000, "manifest.json": b"{}"}


def contents(data: bytes, limit: int = LIMIT) -> dict[str, bytes]:
    """What the reader finds in an archive."""
    with TemporaryFile() as file:
        file.write(data)
        file.flush()
        archive = Archive(file)
        return {name: archive.read(number, limit) for name, number in archive.members()}


def opened(files: Mapping[str, bytes]) -> Bundle:
    """A bundle; its file stays open as long as it."""
    file = TemporaryFile()  # noqa: SIM115
    file.write(zipped(files))
    file.flush()
    return Bundle(file)


class _Pipe(io.RawIOBase):
    """A file that can only be written to, as a pipe is."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.data += piece
        return len(piece)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_was_zipped_is_read(method: int) -> None:
    assert contents(zipped(FILES, method)) == FILES


def test_archives_written_to_a_pipe_or_with_64_bit_fields_are_read() -> None:
    for force in (False, True):
        pipe = _Pipe()
        with zipfile.ZipFile(pipe, "w") as archive:
            for name, content in FILES.items():
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force) as member:
                    member.write(content)
        assert contents(bytes(pipe.data)) == FILES


@pytest.mark.parametrize("count", [0xFFFF, 0x10000])
def test_more_members_than_16_bits_can_count_are_read(count: int) -> None:
    files = {str(number): b"" for number in range(count)}
    assert contents(zipped(files)) == files


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(method: int) -> None:
    with pytest.raises(UncheckedError, match="packed in a way that is not read here"):
        contents(zipped(FILES, method))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_larger_than_it_may_be_is_refused_unread(method: int) -> None:
    with pytest.raises(WrongError, match="b/c has 70000 bytes, more than the 69999 it may have"):
        contents(zipped(FILES, method), 69_999)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked() -> None:
    data = bytearray(zipped({"b": bytes(50_000_000)}, zipfile.ZIP_DEFLATED))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 1000)
    with pytest.raises(UncheckedError, match="can't be unpacked"):
        contents(bytes(data))


def test_a_bundle_full_of_bombs_is_refused_by_the_size_of_each_file() -> None:
    files: Files = {**grown(300).bundle(), entries_path(0): bytes(17_000_000)}
    with pytest.raises(WrongError, match="tile/entries/000 has 17000000 bytes"):
        opened(files).entries(0)


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 5000, b"PK\x05\x06" + bytes(18), zipped(FILES) + b"x", b"x" + zipped(FILES)])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    if data == b"PK\x05\x06" + bytes(18):
        assert contents(data) == {}
    else:
        with pytest.raises(UncheckedError, match="no zip archive that can be read"):
            contents(data)


@pytest.mark.parametrize("at", range(0, 300, 7))
def test_an_archive_cut_anywhere_is_refused(at: int) -> None:
    data = zipped({"a": b"1" * 40, "b": b"2" * 40})
    if at < len(data):
        with pytest.raises(UncheckedError):
            contents(data[:at])


def test_a_name_there_twice_is_refused() -> None:
    files = grown(1000).bundle()
    for name in ("tile/0/001", "tile/entries/003.p/232", "tile/1/000.p/3", "checkpoint"):
        buffer = io.BytesIO(zipped(files))
        with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, files[name])
        with TemporaryFile() as file:
            file.write(buffer.getvalue())
            file.flush()
            with pytest.raises(WrongError, match=r"the bundle holds .* twice"):
                Bundle(file)


def test_a_member_that_is_called_otherwise_where_it_stands_is_refused() -> None:
    data = zipped({"abc": b"1"}).replace(b"abc", b"abd", 1)
    with pytest.raises(UncheckedError, match="abc is not where the directory says"):
        contents(data)


def test_names_that_are_not_ascii_are_refused() -> None:
    with pytest.raises(WrongError, match="unknown name"):
        contents(zipped({"tile/0/٠٠٠": b""}))


def test_the_order_of_the_files_means_nothing(tmp_path: Path) -> None:
    files = list(grown(1000).bundle().items())
    random.Random(1).shuffle(files)  # noqa: S311  no secret
    bundle = opened(dict(files))
    assert list(bundle.bundle_indexes()) == [0, 1, 2, 3]
    assert [len(bundle.entries(index)) for index in bundle.bundle_indexes()] == [256, 256, 256, 232]
    assert bundle.tile(0, 2) == dict(files)["tile/0/002"]


@settings(max_examples=300)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_a_changed_bit_anywhere_is_refused_or_read_and_never_anything_else(at: int, bit: int, method: int) -> None:
    data = bytearray(zipped({name: content[:300] for name, content in FILES.items()}, method))
    data[at % len(data)] ^= 1 << bit
    with suppress(UncheckedError, WrongError):
        contents(bytes(data))
