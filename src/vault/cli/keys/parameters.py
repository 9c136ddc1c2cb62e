"""How operations and approvals are named on a command line, and spans of time written."""

import re
from datetime import timedelta
from typing import Any

import click

_UID = "[0-9a-f]{32}"


class OperationName(click.ParamType[str]):
    """An operation: its name, or the hexadecimal digits alone."""

    name = "operation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The whole name."""
        digits = str(value).removeprefix("operations/")
        if not re.fullmatch(_UID, digits):
            self.fail("must be 32 hexadecimal digits: `pdvault keys operations` lists them", param, ctx)
        return f"operations/{digits}"


class ApprovalUid(click.ParamType[bytes]):
    """An approval: its uid in hexadecimal."""

    name = "approval"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """16 bytes."""
        if isinstance(value, bytes):
            return value
        if not re.fullmatch(_UID, value):
            self.fail("must be 32 hexadecimal digits: `pdvault approval list` lists them", param, ctx)
        return bytes.fromhex(value)


def written(span: timedelta | None) -> str | None:
    """A span of time as it is written on a command line."""
    if span is None:
        return None
    hours, rest = divmod(span, timedelta(hours=1))
    if rest:
        return f"{round(span.total_seconds())}s"
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
