"""Errors as people read them: what was wrong and what to do, one message on stderr, and the exit code that goes with it.

No text of an exception that we didn't write is shown: it could hold a value, a key or a driver's statement.
"""

import os
import sys
import traceback
from typing import Any

import click

LOCAL, REMOTE = 1, 2


class RefusedError(click.ClickException):
    """The vault's server refused, or can't be reached."""

    exit_code = REMOTE


def report(error: BaseException) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return LOCAL
    if isinstance(error, RefusedError):
        error.show()
        return REMOTE
    if isinstance(error, click.ClickException):
        error.show()
        return LOCAL
    if isinstance(error, click.Abort):
        click.echo("Stopped.", err=True)
        return LOCAL
    text, code = _explain(error)
    click.echo(f"Error: {text}", err=True)
    return code


def _explain(error: BaseException) -> tuple[str, int]:
    if isinstance(error, _loaded("pdvault_client", "VaultError")):
        return str(error), REMOTE
    if isinstance(error, _loaded("vault.server.config", "ConfigError")):
        return str(error), LOCAL
    faults = sys.modules.get("vault.store.faults")
    if faults and isinstance(error, faults.DATABASE_ERRORS):
        error = faults.translate(error)
    if isinstance(error, _loaded("vault.errors", "VaultError")):
        return _refusal(error), LOCAL
    if isinstance(error, ModuleNotFoundError) and error.name == "pdvault_client":
        return "this command calls a server, for which it needs the package pdvault-client: install it", LOCAL
    if isinstance(error, OSError) and error.strerror:
        return (f"{error.filename}: {error.strerror}" if error.filename else error.strerror), LOCAL
    return _unforeseen(error), LOCAL


def _refusal(error: Any) -> str:
    news = [f"{violation.field}: {violation.rule}" for violation in error.violations if violation.rule not in error.message]
    return f"{'; '.join([error.message, *news])} [{error.reason_name}]"


def _unforeseen(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {os.path.basename(last[0].filename)}:{last[0].lineno}" if last else ""
    return f"something nobody foresaw ({type(error).__name__}{where}); please report it, with the command but without any value"


def _loaded(module: str, name: str) -> type[BaseException] | tuple[()]:
    """A class of a module if that was imported already: else no error can be of that class."""
    found = sys.modules.get(module)
    kind: type[BaseException] | tuple[()] = getattr(found, name) if found else ()
    return kind
