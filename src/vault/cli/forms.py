"""Forms as people write them, and values as they are printed."""

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import click

from vault.cli.output import Fields

if TYPE_CHECKING:
    from pdvault_client import Form, Revealed


class FormType(click.ParamType[str]):
    """``masked``, ``plain`` or ``partial:NAME``."""

    name = "form"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, if it is one of these."""
        if not re.fullmatch(r"masked|plain|partial:[a-z][a-z0-9_]{0,31}", value):
            self.fail("must be masked, plain or partial:NAME, such as partial:last4", param, ctx)
        return str(value)


form_option = click.option("--form", type=FormType(), default="masked", show_default=True, help="masked, plain or partial:NAME.")


def form_of(text: str) -> "Form":
    """The form that a text stands for."""
    from pdvault_client import Form

    named = {"masked": Form.MASKED, "plain": Form.PLAIN}
    return named.get(text) or Form.partial(text.removeprefix("partial:"))


def shown(revealed: "Revealed") -> Fields:
    """The value as it is printed: bytes in base64."""
    if isinstance(revealed.value, bytes):
        return {"value_base64": b64encode(revealed.value).decode()}
    return {"value": revealed.value}
