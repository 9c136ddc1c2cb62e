"""``pdvault restore``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import Fields, emit, say

if TYPE_CHECKING:
    from vault.backup.reconcile import Reconciled


@click.group()
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
            "limited tokens, principals and CAs added or suspended. Deletions and suspensions must be made again: auditors' "
            "bundles, and those who asked for them, know which (docs/restore.md)."
        )
