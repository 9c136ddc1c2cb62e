"""``pdvault audit checkpoint``, ``prove`` and ``export``: what shows that nothing is missing and nothing was changed."""

import shlex
from contextlib import closing
from pathlib import Path

import click

from vault.cli import options
from vault.cli.audit.calling import AuditCalling, audit_calling_options
from vault.cli.audit.export import PlaceType, Range, Watched, recipients
from vault.cli.audit.times import When, Zone, zone_options
from vault.cli.audit.trust import Trust, trust_options
from vault.cli.calling import in_client_words
from vault.cli.clients import audit_client
from vault.cli.output import chosen, emit, say
from vault.cli.text import clean


@click.command(
    short_help="Show the newest signed checkpoint and its witnesses.",
    epilog=options.examples(
        "pdvault audit checkpoint",
        "pdvault audit checkpoint --note > today.checkpoint",
        "pdvault audit checkpoint -o json | jq -r .log_key",
    ),
)
@click.option("--note", is_flag=True, help="Print the signed note alone, as it is (c2sp.org/tlog-checkpoint).")
@zone_options
@trust_options
@audit_calling_options
@options.output_option
def checkpoint(note: bool, zone: Zone, trust: Trust, calling: AuditCalling, output: str | None) -> None:
    """Show the log's newest signed checkpoint, and who has witnessed it.

    A checkpoint commits the log to everything before it: keep one, and nothing that it covers can be changed any more without
    being noticed. Its signature is checked, and that it is no older than those seen here before.
    """
    from vault.cli.audit import checkpoint

    with audit_client(calling) as client, in_client_words():
        found = client.checkpoint(**calling.options)
    signed = trust.opened(found.checkpoint, found.log_key)
    if note:
        click.echo(found.checkpoint, nl=False)
    elif chosen(output) == "table":
        for line in checkpoint.lines(found, signed, zone):
            click.echo(clean(line))
    else:
        emit(output, [checkpoint.fields(found, signed, zone)])


@click.command(
    epilog=options.examples(
        "pdvault audit prove 1234",
        "pdvault audit prove 1234 --out reveal.tlog-proof --leaf reveal.leaf",
    )
)
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=options.NEW_FILE, help="Where to write the proof; entry-INDEX.tlog-proof by default. Must not exist.")
@click.option("--leaf", type=options.NEW_FILE, help="Where to write the entry itself; entry-INDEX.leaf by default. Must not exist.")
@zone_options
@trust_options
@audit_calling_options
@options.output_option
def prove(
    index: int, out: Path | None, leaf: Path | None, zone: Zone, trust: Trust, calling: AuditCalling, output: str | None
) -> None:
    """Prove that one entry is in the log.

    Writes the entry's exact bytes, and a proof that leads from them to the newest signed checkpoint (c2sp.org/tlog-proof), which
    anybody can check with tools that are not ours. Both are checked before they are written.
    """
    from vault.access.issuing import write_private
    from vault.cli.audit.checkpoint import SOURCES
    from vault.cli.audit.rows import Names, brief

    out = out or options.NEW_FILE.convert(f"entry-{index}.tlog-proof", None, None)
    leaf = leaf or options.NEW_FILE.convert(f"entry-{index}.leaf", None, None)
    with audit_client(calling) as client, in_client_words():
        proof = client.inclusion_proof(index, **calling.options)
        offered = "" if trust.log_keys else client.checkpoint(**calling.options).log_key
    signed = trust.proven(proof, offered)
    write_private(leaf, proof.event.leaf)
    write_private(out, proof.proof_file.encode())
    key = signed.log_key.vkey
    say(f"Signed by {key}, {SOURCES[signed.source]}. To check it:")
    say(
        clean(
            f"  pdvault audit verify --proof {shlex.quote(str(out))} --leaf {shlex.quote(str(leaf))} --log-key {shlex.quote(key)}"
        )
    )
    emit(output, [{**brief(proof.event, zone, Names()), "size": signed.checkpoint.size, "proof": str(out), "leaf": str(leaf)}])


@click.command(
    short_help="Take a bundle of the log home, to be checked offline.",
    epilog=options.examples(
        "pdvault audit export -o bundle.zip",
        "pdvault audit export --from 2026-03-01 --to 2026-03-31 -o march.zip --encrypt-to age1...",
        "pdvault audit export --from 100000 --to 200000 -o part.zip.age --encrypt-to auditor.pub",
    ),
)
@click.option("--from", "start", type=PlaceType(), metavar="TIME|INDEX", help="At or after this time, or this index.")
@click.option("--to", "end", type=PlaceType(), metavar="TIME|INDEX", help="Before this time or index; a date is meant to its end.")
@click.option("-o", "--out", type=options.NEW_FILE, required=True, help="Where to write the bundle. Must not exist.")
@click.option(
    "--encrypt-to",
    multiple=True,
    metavar="RECIPIENT|FILE",
    help="Encrypt it with age: age1..., an SSH public key, or a file of these. May be repeated.",
)
@zone_options
@trust_options
@audit_calling_options
def export(
    start: When | int | None,
    end: When | int | None,
    out: Path,
    encrypt_to: tuple[str, ...],
    zone: Zone,
    trust: Trust,
    calling: AuditCalling,
) -> None:
    """Take a bundle of the log home, to be checked offline by `pdvault audit verify` or by tools that are not ours.

    It holds the newest signed checkpoint, the hashes of the whole tree and the entries of the range (of everything by default),
    with the beginnings of the boots that wrote them; no values, tokens or subject ids. If a checkpoint of this log was verified
    here before, it also holds the proof that the log has only grown since.
    """
    from vault.cli.audit.bundle_file import write_bundle

    keys = recipients(encrypt_to)
    asked = Range(start, end).options(zone)
    with audit_client(calling) as client, in_client_words():
        newest = client.checkpoint(**calling.options)
        trust.opened(newest.checkpoint, newest.log_key)
        pieces = client.export(**asked, known_size=trust.known_size(newest.checkpoint), **calling.context)
        with closing(pieces):
            watched = Watched(pieces)
            write_bundle(out, watched, keys)
    manifest = watched.manifest
    emit(
        None,
        [
            {
                "out": str(out),
                "origin": manifest.origin,
                "size": manifest.size,
                "start_index": manifest.start_index,
                "end_index": manifest.end_index,
                "known_size": manifest.known_size,
                "encrypted": bool(keys),
            }
        ],
    )
