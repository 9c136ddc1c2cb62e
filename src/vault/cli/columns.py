"""Columns of a table as people write them."""

import re
from typing import Any

import click

from vault.cli.csv_tokens import Column


class ColumnType(click.ParamType[Column]):
    """``COLUMN=CLASS`` or ``COLUMN=CLASS:base64``."""

    name = "column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Column:
        """The column."""
        found = re.fullmatch(r"(.+)=([a-z][a-z0-9_]*)(:base64)?", value)
        if not found:
            self.fail("must be COLUMN=CLASS, or COLUMN=CLASS:base64 where the class takes bytes", param, ctx)
        return Column(found[1], found[2], "base64" if found[3] else "text")
