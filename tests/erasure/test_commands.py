"""``pdvault erase`` and ``pdvault erasure``: main path on a development vault, then each receipt that is not good."""

import json
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Served, _run, served

__all__ = ["served"]

SUBJECT = "customer-<17>&\"'"


@pytest.fixture(scope="module")
def erased(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The receipt of somebody who was erased, with its proof, and the log's key."""
    folder = tmp_path_factory.mktemp("receipts")
    stored = served("app", "tokenize", "--class", "email", "--subject", SUBJECT, stdin=b"li.na@example.org")
    assert stored.code == 0, stored.err
    file = folder / "receipt.json"
    done = served("privacy", "erase", "--subject", SUBJECT, "--out", file, "--yes", "--reference", "T-1")
    assert done.code == 0, done.err
    (row,) = done.rows
    assert (row["keys"], row["items"], row["tokens"], row["proven"]) == (1, 1, 1, True)
    assert SUBJECT not in done.out
    shown = served("auditor", "audit", "checkpoint", "--state", folder / "seen", "-o", "json")
    assert shown.code == 0, shown.err
    return file, shown.rows[0]["log_key"]


def verify(file: Path, *more: object, state: Path) -> Result:
    """Verify it, knowing of the log what is in a folder."""
    return _run("erasure", "verify", file, "--state", state, *more)


def test_a_receipt_is_private_to_its_owner(erased: tuple[Path, str]) -> None:
    assert os.stat(erased[0]).st_mode & 0o777 == 0o600


def test_a_good_receipt_is_verified_without_the_vault(erased: tuple[Path, str], tmp_path: Path) -> None:
    file, key = erased
    found = verify(file, "--log-key", key, state=tmp_path)
    assert found.code == 0, found.out + found.err
    first, *rest = found.out.splitlines()
    assert first.startswith("OK erasure ")
    assert any("not proven: that no backup" in line for line in rest)
    told = json.loads(verify(file, "--log-key", key, "-o", "json", state=tmp_path).out)
    assert (told["result"], told["named"], told["horizon_entry"]) == ("OK", True, None)


def test_without_a_key_it_is_not_checked(erased: tuple[Path, str], tmp_path: Path) -> None:
    found = verify(erased[0], state=tmp_path)
    assert found.code == 2
    assert "UNCHECKED" in found.out


def test_one_without_proof_is_not_good(erased: tuple[Path, str], tmp_path: Path) -> None:
    file, key = erased
    content = json.loads(file.read_text())
    del content["erased"]
    (tmp_path / "early.json").write_text(json.dumps(content))
    found = verify(tmp_path / "early.json", "--log-key", key, state=tmp_path)
    assert found.code == 2
    assert "not proven: that it was done" in found.out


@pytest.mark.parametrize(
    "change", [("customer-", "custamer-"), ('"leafIndex"', '"leafindex"'), ('"leafIndex": "', '"leafIndex": "1')]
)
def test_a_changed_one_is_bad(erased: tuple[Path, str], tmp_path: Path, change: tuple[str, str]) -> None:
    file, key = erased
    text = file.read_text()
    assert change[0] in text
    (tmp_path / "changed.json").write_text(text.replace(*change))
    found = verify(tmp_path / "changed.json", "--log-key", key, state=tmp_path)
    assert found.code == 1
    assert found.out.startswith("BAD ")
    shown = _run("erasure", "show", tmp_path / "changed.json", "--log-key", key, "--state", tmp_path)
    assert shown.code == 1
    assert shown.out == ""


def test_a_page_shows_it_in_plain_words_and_nothing_from_elsewhere(erased: tuple[Path, str], tmp_path: Path) -> None:
    file, key = erased
    shown = _run("erasure", "show", file, "--html", "--log-key", key, "--state", tmp_path)
    assert shown.code == 0, shown.err
    page = _Page()
    page.feed(shown.out)
    assert SUBJECT in page.text
    assert "1 email" in page.text
    assert "proven: entry" in page.text
    assert not page.links
    assert page.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "dl", "dt", "dd", "ul", "li", "code"}


