"""What is printed can be read back, and commands no terminal."""

import io
import json
import unicodedata
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.cli.output import emit

ROWS = st.lists(st.fixed_dictionaries({"text": st.text(), "number": st.integers(), "list": st.lists(st.text())}), min_size=1)


def printed(output: str, rows: list[dict[str, object]]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        emit(output, rows)
    return out.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, without colours."""
    monkeypatch.setenv("TERM", "dumb")


def seen(rows: list[dict[str, object]]) -> list[str]:
    """The lines on a terminal, without those that are empty."""
    out = _Terminal()
    with redirect_stdout(out):
        emit(None, rows)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


@given(ROWS)
def test_json_is_an_object_a_line_and_says_what_it_was_given(rows: list[dict[str, object]]) -> None:
    lines = printed("json", rows).removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == rows


@given(ROWS)
def test_neither_form_holds_control_characters_or_turns_the_direction_of_text(rows: list[dict[str, object]]) -> None:
    for output in ("json", "table"):
        found = {unicodedata.category(character) for character in printed(output, rows).replace("\n", "")}
        assert "Cc" not in found
        assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(printed(output, rows))


def test_a_table_shows_text_that_looks_like_markup_as_it_is() -> None:
    assert "[bold]x[/bold]" in printed("table", [{"text": "[bold]x[/bold]"}])


def test_a_table_in_a_pipe_cuts_nothing() -> None:
    assert "x" * 500 in printed("table", [{"text": "x" * 500}])


@pytest.mark.usefixtures("on_terminal")
def test_a_terminal_shows_yes_and_no_and_times_that_are_short() -> None:
    (_head, _rule, line) = seen([{"done": True, "left": False, "time": "2026-11-22T13:42:06+00:00"}])
    assert line.split() == ["yes", "no", "2026-11-22", "13:42:06Z"]


@pytest.mark.usefixtures("on_terminal")
def test_a_table_on_a_terminal_folds_sentences_and_breaks_no_word() -> None:
    uid, sentence = "a1" * 16, " ".join(["what", "would", "be", "lost"] * 10)
    lines = seen([{"uid": uid, "what": sentence, "who": "spiffe://pdvault/acme/security"}])
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.split()}
    assert {uid, "spiffe://pdvault/acme/security", *sentence.split()} <= words


@pytest.mark.usefixtures("on_terminal")
def test_rows_that_are_too_wide_are_blocks_of_lines_with_every_value_in_one_piece() -> None:
    ciphertexts = ["pdv1." + "x" * 200, "pdv1." + "y" * 200]
    lines = seen([{"ciphertext": text, "data_class": "phone"} for text in ciphertexts])
    assert lines == [line for text in ciphertexts for line in (f"ciphertext   {text}", "data_class   phone")]


@pytest.mark.usefixtures("on_terminal")
def test_chinese_words_are_as_wide_as_they_are_shown() -> None:
    lines = seen([{"one": "何" * 20, "two": "明" * 20}])
    assert lines[0].startswith("one")
    assert any("何" * 20 in line for line in lines)
