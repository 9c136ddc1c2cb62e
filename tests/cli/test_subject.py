"""``pdvault subject`` as an administrator and a privacy officer type it, against a vault that is served."""

import secrets
import time
from collections.abc import Iterator

import pytest
from tests.cli.conftest import Result, Served


@pytest.fixture
def in_vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows the time of Vienna: an hour ahead of UTC in winter, two in summer."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def new_name() -> str:
    """A name that nobody used before."""
    return f"customer-{secrets.token_hex(6)}"


def done(result: Result) -> list[dict[str, object]]:
    """What a command printed that succeeded."""
    assert result.code == 0, result.err
    return result.rows


def shown(served: Served, name: str) -> dict[str, object]:
    """What is told of a subject."""
    (row,) = done(served("privacy", "subject", "show", "--subject", name))
    return row


def test_a_subject_is_registered_named_and_told(served: Served) -> None:
    name, second, third = new_name(), new_name(), new_name()
    (made,) = done(served("app", "subject", "register", "--subject", name, "--alias", second))
    assert made["existed"] is False
    done(served("admin", "subject", "link", "--subject", second, "--alias", third))
    done(served("app", "tokenize", "--class", "email", "--subject", third, stdin=b"li.na@example.org"))
    expected = {
        "subject_uid": made["subject_uid"],
        "subject_id": name,
        "state": "ACTIVE",
        "aliases": sorted([second, third]),
        "holds": [],
        "items": ["email 1"],
    }
    assert [shown(served, one) for one in (name, second, third)] == [expected] * 3
    done(served("admin", "subject", "unlink", "--alias", second))
    assert served("admin", "subject", "show", "--subject", second).code == 2
    assert shown(served, name)["aliases"] == [third]


def test_a_restricted_subject_s_values_are_not_revealed(served: Served) -> None:
    name = new_name()
    (stored,) = done(served("app", "tokenize", "--class", "email", "--subject", name, stdin=b"li.na@example.org"))
    done(served("privacy", "subject", "restrict", "--subject", name))
    assert shown(served, name)["state"] == "RESTRICTED"
    refused = served("support", "reveal", stored["token"])
    assert (refused.code, "SUBJECT_RESTRICTED" in refused.err) == (2, True)
    done(served("admin", "subject", "unrestrict", "--subject", name))
    done(served("support", "reveal", stored["token"]))


def test_a_hold_is_placed_listed_and_released(served: Served) -> None:
    name = new_name()
    done(served("app", "subject", "register", "--subject", name))
    why = ("--reference", "court/4711")
    (for_ever,) = done(served("privacy", "subject", "hold", "--subject", name, *why))
    (until,) = done(served("privacy", "subject", "hold", "--subject", name, *why, "--until", "2199-12-31T12:00:00Z"))
    assert (for_ever["expire_time"], until["expire_time"]) == (None, "2199-12-31T12:00:00+00:00")
    listed = done(served("privacy", "subject", "holds", "--subject", name))
    assert sorted(str(row["hold_uid"]) for row in listed) == sorted([str(for_ever["hold_uid"]), str(until["hold_uid"])])
    done(served("privacy", "subject", "release", "--subject", name, "--hold", for_ever["hold_uid"]))
    assert shown(served, name)["holds"] == [until["hold_uid"]]


@pytest.mark.usefixtures("in_vienna")
@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2035-12-31", "2035-12-31T23:00:00+00:00"),
        ("2035-06-30", "2035-06-30T22:00:00+00:00"),
        ("2035-12-31T12:00", "2035-12-31T11:00:00+00:00"),
        ("2035-12-31T12:00:00+08:00", "2035-12-31T04:00:00+00:00"),
    ],
)
def test_a_hold_until_a_date_lasts_through_that_day_by_the_clock_here(served: Served, until: str, expected: str) -> None:
    name = new_name()
    done(served("app", "subject", "register", "--subject", name))
    (placed,) = done(served("privacy", "subject", "hold", "--subject", name, "--reference", "tax/147", "--until", until))
    assert placed["expire_time"] == expected


def test_every_subject_is_listed_and_no_more_than_asked_for(served: Served) -> None:
    names = {new_name() for _ in range(3)}
    for name in names:
        done(served("app", "subject", "register", "--subject", name))
    rows = done(served("privacy", "subject", "list"))
    assert names <= {row["subject_id"] for row in rows}
    assert rows == sorted(rows, key=lambda row: str(row["subject_uid"]))
    assert done(served("privacy", "subject", "list", "--limit", "2")) == rows[:2]


@pytest.mark.parametrize(
    ("who", "arguments", "reason"),
    [
        ("app", ("show", "--subject", "x"), "POLICY_DENIED"),
        ("admin", ("show", "--subject", "nobody-known"), "SUBJECT_NOT_FOUND"),
        ("admin", ("hold", "--subject", "x", "--reference", "T-1"), "POLICY_DENIED"),
        ("privacy", ("hold", "--subject", "x"), "INVALID_FIELD"),
        ("privacy", ("release", "--subject", "nobody-known", "--hold", "00" * 16), "SUBJECT_NOT_FOUND"),
    ],
)
def test_a_refusal_says_why_and_exits_with_2(served: Served, who: str, arguments: tuple[str, ...], reason: str) -> None:
    refused = served(who, "subject", *arguments)
    assert (refused.code, reason in refused.err, refused.out) == (2, True, "")
    assert "nobody-known" not in refused.err


def test_a_hold_s_uid_or_end_that_is_none_is_refused_here(served: Served) -> None:
    for arguments in (("release", "--subject", "x", "--hold", "court/4711"), ("hold", "--subject", "x", "--until", "tomorrow")):
        assert served("privacy", "subject", *arguments).code == 1
    for until in ("2032-02-30", "9999-12-31", "2032-12-31T25:00", "31.12.2032"):
        refused = served("privacy", "subject", "hold", "--subject", "x", "--until", until)
        assert (refused.code, "counts to its end" in refused.err) == (1, True)


def test_auditors_see_under_any_name_what_was_done_with_a_subject(served: Served) -> None:
    name, alias = new_name(), new_name()
    done(served("app", "subject", "register", "--subject", name, "--alias", alias))
    done(served("privacy", "subject", "hold", "--subject", alias, "--reference", "court/4711"))
    done(served("privacy", "subject", "restrict", "--subject", name))
    assert served("admin", "subject", "link", "--subject", name, "--alias", "").code == 2
    expected = ["Register", "PlaceHold", "Restrict"]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        events = done(served("auditor", "audit", "timeline", "--subject-id", alias))
        if len([event for event in events if event["action"] in expected]) == len(expected):
            break
    assert [event["action"] for event in events if event["action"] != "SubjectTimeline"] == expected
    assert {event["decision"] for event in events} == {"ALLOWED"}
    table = served("auditor", "audit", "timeline", "--subject-id", alias, "-o", "table")
    assert (table.code, "placed a hold on this subject" in table.out, "restricted this subject" in table.out) == (0, True, True)
