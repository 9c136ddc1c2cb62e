"""``pdvault erase-many``: everybody whom a file names is erased, or nobody, and each erasure has its receipt."""

import re
from pathlib import Path

import pytest
from tests.cli.conftest import Served

from vault.audit.receipt import read_statement
from vault.audit.receipt_file import decode

CONTEXT = ("--purpose", "erasure")


@pytest.fixture
def people(served: Served, tmp_path: Path) -> list[str]:
    """Three that have something in the vault."""
    names = [f"one of many {tmp_path.name} {number}" for number in range(3)]
    for name in names:
        assert served("app", "tokenize", "--class", "email", "--subject", name, stdin=b"li.na@example.org").code == 0
    return names


@pytest.fixture
def file(people: list[str], tmp_path: Path) -> Path:
    """A file that names them."""
    path = tmp_path / "gone.txt"
    path.write_text("\n".join(people) + "\n\n")
    return path


def test_each_is_erased_and_has_a_receipt_and_the_same_request_gets_them_again(
    served: Served, people: list[str], file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "receipts"
    erased = served("privacy", "erase-many", file, "--out", out, "--yes", *CONTEXT)
    assert erased.code == 0, erased.err
    paths = [Path(str(row["receipt"])) for row in erased.rows]
    read = [decode(path.read_bytes()) for path in paths]
    assert [receipt.subject_id for receipt in read] == people
    assert [read_statement(receipt.statement).erasure_uid.hex() for receipt in read] == [row["erasure_uid"] for row in erased.rows]
    assert sorted(out.iterdir()) == sorted(paths)
    gone = served("privacy", "erase-many", file, "--out", out, "--yes", *CONTEXT)
    assert (gone.code, "SUBJECT_NOT_FOUND" in gone.err) == (2, True)


def test_one_that_was_cut_off_gets_its_receipts_by_the_request_that_it_names(
    served: Served, people: list[str], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vault.durable.replace_file", full)
    failed = served("privacy", "erase-many", file, "--out", tmp_path / "receipts", "--yes", *CONTEXT)
    assert (failed.code, "No space left" in failed.err) == (1, True)
    (request_id,) = re.findall(r"--request-id (\S+),", failed.err)
    monkeypatch.undo()
    again = served("privacy", "erase-many", file, "--out", tmp_path / "receipts", "--yes", "--request-id", request_id, *CONTEXT)
    assert len(again.rows) == len(people)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "has 0 names"), ("\n".join(map(str, range(1001))), "has 1001 names"), ("a\nb\na\n", "name 3 stands there before")],
)
def test_a_file_that_is_no_request_is_refused_before_anything_is_done(served: Served, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text)
    refused = served("privacy", "erase-many", path, "--out", tmp_path / "receipts", "--yes", *CONTEXT)
    assert (refused.code, told in refused.err) == (1, True)
    assert not (tmp_path / "receipts").exists()


def test_nobody_is_erased_if_one_name_is_unknown_or_the_number_is_another(
    served: Served, people: list[str], file: Path, tmp_path: Path
) -> None:
    receipts = tmp_path / "receipts"
    assert served("privacy", "erase-many", file, "--out", receipts, *CONTEXT, stdin=b"4\n").code == 1
    file.write_text("\n".join([*people, "nobody of that name"]))
    refused = served("privacy", "erase-many", file, "--out", receipts, "--yes", *CONTEXT)
    assert (refused.code, "SUBJECT_NOT_FOUND" in refused.err) == (2, True)
    assert not receipts.exists()
    assert served("privacy", "subject", "show", "--subject", people[0], *CONTEXT).code == 0
