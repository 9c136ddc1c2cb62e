"""``pdvault restore``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import Fields, emit, say

if TYPE_CHECKING:
    from vault.backup.reconcile import Reconciled


@click.group(short_help="What comes after a backup was restored.")
def restore() -> None:
    """What comes after `pdvault backup restore`, or after a database was put back to an earlier state by other means."""


@restore.command(epilog=options.examples("pdvault restore reconcile --config restored.toml -o table"))
@options.config_option
@options.output_option
def reconcile(config_file: Path, output: str | None) -> None:
    """Let a restored vault serve again.

    Erases again whoever was erased since the backup, as the KMS remembers it; says which leaves of each audit log are lost; and
    lets each log go on under a new name, which auditors and witnesses need with its key. Can be run again if it was interrupted.
    """
    config = options.read_config(config_file)
    from vault.backup.reconcile import reconcile as run
    from vault.cli.opening import administered

    with administered(config) as node:
        found = run(node.engine, node.key_manager, config.node)
        emit(output, _told(found))


@restore.command(
    short_help="Say what lost leaves said, from a bundle.",
    epilog=options.examples(
        "pdvault restore lost bundle.zip --from 1207 --config restored.toml -o table",
        "pdvault restore lost bundle.zip.age --identity auditor.key --from 1207 --config restored.toml",
    ),
)
@click.argument("bundle", type=options.READABLE)
@click.option("--from", "start", type=click.IntRange(0), required=True, help="The first lost leaf, as `reconcile` said it.")
@click.option("--identity", "identities", type=options.READABLE, multiple=True, help="Decrypts the bundle: an age or SSH key file.")
@options.config_option
@options.output_option
def lost(bundle: Path, start: int, identities: tuple[Path, ...], config_file: Path, output: str | None) -> None:
    """Say what lost leaves said, from a bundle that somebody exported before.

    BUNDLE is what `pdvault audit export` wrote, of the log under its old name. It is verified with the log's key in the KMS. Prints
    what has to be done again: tokens that were deleted or got another value, and acts such as a principal's suspension.
    """
    config = options.read_config(config_file)
    from vault.cli.lost_leaves import LostLeaves
    from vault.cli.opening import inspected

    with inspected(config) as node:
        leaves = LostLeaves(start)
        leaves.read(node, bundle, identities)
        emit(output, leaves.rows(node))
    say(f"{leaves.created} tokens were made in these leaves; the restored vault knows none of them.")


def _told(found: "Iterator[Reconciled]") -> Iterator[Fields]:
    """A row a log; at the end, what nobody can know."""
    logs = lost = 0
    for one in found:
        logs, lost = logs + 1, lost + len(one.lost)
        yield {
            "tenant_uid": one.tenant_uid.hex(),
            "restored_size": one.checkpoint.size,
            "anchored_size": one.last.size,
            "first_lost": one.lost.start if one.lost else None,
            "last_lost": one.lost.stop - 1 if one.lost else None,
            "erased_again": one.erased,
            "waiting": one.waiting,
            "troubles": len(one.troubles),
            "old_origin": one.last.origin,
            "log_key": one.vkey,
        }
    if not logs:
        say("Every log is in order with its anchor: there is nothing to reconcile.")
        return
    say("The vault serves again. Hand each log_key to the log's auditors and witnesses: it names the log's new origin.")
    if lost:
        say(
            f"{lost} leaves are lost. What they said is not known here: values stored, updated or deleted since, reveals of "
            "limited tokens, principals and CAs added or suspended. Deletions and suspensions must be made again: with a bundle of "
            "an auditor's, `pdvault restore lost` says which (docs/restore.md)."
        )
