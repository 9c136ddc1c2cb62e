"""``pdvault backup``."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vault.cli import options
from vault.cli.output import emit, iso, say

if TYPE_CHECKING:
    from vault.backup.manifest import Manifest

_identity_option = click.option(
    "--identity", "identities", type=options.READABLE, multiple=True, required=True, help="Opens it: an age or SSH key file."
)


@click.group(short_help="Copies of the whole vault, encrypted.")
def backup() -> None:
    """Copies of the whole vault, encrypted. docs/restore.md says how to keep and how to use them.

    A backup holds the database. It does not hold the KMS, nor a local keyring with what lies beside it: without these, no backup
    can be opened by anybody. Keep copies of both, and never the two in one place.
    """


@backup.command(
    epilog=options.examples(
        "pdvault backup create -o vault-2026-11-22.age --recipient age1...",
        "pdvault backup create -o vault.age --recipient backup-keys.txt --config vault.toml",
        "pdvault backup create -o vault.age --new-identity backup.key",
    )
)
@click.option("-o", "--out", type=options.NEW_FILE, required=True, help="Where to write the backup. Must not exist.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="RECIPIENT|FILE",
    help="Who can open it: age1..., an SSH public key, or a file of these. May be repeated.",
)
@click.option("--new-identity", type=options.NEW_FILE, help="Make an age identity that can open it, in this new file (0600).")
@options.config_option
def create(out: Path, recipients: tuple[str, ...], new_identity: Path | None, config_file: Path) -> None:
    """Make a backup of the vault, while it serves.

    All of it is of one moment. The database's role must be allowed to read every table, as the server's is. Keys and values are in
    it as they are stored: encrypted under keys that the KMS holds.
    """
    config = options.read_config(config_file)
    from vault.backup.create import Backup
    from vault.cli import backups, opening
    from vault.cli.audit.bundle_file import write_bundle
    from vault.cli.audit.export import recipients as read_recipients
    from vault.cli.progress import rows_bar

    if not recipients and new_identity is None:
        raise click.UsageError("a backup is always encrypted: say to whom with --recipient, or make a key with --new-identity")
    keys = read_recipients(recipients)
    with backups.read_beside_servers(config) as engine, ExitStack() as work:
        tell = work.enter_context(rows_bar("Backing up"))
        if new_identity is not None:
            keys.append(work.enter_context(backups.new_identity(new_identity, out)))
        work.enter_context(opening.changing_schema())
        made = Backup(engine, tell)
        write_bundle(out, made.pieces(), keys)
    if new_identity is not None:
        say(f"Made {new_identity}: without it the backup can't be opened. Keep it apart from the backup, and a copy elsewhere.")
    emit(None, [{"out": str(out), **_said(made.manifest), "bytes": out.stat().st_size}])


@backup.command(
    short_help="See whether a backup opens and is whole.",
    epilog=options.examples(
        "pdvault backup check vault-2026-11-22.age --identity backup.key",
    ),
)
@click.argument("file", type=options.READABLE)
@_identity_option
@options.output_option
def check(file: Path, identities: tuple[Path, ...], output: str | None) -> None:
    """See whether a backup opens and is whole, without a database or a KMS.

    Whether it is of your vault, and its keys still exist, only a restore tells.
    """
    from vault.backup.archive import BackupArchive
    from vault.cli import backups
    from vault.cli.progress import bytes_bar

    with backups.opened_backup(file, identities) as plain, bytes_bar("Checking") as tell:
        archive = BackupArchive(plain)
        size = archive.size
        archive.check(lambda done: tell(done, size))
    emit(output, [{**_said(archive.manifest), "manifest_sha256": archive.manifest_sha256.hex()}])


@backup.command(
    short_help="Restore a backup into an empty database.",
    epilog=options.examples(
        "pdvault backup restore vault-2026-11-22.age --identity backup.key --config restored.toml",
    ),
)
@click.argument("file", type=options.READABLE)
@_identity_option
@options.config_option
@options.output_option
def restore(file: Path, identities: tuple[Path, ...], config_file: Path, output: str | None) -> None:
    """Restore a backup into the empty database that the configuration names.

    The KMS must be the one that the vault had. What is restored serves nothing until `pdvault restore reconcile` has erased again
    whoever was erased since the backup. If anything is wrong, nothing is changed.
    """
    config = options.read_config(config_file)
    from vault.backup.archive import BackupArchive
    from vault.backup.restore import restore as run
    from vault.cli import backups
    from vault.cli.progress import bytes_bar

    with backups.opened_backup(file, identities) as plain, bytes_bar("Restoring") as tell:
        archive = BackupArchive(plain)
        backups.refuse_foreign(config, archive)
        with backups.empty_vault(config) as node:
            version = run(node.engine, node.key_manager, archive, tell)
    say("Restored. The vault serves nothing until you run `pdvault restore reconcile` with the same configuration.")
    if config.database.sqlite_file is None:
        say("Give each role its rights there: `pdvault db upgrade --grant-to ... --grant-log-to ... --grant-keys-to ...`.")
    emit(output, [{**_said(archive.manifest), "schema": version}])


def _said(manifest: "Manifest") -> dict[str, object]:
    """What a backup holds, and of which moment it is."""
    return {
        "time": iso(datetime.fromtimestamp(manifest.time_us / 1e6, UTC)),
        "schema": manifest.schema_revision,
        "tenants": len(manifest.keys),
        "rows": sum(table.rows for table in manifest.tables),
        "leaves": sum(log.size for log in manifest.logs),
    }
