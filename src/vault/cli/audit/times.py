"""Times as auditors type them, and as they read them: RFC 3339, dates, or how long ago; in a zone of their choice."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_DAYS = {"today": 0, "yesterday": 1}
FORMS = "RFC 3339, a date, or how long ago: 2026-03-01T08:00:00Z, 2026-03-01, 7d, 2h, today"


@dataclass(frozen=True)
class Zone:
    """A time zone; the system's if there is no ``tz``."""

    tz: tzinfo | None
    name: str

    def here(self, moment: datetime) -> datetime:
        """The moment by the clocks of this zone."""
        return moment.astimezone(self.tz)

    def moment(self, naive: datetime) -> datetime:
        """The moment when the clocks of this zone show this; the first one if they do twice."""
        return naive.astimezone() if self.tz is None else naive.replace(tzinfo=self.tz)


@dataclass(frozen=True)
class When:
    """A time as it was typed, which is a moment only in a zone."""

    kind: str
    given: Any

    def begin(self, zone: Zone, now: datetime) -> datetime:
        """The moment from which on something is meant."""
        if self.kind == "ago":
            return now - timedelta(**self.given)
        if self.kind == "day":
            return zone.moment(datetime.combine(self._day(zone, now), time()))
        return zone.moment(self.given) if self.given.tzinfo is None else self.given

    def end(self, zone: Zone, now: datetime) -> datetime:
        """The moment before which something is meant: a day is meant to its end."""
        if self.kind == "day":
            return zone.moment(datetime.combine(self._day(zone, now) + timedelta(days=1), time()))
        return self.begin(zone, now)

    def _day(self, zone: Zone, now: datetime) -> date:
        if isinstance(self.given, int):
            return zone.here(now).date() - timedelta(days=self.given)
        return date.fromisoformat(self.given)


class WhenType(click.ParamType[When]):
    """A time, as ``FORMS`` says."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> When:
        """The time."""
        if isinstance(value, When):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago:
                return When("ago", {_UNITS[ago[2]]: int(ago[1])})
            if value in _DAYS:
                return When("day", _DAYS[value])
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                return When("day", date.fromisoformat(value).isoformat())
            if re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value, re.ASCII):
                return When("moment", datetime.fromisoformat(value))
        except ValueError:  # 2026-02-30
            pass
        self.fail(f"must be a time: {FORMS}", param, ctx)


class ZoneType(click.ParamType[Zone]):
    """A name of the IANA time zone database."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Zone:
        """The zone."""
        from zoneinfo import ZoneInfo

        if isinstance(value, Zone):
            return value
        try:
            return Zone(ZoneInfo(value), value)
        except (ValueError, OSError, KeyError):  # no such name, or a folder of the database
            self.fail("must be a time zone such as Europe/Vienna, Asia/Shanghai or UTC", param, ctx)


def zone_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--utc`` and ``--zone``; the command gets one ``zone``."""

    @click.option("--zone", type=ZoneType(), metavar="ZONE", help="Show and read times in this zone, such as Europe/Vienna.")
    @click.option("--utc", is_flag=True, help="Show and read times in UTC. By default: in the zone of this machine.")
    @functools.wraps(command)
    def with_zone(*args: Any, utc: bool, zone: Zone | None, **kwargs: Any) -> Any:
        if utc and zone:
            raise click.UsageError("--utc and --zone exclude each other")
        return command(*args, zone=Zone(UTC, "UTC") if utc else zone or _local(), **kwargs)

    return with_zone


def _local() -> Zone:
    return Zone(None, datetime.now().astimezone().tzname() or "local time")
