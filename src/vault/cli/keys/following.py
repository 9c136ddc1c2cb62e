"""Long work as it goes on: a bar on the terminal, and what is to be said while nobody works on it."""

import time
from typing import TYPE_CHECKING, Any

from vault.cli.clients import operation_client
from vault.cli.failures import RefusedError
from vault.cli.keys.report import show_operations
from vault.cli.output import say
from vault.cli.progress import rows_bar

if TYPE_CHECKING:
    from pdvault_client import Operation, OperationClient
    from vault.cli.calling import Calling

_LOOK_S, _LONGEST_S = 0.5, 5.0
"""Each look is a call, and so an event in the log: they become rarer."""
_PATIENCE_LOOKS = 6


def followed(calling: "Calling", name: str, output: str | None) -> None:
    """Show an operation until it ends or is paused, then print it. Ctrl-C ends only the looking.

    Raises:
        RefusedError: it failed or was cancelled.
    """
    with operation_client(calling) as client:
        try:
            operation = until_ended(client, name, calling.context)
        except KeyboardInterrupt:
            say(f"It goes on without you. To look again: {calling.again('keys', 'wait', name)}")
            return
    show_operations([operation], output)
    if operation.state == "PAUSED":
        say(f"It is paused. To let it go on: {calling.again('keys', 'resume', name)}")
    if operation.error:
        raise RefusedError(str(operation.error))


def until_ended(client: "OperationClient", name: str, context: dict[str, Any]) -> "Operation":
    """Show how far an operation is until it ends or is paused; how it is then."""
    look_s, looks = _LOOK_S, 0
    operation = client.get(name, **context)
    with rows_bar(operation.kind) as show:
        while not operation.is_ended and operation.state != "PAUSED":
            show(operation.phase.lower() or "waiting", operation.done, operation.total)
            looks += 1
            if looks == _PATIENCE_LOOKS and operation.state == "WAITING":
                say("Nobody has taken it up yet: is `pdvault key-worker` running, or another operation under way?")
            time.sleep(look_s)  # operations are asked how far they are: there is no stream of that
            look_s = min(_LONGEST_S, look_s * 1.5)
            operation = client.get(name, **context)
        show(operation.phase.lower(), operation.done, operation.total)
    return operation