class _Page(HTMLParser):
    """What a page shows, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href", "action", "data", "onload", "srcset")]

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data


def test_it_is_shown_in_text_too(erased: tuple[Path, str], tmp_path: Path) -> None:
    file, key = erased
    shown = _run("erasure", "show", file, "--log-key", key, "--state", tmp_path)
    assert (shown.code, "Keys destroyed: 1" in shown.out, "proven: entry" in shown.out) == (0, True, True)
    unchecked = _run("erasure", "show", file, "--state", tmp_path)
    assert (unchecked.code, "Keys destroyed: 1" in unchecked.out, "not checked" in unchecked.out) == (2, True, True)


@pytest.mark.parametrize("key", ["", "no key", "pdvault.invalid/other+c74f20a3+BIpZ0rJ6Yg=="])
def test_no_page_is_made_of_what_can_t_be_checked(erased: tuple[Path, str], tmp_path: Path, key: str) -> None:
    shown = _run("erasure", "show", erased[0], "--html", *(["--log-key", key] if key else []), "--state", tmp_path)
    assert (shown.code, shown.out) == (2, "")
    assert "no page" in shown.err


def test_no_page_is_made_of_what_has_no_proof_yet(erased: tuple[Path, str], tmp_path: Path) -> None:
    content = json.loads(erased[0].read_text())
    del content["erased"]
    (tmp_path / "early.json").write_text(json.dumps(content))
    shown = _run("erasure", "show", tmp_path / "early.json", "--html", "--log-key", erased[1], "--state", tmp_path)
    assert (shown.code, shown.out) == (2, "")
    assert "no proof yet" in shown.err


def test_the_receipt_of_another_erasure_is_none_of_one_s_own(served: Served, erased: tuple[Path, str], tmp_path: Path) -> None:
    done = served("privacy", "erasure", "receipt", "00" * 16, "--own", erased[0], "--out", tmp_path / "whole.json")
    assert (done.code, "the receipt of another erasure" in done.err) == (1, True)
    (tmp_path / "none.json").write_text("{}")
    done = served("privacy", "erasure", "receipt", "00" * 16, "--own", tmp_path / "none.json", "--out", tmp_path / "whole.json")
    assert (done.code, "none.json" in done.err) == (1, True)
    assert not (tmp_path / "whole.json").exists()


def test_the_vault_looks_again_and_gives_the_receipt_again(served: Served, erased: tuple[Path, str], tmp_path: Path) -> None:
    file, key = erased
    uid = json.loads(verify(file, "--log-key", key, "-o", "json", state=tmp_path).out)["erasure_uid"]
    found = served("auditor", "erasure", "check", uid)
    assert (found.code, found.rows[0]["clean"], found.rows[0]["anchored"]) == (0, True, True)
    again = served("auditor", "erasure", "receipt", uid, "--own", file, "--out", tmp_path / "again.json")
    assert again.code == 0, again.err
    assert verify(tmp_path / "again.json", "--log-key", key, state=tmp_path).code == 0
    assert json.loads((tmp_path / "again.json").read_text())["subjectId"] == SUBJECT
    refused = served("auditor", "erasure", "check", "00" * 16)
    assert refused.code == 2
    assert "NOT_FOUND" in refused.err
    assert served("auditor", "erasure", "check", "0b5c").code == 1


def test_nothing_is_erased_unless_it_is_meant(served: Served, tmp_path: Path) -> None:
    served("app", "tokenize", "--class", "email", "--subject", "customer-18", stdin=b"wang.wei@example.org")
    arguments = ("erase", "--subject", "customer-18", "--out", tmp_path / "receipt.json")
    assert served("privacy", *arguments, stdin=b"customer-19\n").code == 1
    assert not (tmp_path / "receipt.json").exists()
    (tmp_path / "taken.json").write_text("")
    assert served("privacy", "erase", "--subject", "customer-18", "--out", tmp_path / "taken.json", "--yes").code == 1
    assert served("app", *arguments, "--yes").code == 2
    assert served("privacy", *arguments, "--wait", 0, stdin=b"customer-18\n").code == 0
    unknown = served("privacy", "erase", "--subject", "customer-18", "--out", tmp_path / "second.json", "--yes")
    assert unknown.code == 2
    assert "SUBJECT_NOT_FOUND" in unknown.err
