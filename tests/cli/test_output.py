"""What is printed can be read back, and commands no terminal."""

import io
import json
import unicodedata
from contextlib import redirect_stdout

from hypothesis import given
from hypothesis import strategies as st

from vault.cli.output import emit

ROWS = st.lists(st.fixed_dictionaries({"text": st.text(), "number": st.integers(), "list": st.lists(st.text())}), min_size=1)


def printed(output: str, rows: list[dict[str, object]]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        emit(output, rows)
    return out.getvalue()


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
