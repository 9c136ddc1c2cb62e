"""No name of a subject is in any table, refusal or log, in any spelling; and names stay what they are."""

import io

import pytest
import structlog
from tests.subjects.requests import every_subject, link, names_of, place_hold, register, restrict, show, unlink, unrestrict
from tests.use_cases.inside import Inside
from tests.use_cases.requests import new_email, new_subject, search, tokenize
from tests.use_cases.test_nothing_in_clear import dump, spellings

PEOPLE = ("li.na@example.org", "999999190001010031", "Canaria Vogelsang", "\u674e\u5a1c")


def test_names_are_nowhere_in_clear(open_vault: Inside) -> None:
    first, second = f"Vogelsang {new_subject()}", f"Canaria {new_subject()}"
    refusals: list[str] = []

    def refused(request: object, who: str = "admin") -> None:
        (answer,) = open_vault.answers([open_vault.call(request, who)])  # type: ignore[arg-type]
        refusals.append(str(answer.to_status()))  # type: ignore[union-attr]

    printed = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(printed), cache_logger_on_first_use=False)
    try:
        open_vault.ask(register(first, second))
        open_vault.ask(register(other := f"Canaria {new_subject()}"))
        open_vault.ask(tokenize((second, "email", new_email())))
        open_vault.ask(search(("", None, second)))
        for request in (restrict(second), unrestrict(second), link(second, f"{first} again"), show(second)):
            open_vault.ask(request, "admin")
        open_vault.ask(place_hold(second), "privacy")
        assert len(list(every_subject(open_vault, 2, who="privacy"))) >= 2
        refused(link(other, second))
        refused(unlink(first))
        refused(show(f"{first} unknown"))
        refused(show(second), "plain")
        refused(register(other, second), "app")
        open_vault.ask(unlink(second), "admin")
    finally:
        structlog.reset_defaults()
    places = dump(open_vault) | {"refusals": "\n".join(refusals).encode(), "log": printed.getvalue().encode()}
    assert all(len(places[name]) > 100 for name in ("subject", "subject_alias", "subject_hold", "audit_pending", "refusals"))
    for name, content in places.items():
        assert [text for text in (first, second, other) for one in spellings(text.encode()) if one in content] == [], name


@pytest.mark.parametrize("name", PEOPLE)
def test_a_name_may_be_any_text_and_is_told_as_it_was_given(open_vault: Inside, name: str) -> None:
    first = new_subject()
    open_vault.ask(register(first, f"{name} {first}"))
    assert names_of(open_vault, first) == [f"{name} {first}"]
    assert open_vault.refused(show(f"{name} {first} "), "admin") == "SUBJECT_NOT_FOUND"
    assert open_vault.refused(show(f"{name} {first}".swapcase() + "x"), "admin") == "SUBJECT_NOT_FOUND"


@pytest.mark.parametrize("name", ["", "x" * 129, "\u674e" * 43])
def test_a_name_that_is_empty_or_too_long_is_refused(open_vault: Inside, name: str) -> None:
    for request in (register(name), register("x", name), show(name), link("x", name), link(name, "x"), unlink(name)):
        assert open_vault.refused(request, "admin") == "INVALID_FIELD"
