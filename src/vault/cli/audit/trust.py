"""Whether a checkpoint that the server gave is the log's own, and fits those seen here before."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vault.cli import options
from vault.cli.failures import RefusedError

if TYPE_CHECKING:
    from pdvault_client import InclusionProof
    from vault.audit.remembered import Remembered
    from vault.audit.verify_trust import Signed


@dataclass(frozen=True)
class Trust:
    """The log keys that were given, and where checkpoints seen before are kept."""

    log_keys: tuple[str, ...]
    state: Path | None

    def opened(self, note: str, offered: str) -> "Signed":
        """A checkpoint with the log's own signature, that is no older and no other one than those seen before.

        Args:
            note: the signed checkpoint.
            offered: the key that the server names, believed if no key is given and none remembered.

        Raises:
            ClickException: something is wrong with it.
            RefusedError: it can't be checked.
        """
        from vault.audit.note import NoteError
        from vault.audit.verify_errors import UncheckedError, WrongError
        from vault.audit.verify_trust import check_newest, check_no_fork, open_signed
        from vault.cli.audit.verify import read_policy

        try:
            known = self._recalled(note)
            signed = open_signed(note, read_policy(None, self.log_keys, (), 0), known, offered)
            check_no_fork(signed.checkpoint, known)
            check_newest(signed.checkpoint, known)
        except (WrongError, NoteError) as error:
            raise click.ClickException(f"the server's checkpoint is wrong: {error}") from None
        except UncheckedError as error:
            raise RefusedError(f"the server's checkpoint can't be checked: {error}") from None
        return signed

    def proven(self, proof: "InclusionProof", offered: str) -> "Signed":
        """The checkpoint to which a proof leads from its entry.

        Args:
            proof: with the proof file.
            offered: as for ``opened``.

        Raises:
            ClickException: the proof does not lead there.
            RefusedError: the checkpoint can't be checked.
        """
        from vault.audit.merkle import leaf_hash
        from vault.audit.merkle_proofs import ProofError, verify_inclusion
        from vault.audit.note import NoteError
        from vault.audit.proof_file import parse_proof_file

        index = proof.event.index
        try:
            file = parse_proof_file(proof.proof_file)
            signed = self.opened(file.checkpoint, offered)
            if file.index != index:
                raise ProofError(f"it is of entry {file.index}")
            verify_inclusion(index, signed.checkpoint.size, leaf_hash(proof.event.leaf), file.hashes, signed.checkpoint.root)
        except (NoteError, ProofError) as error:
            raise click.ClickException(f"the server's proof of entry {index} is wrong: {error}") from None
        return signed

    def known_size(self, note: str) -> int:
        """The size of the newest checkpoint seen here of the log that this one is of; 0 if none was."""
        known = self._recalled(note)
        return known.checkpoint.size if known else 0

    def _recalled(self, note: str) -> "Remembered | None":
        """What is known of a checkpoint's log.

        Raises:
            NoteError: it is no checkpoint.
            UncheckedError: what was kept is damaged.
        """
        from vault.audit.checkpoint import parse_checkpoint
        from vault.audit.note import parse_note
        from vault.audit.remembered import Memory

        return Memory(self.state or state_folder()).recall(parse_checkpoint(parse_note(note).text).origin)


def state_folder() -> Path:
    """Where checkpoints are remembered unless something else is said: for state that is neither data nor cache (XDG)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "pdvault"


log_key_option = click.option(
    "--log-key", "log_keys", metavar="VKEY", multiple=True, help="The log's key, as its operator publishes it."
)
state_option = click.option(
    "--state", type=options.FOLDER, help="Where `verify` remembers checkpoints.  [default: ~/.local/state/pdvault]"
)


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--log-key`` and ``--state``; the command gets one ``trust``."""

    @log_key_option
    @state_option
    @functools.wraps(command)
    def with_trust(*args: Any, log_keys: tuple[str, ...], state: Path | None, **kwargs: Any) -> Any:
        return command(*args, trust=Trust(log_keys, state), **kwargs)

    return with_trust
