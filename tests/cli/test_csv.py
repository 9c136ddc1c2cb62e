"""A table with tokens in place of values: complete or not at all, and taken up again without storing anything twice."""

import csv
import stat
import uuid
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Result, Served

from vault.cli.csv_tokens import MAX_BATCH_BYTES, MAX_BATCH_ITEMS, Column, Plan, batches, where

FACE = b64encode(bytes(2048)).decode()


class Table:
    """A CSV file in a folder, and the command that tokenises it."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.source, self.out = folder / "in.csv", folder / "out.csv"

    def write(self, *rows: tuple[str, ...]) -> None:
        """The file's rows, the header first."""
        with self.source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    def run(self, *more: str, columns: tuple[str, ...] = ("phone=phone", "mail=email")) -> Result:
        """Tokenise it."""
        chosen = [part for column in columns for part in ("--column", column)]
        files = ("--csv", self.source, "--out", self.out, "--subject-column", "id")
        return self.served("app", "tokenize", *files, *chosen, *more)

    def result(self) -> list[dict[str, str]]:
        """The rows written."""
        with self.out.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def count(self, subject: str) -> int:
        """How many items the vault has of a subject."""
        return len(self.served("support", "search", "--subject", subject).rows)


@pytest.fixture
def table(served: Served, tmp_path: Path) -> Table:
    return Table(served, tmp_path)


@pytest.fixture
def subject() -> str:
    return f"S-{uuid.uuid4()}"


def test_tokens_take_the_places_of_values_and_all_else_stays(table: Table, subject: str) -> None:
    table.write(
        ("id", "phone", "note", "mail", "face"),
        (subject, "+447700900123", 'he said "hi", twice\nand left', "li@example.org", FACE),
        (f"{subject}-2", "", "王", "wang@example.org", ""),
    )
    done = table.run("--max-reveals", "5", columns=("phone=phone", "mail=email", "face=face_template:base64"))
    assert done.code == 0, done.err
    assert (done.rows[0]["rows"], done.rows[0]["tokens"]) == (2, 4)
    first, second = table.result()
    assert (first["id"], first["note"]) == (subject, 'he said "hi", twice\nand left')
    assert (second["id"], second["note"], second["phone"], second["face"]) == (f"{subject}-2", "王", "", "")
    assert (first["phone"][:4], first["mail"][:4], first["face"][:4], second["mail"][:4]) == ("pho_", "eml_", "fac_", "eml_")
    assert stat.S_IMODE(table.out.stat().st_mode) == 0o600
    revealed = table.served("payout", "reveal", first["phone"], second["mail"], "--form", "plain").rows
    assert [row["value"] for row in revealed] == ["+447700900123", "wang@example.org"]


def test_nothing_is_overwritten(table: Table, subject: str) -> None:
    table.write(("id", "phone", "mail"), (subject, "+447700900123", ""))
    table.out.write_text("mine")
    done = table.run()
    assert done.code == 1
    assert "not overwritten" in done.err
    assert table.out.read_text() == "mine"


def test_a_refused_value_is_named_by_row_and_column_and_the_repaired_table_goes_on(table: Table, subject: str) -> None:
    rows = [(f"{subject}-{number}", f"+44770090{number:04}", f"x{number}@example.org") for number in range(600)]
    broken = [*rows]
    broken[400] = (rows[400][0], "+1", rows[400][2])
    table.write(("id", "phone", "mail"), *broken)
    series = str(uuid.uuid4())
    done = table.run("--request-id", series)
    assert done.code == 2
    assert "row 401, column phone" in done.err
    assert "INVALID_VALUE" in done.err
    assert series in done.err
    assert "Rows 1 to 250 are stored" in done.err
    assert "+1 " not in done.err
    assert not table.out.exists()
    table.write(("id", "phone", "mail"), *rows)
    assert table.run("--request-id", series).code == 0
    assert len({row["phone"] for row in table.result()}) == 600
    assert table.count(f"{subject}-0") == table.count(f"{subject}-400") == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"id,phone,mail\nS1,+447700900123,\nS2,+447700900123\n", "row 2 has not as many fields"),
        (b"id,phone,mail\nS1,+447700900123,,x\n", "row 1 has not as many fields"),
        (b"id,phone\nS1,+447700900123\n", "no column mail"),
        (b"name,phone,mail\nS1,+447700900123,\n", "no column id"),
        (b"id,phone,mail,mail\nS1,+447700900123,,\n", "two columns of one name"),
        (b"id,phone,mail\n,+447700900123,\n", "row 1 has no subject"),
        (b"id,phone,mail\n", "no rows"),
        (b"", "no rows"),
        (b"id,phone,mail\nS1,+447700900123,\xff\n", "not UTF-8"),
        (b'id,phone,mail\nS1,"+447700900123,\n', "no CSV"),
    ],
)
def test_a_table_that_is_not_as_it_should_be_is_refused_before_anything_is_stored(
    content: bytes, problem: str, table: Table
) -> None:
    table.source.write_bytes(content)
    before = table.count("S1")
    done = table.run()
    assert done.code == 1
    assert problem in done.err
    assert "+447700900123" not in done.err
    assert table.count("S1") == before
    assert not table.out.exists()


def test_a_cell_that_is_no_base64_is_named_before_anything_is_stored(table: Table, subject: str) -> None:
    table.write(("id", "face"), (subject, FACE), (subject, "not base64!"))
    done = table.run(columns=("face=face_template:base64",))
    assert done.code == 1
    assert "row 2, column face" in done.err
    assert table.count(subject) == 0
    assert "not base64!" not in done.err


@pytest.mark.parametrize("missing", ["--out", "--subject-column", "--column"])
def test_a_table_needs_all_its_options(missing: str, table: Table) -> None:
    options = {"--csv": table.source, "--out": table.out, "--subject-column": "id", "--column": "phone=phone"}
    table.write(("id", "phone"), ("S1", "+447700900123"))
    given = [part for name, value in options.items() if name != missing for part in (name, value)]
    done = table.served("app", "tokenize", *given)
    assert done.code == 1
    assert missing in done.err


PLAN = Plan("id", [Column("a", "phone"), Column("b", "email")], {})
CELL = st.one_of(st.just(""), st.text(max_size=5), st.just("x" * (1 << 20)))


@given(st.lists(st.fixed_dictionaries({"id": st.text(), "a": CELL, "b": CELL}), max_size=20), st.integers(1, 60))
def test_batches_hold_every_row_once_in_order_within_the_limits_of_a_call(rows: list[dict[str, str]], times: int) -> None:
    many = rows * times
    found = list(batches(many, PLAN))
    assert [row for batch in found for row in batch.rows] == many
    for batch in found:
        assert many[batch.first - 1] is batch.rows[0]
        sent = [batch.rows[position][column.name] for position, column in batch.cells]
        assert sent == [row[name] for row in batch.rows for name in ("a", "b") if row[name]]
        assert len(sent) <= MAX_BATCH_ITEMS
        assert len(batch.rows) == 1 or sum(len(cell.encode()) for cell in sent) <= MAX_BATCH_BYTES
        for item, (position, column) in enumerate(batch.cells):
            assert where(batch, item) == f"row {batch.first + position}, column {column.name}"
