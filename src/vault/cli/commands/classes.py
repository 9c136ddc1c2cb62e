"""``pdvault classes``."""

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options
from vault.cli.clients import vault_client
from vault.cli.output import emit


@click.command(
    epilog=options.examples(
        "pdvault classes --purpose support",
        "pdvault classes --purpose support -o json | jq -r .data_class",
    )
)
@calling_options
@options.output_option
def classes(calling: Calling, output: str | None) -> None:
    """List the data classes that values may be of.

    Kind: whether values are text or bytes (--bytes). Searchable: whether `pdvault search` finds values of the class. Partial forms
    are what `pdvault reveal --form partial:NAME` shows. docs/classes.md says what each takes. Any role.
    """
    with vault_client(calling) as client:
        taxonomy = client.list_data_classes(**calling.context)
    emit(
        output,
        (
            {
                "data_class": found.name,
                "title": found.title,
                "kind": found.kind,
                "max_bytes": found.max_bytes,
                "sensitivity": found.sensitivity,
                "searchable": found.fingerprinted,
                "partial_forms": list(found.partial_forms),
                "token_prefix": found.token_prefix,
            }
            for found in taxonomy.data_classes
        ),
    )
