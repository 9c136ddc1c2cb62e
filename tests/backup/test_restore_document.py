"""docs/restore.md can be followed: each command in it is one."""

from pathlib import Path

from tests.cli.test_help import check, pdvault_lines

DOCUMENT = Path(__file__).parents[2] / "docs" / "restore.md"


def test_every_command_line_in_the_document_holds() -> None:
    lines = pdvault_lines(DOCUMENT.read_text("utf-8"))
    for line in lines:
        check(line)
    assert {"pdvault backup create", "pdvault backup restore", "pdvault restore reconcile", "pdvault restore lost"} <= {
        " ".join(line.split()[:3]) for line in lines
    }
