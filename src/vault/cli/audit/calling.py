"""How audit commands reach a vault. Why they look has names of its own: --purpose and --recipient are what is looked for."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from vault.cli.calling import Endpoint, endpoint_options


@dataclass(frozen=True)
class AuditCalling:
    """How to reach a vault's log, as whom, and why. ``context`` are options of every call, ``timeout_s`` is of unary ones."""

    endpoint: Endpoint
    purpose: str
    context: dict[str, Any]
    timeout_s: float

    @property
    def options(self) -> dict[str, Any]:
        """The options of a call that is answered at once."""
        return {**self.context, "timeout_s": self.timeout_s}

    def full_name(self, principal: str) -> str:
        """A principal's name; a short one is of somebody of whose URI only the last part differs from ours.

        Raises:
            ClickException: the certificate does not say who we are.
        """
        if not principal or ":" in principal:
            return principal
        from vault.access.identity import read_leaf
        from vault.errors import VaultError

        try:
            own = read_leaf(self.endpoint.cert.read_bytes()).name if self.endpoint.cert else ""
        except VaultError:
            own = ""
        if not own:
            raise click.ClickException(
                f"{principal} is a short name: give the whole URI, such as spiffe://pdvault/TENANT/{principal}"
            )
        return f"{own.rpartition('/')[0]}/{principal}"


def audit_calling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that reads the log; it gets them as one ``calling``."""

    @click.option(
        "--why",
        default="audit",
        show_default=True,
        envvar="PDVAULT_AUDIT_PURPOSE",
        show_envvar=True,
        help="Why you look: the purpose of this call itself.",
    )
    @click.option("--ground", default="", help="The legal ground that your looking rests on.")
    @click.option("--reference", default="", help="A ticket or court order that asked for it; never a personal value.")
    @click.option("--handed-to", default="", help="Who outside receives what you get.")
    @endpoint_options
    @functools.wraps(command)
    def with_calling(
        *args: Any, endpoint: Endpoint, why: str, timeout_s: float, ground: str, reference: str, handed_to: str, **kwargs: Any
    ) -> Any:
        context = {"ground": ground, "reference": reference, "recipient": handed_to}
        return command(*args, calling=AuditCalling(endpoint, why, context, timeout_s), **kwargs)

    return with_calling
