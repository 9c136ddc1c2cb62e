"""Kinds of arguments and options, each with a message of its own that never repeats what was typed: it might be a value."""

import re
import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

import click

_UID = re.compile(r"[0-9a-fA-F]{32}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ValueCommand(click.Command):
    """A command that takes a value. One given as an argument by mistake is refused, and not repeated on the terminal."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse what is left over without quoting it."""
        rest = super().parse_args(ctx, args)
        if rest:
            ctx.fail("values are never arguments, where every user of the machine could read them: give them on stdin or in a file")
        return rest


class Duration(click.ParamType[timedelta]):
    """A time such as ``90s``, ``15m``, ``24h`` or ``30d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", value)
        if not found:
            self.fail("must be a number and s, m, h or d, such as 30d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Until(click.ParamType[datetime]):
    """The moment at which something ends: a time, or a date, which counts to its end; by this machine's zone if none is named."""

    name = "until"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment."""
        if isinstance(value, datetime):
            return value
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                return datetime.combine(date.fromisoformat(value) + timedelta(days=1), time()).astimezone()
            if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", value, re.ASCII):
                return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):  # 2032-02-30
            pass
        self.fail("must be a date, which counts to its end, or a time: 2032-12-31, 2032-12-31T12:00:00Z", param, ctx)


class HexUid(click.ParamType[bytes]):
    """A uid of 16 bytes, in hexadecimal; ``hint`` says where to find it."""

    name = "uid"

    def __init__(self, hint: str) -> None:
        self._hint = hint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """The bytes."""
        if isinstance(value, bytes):
            return value
        if not _UID.fullmatch(value):
            self.fail(f"must be 32 hexadecimal digits, {self._hint}", param, ctx)
        return bytes.fromhex(value)


class Uuid(click.ParamType[uuid.UUID]):
    """A UUID."""

    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> uuid.UUID:
        """The UUID."""
        try:
            return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
        except ValueError:
            self.fail("must be a UUID, such as `uuidgen` prints", param, ctx)
