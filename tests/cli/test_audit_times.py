"""Times are read as people mean them: days by the clocks of their zone, spans back from now, and nothing guessed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.cli.audit.times import When, WhenType, Zone, ZoneType

VIENNA = Zone(ZoneInfo("Europe/Vienna"), "Europe/Vienna")
NOW = datetime(2026, 3, 29, 10, 30, tzinfo=UTC)  # the day on which Vienna's clocks go forward, at 01:00 UTC


def read(text: str) -> When:
    return WhenType().convert(text, None, None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("typed", "begin", "end"),
    [
        ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00+00:00", "2026-03-01T08:00:00+00:00"),
        ("2026-03-01T08:00:00.25+05:30", "2026-03-01T02:30:00.25+00:00", "2026-03-01T02:30:00.25+00:00"),
        ("2026-03-01T08:00", "2026-03-01T07:00:00+00:00", "2026-03-01T07:00:00+00:00"),
        ("2026-03-01 08:00:30", "2026-03-01T07:00:30+00:00", "2026-03-01T07:00:30+00:00"),
        ("2026-03-01", "2026-02-28T23:00:00+00:00", "2026-03-01T23:00:00+00:00"),
        ("2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("today", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("yesterday", "2026-03-27T23:00:00+00:00", "2026-03-28T23:00:00+00:00"),
        ("90s", "2026-03-29T10:28:30+00:00", "2026-03-29T10:28:30+00:00"),
        ("15m", "2026-03-29T10:15:00+00:00", "2026-03-29T10:15:00+00:00"),
        ("24h", "2026-03-28T10:30:00+00:00", "2026-03-28T10:30:00+00:00"),
        ("7d", "2026-03-22T10:30:00+00:00", "2026-03-22T10:30:00+00:00"),
        ("2w", "2026-03-15T10:30:00+00:00", "2026-03-15T10:30:00+00:00"),
    ],
)
def test_what_is_typed_is_a_moment_in_the_zone(typed: str, begin: str, end: str) -> None:
    assert read(typed).begin(VIENNA, NOW) == at(begin)
    assert read(typed).end(VIENNA, NOW) == at(end)


@pytest.mark.parametrize(
    "typed", ["", "soon", "7", "7y", "-1d", "2026", "2026-3-1", "2026-02-30", "2026-13-01T00:00Z", "20260301", "2026-03-01T", "٧d"]
)
def test_what_is_no_time_is_refused_with_the_forms_there_are(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="RFC 3339, a date, or how long ago"):
        read(typed)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))
def test_every_moment_is_read_back_from_how_it_is_shown(moment: datetime) -> None:
    shown = VIENNA.here(moment)
    assert read(shown.isoformat()).begin(VIENNA, NOW) == moment
    assert read(shown.isoformat()).end(Zone(UTC, "UTC"), NOW) == moment


@given(st.dates(min_value=datetime(1980, 1, 2).date(), max_value=datetime(2200, 1, 1).date()))
def test_a_day_is_meant_whole_and_days_leave_no_gap(day: object) -> None:
    following = day + timedelta(days=1)  # type: ignore[operator]
    assert read(str(day)).end(VIENNA, NOW) == read(str(following)).begin(VIENNA, NOW)
    assert read(str(day)).begin(VIENNA, NOW) < read(str(day)).end(VIENNA, NOW)


def test_zones_have_names_of_the_database() -> None:
    assert ZoneType().convert("Asia/Shanghai", None, None).here(NOW).isoformat() == "2026-03-29T18:30:00+08:00"
    for name in ("Mars/Olympus", "", "../../etc/passwd", "Europe"):
        with pytest.raises(click.BadParameter, match="Europe/Vienna"):
            ZoneType().convert(name, None, None)


def test_without_a_zone_the_machines_own_holds() -> None:
    local = Zone(None, "here")
    assert local.here(NOW) == NOW
    assert local.moment(datetime(2026, 3, 1, 8)) == datetime(2026, 3, 1, 8).astimezone()
