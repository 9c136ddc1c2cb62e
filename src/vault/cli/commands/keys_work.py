"""``pdvault keys``: the work on keys that takes long, and looking after it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import key_client, operation_client
from vault.cli.keys.following import followed
from vault.cli.keys.parameters import APPROVAL_UID, OperationName
from vault.cli.keys.report import show_asked, show_operations
from vault.cli.output import iso, say
from vault.cli.text import clean

if TYPE_CHECKING:
    from pdvault_client import KeyStatus

_NAME = "0d9d5a9e6f0c4b0e8a5e0c7d1f0b6a11"


def _work_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How fast, and whether to look on."""
    detach = click.option("--detach", is_flag=True, help="Don't wait for its end.")
    limit = click.option(
        "--max-rows-per-second", type=click.IntRange(0), default=0, help="No faster than this; as fast as it goes if 0."
    )
    return limit(detach(command))


@click.command(
    short_help="Make new keys, and move everything live over to them.",
    epilog=options.examples(
        "pdvault keys rotate --purpose rotation",
        "pdvault keys rotate --max-rows-per-second 500 --detach --purpose rotation",
    ),
)
@_work_options
@calling_options
@options.output_option
def rotate(max_rows_per_second: int, detach: bool, calling: Calling, output: str | None) -> None:
    """Make a new KEK version, epoch and index key, and move everything live over to them, while calls are served.

    Ctrl-C ends the looking, not the work.
    """
    with key_client(calling) as client, in_client_words():
        begun = client.rotate(max_rows_per_second=max_rows_per_second, **calling.context)
    _look_on(calling, begun.name, detach, output)


@click.command(
    short_help="Give one subject, or all, new keys.",
    epilog=options.examples(
        "pdvault keys rekey --subject customer-17 --purpose incident",
        "pdvault keys rekey --all --max-rows-per-second 500 --purpose incident",
    ),
)
@click.option("--subject", metavar="ID", help="Only this subject.")
@click.option("--all", "everybody", is_flag=True, help="All subjects.")
@_work_options
@calling_options
@options.output_option
def rekey(
    subject: str | None, everybody: bool, max_rows_per_second: int, detach: bool, calling: Calling, output: str | None
) -> None:
    """Give one subject, or all, new keys, and encrypt their values again. Ctrl-C ends the looking, not the work."""
    if bool(subject) == everybody:
        raise click.UsageError("give --subject or --all")
    with key_client(calling) as client, in_client_words():
        begun = client.rekey(subject or "", max_rows_per_second=max_rows_per_second, **calling.context)
    _look_on(calling, begun.name, detach, output)


@click.command(
    short_help="End all KEK versions before KEEP_FROM, for ever.",
    epilog=options.examples(
        "pdvault keys destroy 3 --purpose horizon",
        f"pdvault keys destroy 3 --approval {_NAME} --purpose horizon",
        f'pdvault keys destroy 3 --approval {_NAME} --confirm "acme 3" --purpose horizon',
    ),
)
@click.argument("keep_from", type=click.IntRange(2))
@click.option("--approval", "uid", type=APPROVAL_UID, metavar="APPROVAL", help="The approval, once another has given it.")
@click.option("--confirm", metavar="TEXT", help="The tenant's name and KEEP_FROM, instead of typing them when asked.")
@calling_options
@options.output_option
def destroy(keep_from: int, uid: bytes | None, confirm: str | None, calling: Calling, output: str | None) -> None:
    """End all KEK versions before KEEP_FROM, for ever, in every copy of the database.

    The first call asks for it and shows what would be lost; once another security officer has approved, a second one with
    --approval does it. Refused while anything live hangs on those versions.
    """
    with key_client(calling) as client, in_client_words():
        status = client.status(**calling.context)
        if uid is None:
            asked = client.ask_to_destroy(keep_from, **calling.context)
            _tell_losses(status, keep_from)
            show_asked(asked, calling, ("keys", "destroy", keep_from), output)
            return
        _tell_losses(status, keep_from)
        _typed(f"{status.tenant} {keep_from}", confirm)
        begun = client.destroy(keep_from, uid, **calling.context)
    followed(calling, begun.name, output)


@click.command(short_help="List long work, newest first.", epilog=options.examples("pdvault keys operations --purpose review"))
@calling_options
@options.output_option
def operations(calling: Calling, output: str | None) -> None:
    """List long work, newest first: what is under way, and what has ended."""
    with operation_client(calling) as client, in_client_words():
        found = client.list(**calling.context)
    show_operations(found, output)


@click.command(epilog=options.examples(f"pdvault keys wait {_NAME} --purpose rotation"))
@click.argument("operation", type=OperationName())
@calling_options
@options.output_option
def wait(operation: str, calling: Calling, output: str | None) -> None:
    """Show how far an operation is until it ends. Ctrl-C ends the looking, not the work."""
    followed(calling, operation, output)


@click.command(epilog=options.examples(f"pdvault keys pause {_NAME} --purpose rotation"))
@click.argument("operation", type=OperationName())
@calling_options
def pause(operation: str, calling: Calling) -> None:
    """Let an operation stand still where it is."""
    with operation_client(calling) as client, in_client_words():
        client.pause(operation, **calling.context)
    say(f"Paused. To let it go on: {calling.again('keys', 'resume', operation)}")


@click.command(epilog=options.examples(f"pdvault keys resume {_NAME} --purpose rotation"))
@click.argument("operation", type=OperationName())
@calling_options
def resume(operation: str, calling: Calling) -> None:
    """Let an operation go on."""
    with operation_client(calling) as client, in_client_words():
        client.resume(operation, **calling.context)
    say(f"It goes on. To look: {calling.again('keys', 'wait', operation)}")


@click.command(epilog=options.examples(f"pdvault keys cancel {_NAME} --purpose rotation"))
@click.argument("operation", type=OperationName())
@calling_options
def cancel(operation: str, calling: Calling) -> None:
    """End an operation where it is. What is done stays done; a rotation begun again goes on from there."""
    with operation_client(calling) as client, in_client_words():
        client.cancel(operation, **calling.context)
    say("Cancelled.")


def _look_on(calling: Calling, name: str, detach: bool, output: str | None) -> None:
    """Wait for the end, or tell how to."""
    if not detach:
        followed(calling, name, output)
        return
    with operation_client(calling) as client:
        show_operations([client.get(name, **calling.context)], output)
    say(f"To look: {calling.again('keys', 'wait', name)}")


def _tell_losses(status: "KeyStatus", keep_from: int) -> None:
    """Say what is lost with each version that is to end."""
    for version in status.kek_versions:
        if version.version < keep_from:
            lost = "; ".join(version.would_lose) or "nothing is lost that anybody could still need"
            say(clean(f"KEK version {version.version}: {lost}"))
            if version.destroy_time:
                say(f"  no backup within the restore window needs it from {iso(version.destroy_time)} on")
            else:
                say("  something live hangs on it: nobody can say yet from when on no backup needs it")


def _typed(expected: str, given: str | None) -> None:
    """Have the tenant's name and the version typed.

    Raises:
        ClickException: it is another text.
    """
    typed = given if given is not None else click.prompt(f'This can\'t be undone. Type "{expected}" to go on', err=True)
    if typed != expected:
        raise click.ClickException(f'that is not "{expected}"; nothing was done, and the approval is still good')
