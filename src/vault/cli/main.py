"""The ``pdvault`` command: its subcommands, and its exit codes.

0: done. 1: something is wrong here: usage, a file, the configuration, the database or the KMS of a command that works on them
itself. 2: the vault's server refused the call or can't be reached.
"""

import sys
from collections.abc import Sequence

import click

from vault.cli import failures
from vault.cli.commands import (
    approval,
    audit,
    backup,
    classes,
    db,
    decrypt,
    dev,
    encrypt,
    erase,
    erase_many,
    erasure,
    init,
    key_worker,
    keys,
    principal,
    reencrypt,
    restore,
    reveal,
    search,
    serve,
    subject,
    tenant,
    tokenize,
    witness,
)

_EPILOG = """\b
Call a vault:           tokenize, reveal, search, encrypt, decrypt, reencrypt, classes
Answer people:          subject, erase, erase-many, erasure
See who touched what:   audit
Look after keys:        keys, approval
Try one:                dev
Run one for others:     init, tenant, principal, db, serve, key-worker
Watch one:              witness
Keep copies of one:     backup, restore
\b
Exit codes: 0 done; 1 wrong here; 2 the server refused or can't be reached."""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pdvault")
def pdvault() -> None:
    """A vault for personal data: values in, tokens out. Begin with `pdvault dev`."""


for _command in (
    init.init,
    db.db,
    tenant.tenant,
    principal.principal,
    serve.serve,
    key_worker.key_worker,
    dev.dev,
    tokenize.tokenize,
    reveal.reveal,
    search.search,
    classes.classes,
    encrypt.encrypt,
    decrypt.decrypt,
    reencrypt.reencrypt,
    subject.subject,
    erase.erase,
    erase_many.erase_many,
    erasure.erasure,
    keys.keys,
    approval.approval,
    audit.audit,
    witness.witness,
    backup.backup,
    restore.restore,
):
    pdvault.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; its exit code. Whatever goes wrong is one message on stderr, and never a traceback."""
    try:
        answer = pdvault.main(list(arguments), prog_name="pdvault", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  the one place where errors end
        return failures.report(error)
    except KeyboardInterrupt:
        return failures.report(click.Abort())
    return answer if isinstance(answer, int) else 0


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
