"""The file that switches faults: read each time, told when it changes, and without effect where it is wrong."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vault.server.faults.catalogue import MEANINGS, Fault, UnknownFaultError, parse
from vault.server.faults.switches import Switches


@dataclass
class Case:
    """A file, and what was told of it."""

    path: Path
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.switches = Switches(self.path, self.told.append)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "faults")


def test_every_fault_has_a_name_and_a_meaning() -> None:
    assert set(MEANINGS) == set(Fault)
    assert parse(Fault) == set(Fault)


def test_it_begins_without_faults_whatever_an_earlier_one_left_there(tmp_path: Path) -> None:
    (tmp_path / "faults").write_text("kms-down\n")
    case = Case(tmp_path / "faults")
    assert case.switches.on() == set()
    assert case.told == []


def test_the_file_offers_every_fault_for_taking_a_mark_away(case: Case) -> None:
    for fault in Fault:
        case.path.write_text(case.path.read_text().replace(f"# {fault} ", f"{fault} "))
    assert case.switches.on() == set(Fault)


def test_what_is_written_is_on_and_what_is_not_can_still_be_chosen(case: Case) -> None:
    case.switches.write({Fault.DB_SLOW})
    assert case.switches.on() == {Fault.DB_SLOW}
    assert all(fault in case.path.read_text() for fault in Fault)


@pytest.mark.parametrize(
    "text", ["kms-down\ndb-slow", "  kms-down  # both\r\ndb-slow\r\n", "# db-down\nkms-down\n\ndb-slow\nkms-down"]
)
def test_one_name_a_line_with_comments_and_space_around(case: Case, text: str) -> None:
    case.path.write_text(text)
    assert case.switches.on() == {Fault.KMS_DOWN, Fault.DB_SLOW}


def test_each_change_is_told_once(case: Case) -> None:
    for text in ("kms-down", "kms-down", "db-down\nkms-down", "", ""):
        case.path.write_text(text)
        case.switches.on()
    assert [sentence.rpartition(": ")[2] for sentence in case.told] == ["kms-down", "db-down, kms-down", "none"]


@pytest.mark.parametrize("wrong", [b"kms-dwon", b"db-down kms-down", b"db-down,kms-down", b"\xff\xfe"])
def test_a_file_that_is_wrong_changes_nothing_and_is_told_once(case: Case, wrong: bytes) -> None:
    case.path.write_text("kms-sealed")
    case.switches.on()
    case.path.write_bytes(wrong)
    assert case.switches.on() == case.switches.on() == {Fault.KMS_SEALED}
    assert len(case.told) == 2
    assert "faults stay as they were (kms-sealed)" in case.told[1]
    case.path.write_text("")
    assert case.switches.on() == set()
    assert len(case.told) == 3


def test_a_file_that_can_t_be_read_changes_nothing_and_one_that_is_gone_ends_all_faults(case: Case) -> None:
    case.path.write_text("kms-sealed")
    assert case.switches.on() == {Fault.KMS_SEALED}
    case.path.unlink()
    case.path.mkdir()
    assert case.switches.on() == {Fault.KMS_SEALED}
    case.path.rmdir()
    assert case.switches.on() == set()


def test_an_unknown_name_is_refused_naming_those_there_are() -> None:
    with pytest.raises(UnknownFaultError, match=r"no fault 'kms-dwon': choose from kms-down, .*db-read-only"):
        parse(["db-down", "kms-dwon"])
