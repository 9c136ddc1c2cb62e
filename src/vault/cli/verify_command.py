"""The kind of command that checks something offline, with exit codes of its own."""

from typing import Any

import click

from vault.cli import failures

_UNCHECKED = 2
"""``vault.cli.audit.verify.UNCHECKED``, which is not imported to say that an import failed."""


class _UncheckedExit(failures.RefusedError):
    """What hinders a verification: exit code 2."""


class VerifyCommand(click.Command):
    """A command in which 1 means that the log is wrong: whatever else goes wrong, usage included, is 2."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the command line."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _UncheckedExit(error.format_message()) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its exit code."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except KeyboardInterrupt:
            failures.report(click.Abort())
        except Exception as error:  # noqa: BLE001  none of them may end in exit code 1
            failures.report(error)
        return _UNCHECKED
