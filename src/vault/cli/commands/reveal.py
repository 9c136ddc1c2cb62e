"""``pdvault reveal``."""

import sys
from collections.abc import Iterator, Sequence

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import vault_client
from vault.cli.forms import form_of, form_option, shown
from vault.cli.output import Fields, emit
from vault.cli.parameters import ValueCommand

_BATCH = 100
"""Tokens a call, so that an answer stays below 4 MiB where values are a few KiB."""


@click.command(
    short_help="Get values back from tokens: masked by default.",
    cls=ValueCommand,
    epilog=options.examples(
        "pdvault reveal pho_... --purpose support",
        "pdvault reveal pho_... --form partial:last4 --purpose support",
        "pdvault search --subject customer-17 --purpose payout -o json | jq -r .token |",
        "  pdvault reveal --form plain --purpose payout",
    ),
)
@click.argument("tokens", nargs=-1, metavar="[TOKEN]...")
@form_option
@calling_options
@options.output_option
def reveal(tokens: tuple[str, ...], form: str, calling: Calling, output: str | None) -> None:
    """Get values back from tokens: masked, unless you ask for more and may have it.

    Tokens are arguments, or lines on stdin. They are asked for 100 at a time; one that fails ends the command, and of its
    hundred nothing is released. Values that are bytes are printed in base64. Roles: reader_masked for masked and partial
    forms, reader_plain for all.
    """
    piped = () if tokens or sys.stdin.isatty() else tuple(line.strip() for line in sys.stdin if line.strip())
    chosen = tokens or piped
    if not chosen:
        raise click.UsageError("give at least one token, as an argument or on stdin")
    emit(output, _revealed(chosen, form, calling))


def _revealed(tokens: Sequence[str], form: str, calling: Calling) -> Iterator[Fields]:
    chosen = form_of(form)
    with vault_client(calling) as client, in_client_words():
        for begin in range(0, len(tokens), _BATCH):
            batch = tokens[begin : begin + _BATCH]
            for token, revealed in zip(batch, client.reveal(batch, form=chosen, **calling.context), strict=True):
                yield {"token": token, "data_class": revealed.data_class, "form": form, **shown(revealed)}
