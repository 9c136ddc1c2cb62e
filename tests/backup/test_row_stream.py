"""Rows as PostgreSQL's binary COPY: the same bytes from either database, and nothing read that is not exactly that."""

import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.backup.row_stream import BYTES, HEADER, LONG, SHORT, TEXT, TRAILER, TRUTH, StreamError, decode, encode, kind_of
from vault.store import tables as t

KINDS = [BYTES, TEXT, LONG, SHORT, TRUTH]
ROWS = [(b"\x00\xff", "Li Na 李娜", 2**63 - 1, -(2**15), True), (b"", "", -(2**63), 0, False), (None,) * 5]


def stream(rows: list[tuple[Any, ...]]) -> bytes:
    return HEADER + encode(KINDS, rows) + TRAILER


CELLS = st.tuples(
    st.none() | st.binary(max_size=40),
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**15), 2**15 - 1),
    st.none() | st.booleans(),
)


@given(st.lists(CELLS, max_size=20), st.integers(0, 2**32))
def test_what_was_written_is_read_however_it_is_cut(rows: list[tuple[Any, ...]], seed: int) -> None:
    whole, cuts = stream(rows), random.Random(seed)  # noqa: S311  any cuts
    at = sorted(cuts.choices(range(len(whole) + 1), k=5))
    chunks = [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True)]
    assert list(decode(KINDS, chunks)) == rows


def test_postgresql_writes_the_same_bytes_and_reads_them(new_postgres_url: Callable[[], str]) -> None:
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(KINDS))
    with psycopg.connect(new_postgres_url().replace("+psycopg", "")) as connection:
        connection.execute(f"CREATE TABLE one ({columns})")
        cursor = connection.cursor()
        with cursor.copy("COPY one FROM STDIN (FORMAT binary)") as copy:
            copy.write(stream(ROWS))
        assert cursor.execute("SELECT * FROM one").fetchall() == ROWS
        with cursor.copy("COPY one TO STDOUT (FORMAT binary)") as copy:
            assert b"".join(map(bytes, copy)) == stream(ROWS)


def test_every_column_of_the_vaults_tables_has_a_kind() -> None:
    kinds = {kind_of(column.type) for table in t.metadata.sorted_tables for column in table.columns}
    assert kinds == set(KINDS)


def test_a_stream_that_is_cut_anywhere_is_refused() -> None:
    whole = stream(ROWS)
    for size in range(len(whole)):
        with pytest.raises(StreamError):
            list(decode(KINDS, [whole[:size]]))


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (stream(ROWS) + b"\0", "after its end"),
        (b"X" + stream(ROWS)[1:], "does not begin"),
        (HEADER + encode(KINDS[:4], [ROWS[0][:4]]) + TRAILER, "4 fields instead of 5"),
        (HEADER + encode([BYTES] * 5, [(b"", b"\xff", b"8" * 8, b"22", b"\1")]) + TRAILER, "not of its column's kind"),
        (HEADER + encode([BYTES] * 5, [(b"", b"a\0b", b"8" * 8, b"22", b"\1")]) + TRAILER, "not of its column's kind"),
        (HEADER + encode([BYTES] * 5, [(b"", b"", b"7" * 7, b"22", b"\1")]) + TRAILER, "not of its column's kind"),
        (HEADER + encode([BYTES] * 5, [(b"", b"", b"8" * 8, b"333", b"\1")]) + TRAILER, "not of its column's kind"),
        (HEADER + encode([BYTES] * 5, [(b"", b"", b"8" * 8, b"22", b"\2")]) + TRAILER, "not of its column's kind"),
        (HEADER + b"\0\5" + b"\x7f\xff\xff\xff", "impossible length"),
        (HEADER + b"\0\5" + b"\xff\xff\xff\xfe", "impossible length"),
    ],
)
def test_what_is_no_stream_of_these_columns_is_refused(damaged: bytes, why: str) -> None:
    with pytest.raises(StreamError, match=why):
        list(decode(KINDS, [damaged]))
