"""``pdvault decrypt``."""

from collections.abc import Iterator, Sequence

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.ciphertexts import batches
from vault.cli.clients import field_client
from vault.cli.forms import form_of, form_option, shown
from vault.cli.output import Fields, emit
from vault.cli.parameters import ValueCommand


@click.command(
    short_help="Get values back from ciphertexts: masked by default.",
    cls=ValueCommand,
    epilog=options.examples(
        "pdvault decrypt pdv1.AQFE... --purpose support",
        "pdvault decrypt --form plain --associated-data customers/email/17 --purpose payout < column.txt",
    ),
)
@click.argument("ciphertexts", nargs=-1, metavar="[CIPHERTEXT]...")
@form_option
@click.option("--associated-data", metavar="TEXT", help="What all of them are bound to.")
@calling_options
@options.output_option
def decrypt(ciphertexts: tuple[str, ...], form: str, associated_data: str | None, calling: Calling, output: str | None) -> None:
    """Get values back from ciphertexts: masked, unless you ask for more and may have it.

    Ciphertexts, in the text form that `pdvault encrypt` prints, are arguments, or lines on stdin. They are asked for 100 at a
    time; one that fails ends the command, and of its hundred nothing is released. Values that are bytes are printed in base64.
    Roles: reader_masked for masked and partial forms, reader_plain for all.
    """
    bound = None if associated_data is None else associated_data.encode()
    emit(output, _decrypted(batches(ciphertexts), form, bound, calling))


def _decrypted(given: Iterator[Sequence[str]], form: str, bound: bytes | None, calling: Calling) -> Iterator[Fields]:
    from pdvault_client import DecryptItem

    chosen = form_of(form)
    with field_client(calling) as client, in_client_words():
        for batch in given:
            for revealed in client.decrypt([DecryptItem(text, bound, chosen) for text in batch], **calling.context):
                yield {"data_class": revealed.data_class, "form": form, **shown(revealed)}
