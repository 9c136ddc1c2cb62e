"""``pdvault audit verify``."""

import base64
import binascii
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vault.cli import options
from vault.cli.audit.trust import log_key_option, state_folder, state_option
from vault.cli.verify_command import VerifyCommand

if TYPE_CHECKING:
    from vault.audit.policy_file import Policy
    from vault.audit.remembered import Memory

_EPILOG = """\b
Exit codes: 0 good; 1 something is wrong with the log; 2 it could not be checked.

\b
Examples:
  pdvault audit verify bundle.zip --log-key "$KEY"
  pdvault audit verify bundle.zip --policy acme.policy -o json
  pdvault audit verify bundle.zip.age --identity ~/.age/auditor.txt
  pdvault audit verify --proof reveal.tlog-proof --leaf reveal.leaf --log-key "$KEY"
  pdvault audit verify bundle.zip --database postgresql+psycopg://auditor@db/vault"""


class LeafHash(click.ParamType[bytes]):
    """A hash of 32 bytes, in hexadecimal or base64."""

    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """The hash."""
        if isinstance(value, bytes):
            return value
        try:
            found = bytes.fromhex(value) if len(value) == 64 else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            found = b""
        if len(found) != 32:
            self.fail("must be 32 bytes in hexadecimal or base64", param, ctx)
        return found


@click.command(cls=VerifyCommand, epilog=_EPILOG)
@click.argument("bundle", required=False, type=options.READABLE)
@log_key_option
@click.option("--policy", type=options.READABLE, help="Keys and witnesses in a file (c2sp.org/tlog-policy), instead of options.")
@click.option("--witness", "witnesses", metavar="VKEY", multiple=True, help="The key of a witness.")
@click.option("--quorum", type=click.IntRange(0), help="How many witnesses must have cosigned.  [default: all that are given]")
@click.option("--older", is_flag=True, help="Accept a bundle older than the newest seen, if it was verified here at its time.")
@click.option("--identity", "identities", type=options.READABLE, multiple=True, help="Decrypts the bundle: an age or SSH key file.")
@click.option("--proof", type=options.READABLE, help="Instead of a bundle: a proof of one entry (c2sp.org/tlog-proof).")
@click.option("--leaf", type=options.READABLE, help="With --proof: the entry's bytes.")
@click.option("--leaf-hash", type=LeafHash(), help="With --proof: the entry's leaf hash instead.")
@click.option("--database", metavar="URL", help="Also compare the rows of this PostgreSQL with what the log says was written.")
@click.option("--config", "config_file", type=options.READABLE, help="The same, for the database of a vault's configuration.")
@state_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
def verify(bundle: Path | None, proof: Path | None, state: Path | None, output: str, **given: Any) -> int:
    """Check a log offline, without believing whoever runs it.

    BUNDLE is what `pdvault audit export` wrote. Everything in it is held against the log's signed checkpoint, and that against
    the newest one seen before, which is remembered in a folder of yours. Without --log-key or --policy the key remembered for
    the log is asked for; the first time, the one in the bundle is believed, and printed so that you can compare it.

    Prints OK, the log's origin, its size and its root; or what is wrong first, with its index.
    """
    from vault.audit.remembered import Memory
    from vault.audit.verify_errors import UncheckedError, WrongError
    from vault.cli.audit import verify as run

    try:
        _check_usage(bundle, proof, given)
        policy = run.read_policy(given["policy"], given["log_keys"], given["witnesses"], given["quorum"])
        memory = Memory(state or state_folder())
        if bundle is None:
            _verify_proof(proof, output, policy, memory, given["leaf"], given["leaf_hash"])
            return run.GOOD
        return _verify_bundle(bundle, output, policy, memory, given)
    except WrongError as error:
        run.print_bad(output, "BAD", [str(error)])
        return run.BAD
    except UncheckedError as error:
        run.print_bad(output, "UNCHECKED", [str(error)])
        return run.UNCHECKED


def _check_usage(bundle: Path | None, proof: Path | None, given: Mapping[str, Any]) -> None:
    leaves = sum(given[name] is not None for name in ("leaf", "leaf_hash"))
    if (bundle is None) == (proof is None):
        raise click.UsageError("give either a BUNDLE or --proof")
    if leaves != (proof is not None):
        raise click.UsageError("with --proof, and only then, give either --leaf or --leaf-hash")
    if given["policy"] and (given["log_keys"] or given["witnesses"] or given["quorum"] is not None):
        raise click.UsageError("--policy says it all: give it without --log-key, --witness and --quorum")
    if given["database"] and given["config_file"]:
        raise click.UsageError("give either --database or --config")
    if proof and (given["database"] or given["config_file"] or given["identities"] or given["older"]):
        raise click.UsageError("--database, --config, --identity and --older are for bundles")
    if given["quorum"] is not None and given["quorum"] > len(given["witnesses"]):
        raise click.UsageError("--quorum asks for more witnesses than are given with --witness")


def _verify_proof(
    proof: Path | None, output: str, policy: "Policy", memory: "Memory", leaf: Path | None, leaf_hash: bytes | None
) -> None:
    from vault.audit import merkle
    from vault.cli.audit import verify as run

    found = leaf_hash or merkle.leaf_hash(run.read_leaf(leaf or Path()))
    proven = run.run_proof(proof or Path(), found, policy, memory)
    run.print_good(output, proven.signed, {"index": proven.entry}, [f"entry: {proven.entry}"])


def _verify_bundle(path: Path, output: str, policy: "Policy", memory: "Memory", given: Mapping[str, Any]) -> int:
    from vault.audit.bundle import Bundle
    from vault.cli.audit import verify as run
    from vault.cli.audit.bundle_file import opened_bundle

    with ExitStack() as stack:
        bundle = Bundle(stack.enter_context(opened_bundle(path, given["identities"])))
        fields, sentences = {}, []
        if given["database"] or given["config_file"]:
            from vault.cli.audit.database import Comparison
            from vault.cli.audit.database_rows import snapshot

            comparison = Comparison(stack.enter_context(snapshot(given["database"], given["config_file"])), bundle)
            report = run.run_verification(bundle, policy, memory, older=given["older"], observe=comparison.observe)
            compared = run.run_comparison(comparison, report)
            if comparison.findings.count:
                run.print_bad(output, "BAD", comparison.findings.named, comparison.findings.unnamed)
                return run.BAD
            fields, sentences = run.database_fields(compared), run.database_sentences(compared)
        else:
            report = run.run_verification(bundle, policy, memory, older=given["older"])
        run.print_good(output, report.signed, run.bundle_fields(report) | fields, [*run.bundle_sentences(report), *sentences])
    return run.GOOD
