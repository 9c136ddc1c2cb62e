"""How operations and approvals are named on a command line, and spans of time written."""

from datetime import timedelta
from typing import Any

import click

from vault.cli.parameters import HexUid

APPROVAL_UID = HexUid("as `pdvault approval list` has them")
_OPERATION_UID = HexUid("as `pdvault keys operations` has them")


class OperationName(click.ParamType[str]):
    """An operation: its name, or the hexadecimal digits alone."""

    name = "operation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The whole name."""
        return f"operations/{_OPERATION_UID.convert(str(value).removeprefix('operations/'), param, ctx).hex()}"


def written(span: timedelta | None) -> str | None:
    """A span of time as it is written on a command line."""
    if span is None:
        return None
    hours, rest = divmod(span, timedelta(hours=1))
    if rest:
        return f"{round(span.total_seconds())}s"
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
